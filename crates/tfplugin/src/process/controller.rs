//! The three services of go-plugin itself, which Terraform calls beside the provider's.

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::proto::goplugin::grpc_broker_server::GrpcBroker;
use crate::proto::goplugin::grpc_controller_server::GrpcController;
use crate::proto::goplugin::grpc_stdio_server::GrpcStdio;
use crate::proto::goplugin::{ConnInfo, Empty, StdioData};

/// `plugin.GRPCController`: ends the process. Without it the client waits two seconds and kills.
pub(super) struct Controller {
    /// Cancelled when the client has asked for the end.
    pub(super) shutdown: CancellationToken,
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.shutdown.cancel();
        Ok(Response::new(Empty {}))
    }
}

/// `plugin.GRPCStdio`: opened by the client right after connecting.
///
/// The stream stays open and silent. Open, it keeps grpc-go's channel from going idle; silent, because what is sent here
/// is shown as unexpected data.
pub(super) struct Stdio;

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    async fn stream_stdio(&self, _request: Request<()>) -> Result<Response<BoxStream<StdioData>>, Status> {
        Ok(Response::new(Box::pin(futures::stream::pending())))
    }
}

/// `plugin.GRPCBroker`: opened by the client right after connecting, never used for providers.
pub(super) struct Broker;

#[tonic::async_trait]
impl GrpcBroker for Broker {
    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<BoxStream<ConnInfo>>, Status> {
        // Reads what comes, answers nothing, and ends when the client ends its side.
        Ok(Response::new(Box::pin(request.into_inner().filter_map(|_| std::future::ready(None)))))
    }
}
