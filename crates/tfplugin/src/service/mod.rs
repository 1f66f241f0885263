//! The RPCs: wire message → trait call → wire message, one file per family.
//!
//! Every call runs in a task of its own: a dropped connection does not cut it off, and a panic fails that call alone,
//! as a diagnostic (see [`guard`]).

mod action;
mod change;
mod data_source;
mod deferral;
mod dynamic;
mod ephemeral;
mod function;
mod guard;
mod identity;
mod list_resource;
mod managed;
mod not_offered;
mod provider;
mod schemas;
mod taken_over;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::proto::tfplugin6::provider_server::Provider as Rpc;
use crate::proto::tfplugin6::{self as wire};
use crate::provider::Provider;
use crate::resource::Context;
use crate::traces::Traces;
use guard::guarded;

/// The gRPC service of a provider.
#[derive(Clone)]
pub struct ProviderService(Arc<Inner>);

/// What all calls share.
pub(crate) struct Inner {
    provider: Box<dyn Provider>,
    /// Cancelled and replaced by `StopProvider`: calls that arrive later run normally.
    stop: Mutex<CancellationToken>,
    /// What the client said of itself when it configured the provider.
    client: Mutex<Option<wire::ClientCapabilities>>,
}

impl ProviderService {
    /// A service for this provider.
    pub fn new(provider: impl Provider) -> Self {
        Self(Arc::new(Inner::new(provider)))
    }

    /// Lets the provider say its last word about a process that has run for so long.
    pub(crate) fn ends(&self, run: Duration) {
        self.0.provider.ends(run);
    }

    /// Sends traces until `ended`, and then what is left.
    pub(crate) async fn send_traces(self, traces: Traces, ended: CancellationToken) {
        traces.send(&*self.0.provider, ended).await;
    }

    /// What answers the calls of a client, with messages of at most so many bytes both ways.
    pub(crate) fn into_server(self, largest_message: usize) -> schemas::Served {
        schemas::Served::new(self, largest_message)
    }
}

impl Inner {
    fn new(provider: impl Provider) -> Self {
        Self { provider: Box::new(provider), stop: Mutex::default(), client: Mutex::default() }
    }

    fn context(&self) -> Context {
        Context { stop: self.stop.lock().unwrap_or_else(PoisonError::into_inner).child_token() }
    }

    fn client(&self) -> MutexGuard<'_, Option<wire::ClientCapabilities>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_all(&self) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *stop).cancel();
    }
}

/// Writes the RPCs that differ only in their names.
macro_rules! calls {
    ($($rpc:ident in $module:ident),* $(,)?) => {
        #[tonic::async_trait]
        impl Rpc for ProviderService {
            $(async fn $rpc(
                &self,
                request: Request<wire::$rpc::Request>,
            ) -> Result<Response<wire::$rpc::Response>, Status> {
                let (inner, request) = (Arc::clone(&self.0), request.into_inner());
                guarded(stringify!($rpc), $module::$rpc(inner, request)).await
            })*

            async fn apply_resource_change(
                &self,
                request: Request<wire::apply_resource_change::Request>,
            ) -> Result<Response<wire::apply_resource_change::Response>, Status> {
                change::apply_resource_change(Arc::clone(&self.0), request.into_inner()).await
            }

            async fn validate_state_store_config(
                &self,
                request: Request<wire::validate_state_store::Request>,
            ) -> Result<Response<wire::validate_state_store::Response>, Status> {
                Ok(Response::new(not_offered::validate_state_store_config(&request.into_inner())))
            }

            async fn list_resource(
                &self,
                request: Request<wire::list_resource::Request>,
            ) -> Result<Response<BoxStream<wire::list_resource::Event>>, Status> {
                Ok(Response::new(list_resource::list_resource(Arc::clone(&self.0), request.into_inner())))
            }

            async fn invoke_action(
                &self,
                request: Request<wire::invoke_action::Request>,
            ) -> Result<Response<BoxStream<wire::invoke_action::Event>>, Status> {
                Ok(Response::new(action::invoke_action(Arc::clone(&self.0), request.into_inner())))
            }

            async fn read_state_bytes(
                &self,
                request: Request<wire::read_state_bytes::Request>,
            ) -> Result<Response<BoxStream<wire::read_state_bytes::Response>>, Status> {
                Ok(Response::new(not_offered::read_state_bytes(&request.into_inner())))
            }

            async fn write_state_bytes(
                &self,
                request: Request<Streaming<wire::write_state_bytes::RequestChunk>>,
            ) -> Result<Response<wire::write_state_bytes::Response>, Status> {
                not_offered::write_state_bytes(request.into_inner()).await.map(Response::new)
            }
        }
    };
}

calls! {
    get_metadata in provider,
    validate_provider_config in provider,
    configure_provider in provider,
    stop_provider in provider,
    get_resource_identity_schemas in identity,
    validate_resource_config in managed,
    upgrade_resource_state in managed,
    upgrade_resource_identity in identity,
    read_resource in managed,
    import_resource_state in taken_over,
    move_resource_state in taken_over,
    generate_resource_config in taken_over,
    plan_resource_change in change,
    validate_data_resource_config in data_source,
    read_data_source in data_source,
    validate_ephemeral_resource_config in ephemeral,
    open_ephemeral_resource in ephemeral,
    renew_ephemeral_resource in ephemeral,
    close_ephemeral_resource in ephemeral,
    validate_list_resource_config in list_resource,
    get_functions in function,
    call_function in function,
    configure_state_store in not_offered,
    lock_state in not_offered,
    unlock_state in not_offered,
    get_states in not_offered,
    delete_state in not_offered,
    plan_action in action,
    validate_action_config in action,
}
