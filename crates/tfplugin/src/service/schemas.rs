//! `GetProviderSchema`, encoded object by object.
//!
//! A table of a thousand attributes is many thousand strings as a message. Core asks once a process, so the answer is
//! neither made as one message nor kept: each object is encoded by itself and its message dropped. Concatenated protobuf
//! messages are one message, whose maps hold all entries, so the parts are the answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use prost::Message as _;
use prost::bytes::BufMut as _;
use tonic::body::Body;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstDecoder;

use super::guard::{Fallible, guarded};
use super::provider::capabilities;
use super::{Inner, ProviderService};
use crate::diagnostics::Diagnostics;
use crate::function::wire::signature_to_proto;
use crate::proto::tfplugin6;
use crate::proto::tfplugin6::get_provider_schema as wire;
use crate::proto::tfplugin6::provider_server::ProviderServer;
use crate::provider::Provider;
use crate::schema::wire::schema_to_proto;

/// The path of the call that is answered here.
const PATH: &str = "/tfplugin6.Provider/GetProviderSchema";

/// The generated server, but for the call that answers with bytes.
#[derive(Clone)]
pub(crate) struct Served {
    service: ProviderService,
    others: ProviderServer<ProviderService>,
    largest_message: usize,
}

impl Served {
    /// Serves all calls of `service`, with messages of at most so many bytes both ways.
    pub(super) fn new(service: ProviderService, largest_message: usize) -> Self {
        let others = ProviderServer::new(service.clone())
            .max_decoding_message_size(largest_message)
            .max_encoding_message_size(largest_message);
        Self { service, others, largest_message }
    }
}

impl NamedService for Served {
    const NAME: &'static str = <ProviderServer<ProviderService> as NamedService>::NAME;
}

impl Service<http::Request<Body>> for Served {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        <ProviderServer<ProviderService> as Service<http::Request<Body>>>::poll_ready(&mut self.others, context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return self.others.call(request);
        }
        let schemas = Schemas(Arc::clone(&self.service.0));
        let mut grpc = Grpc::new(Parts).max_encoding_message_size(self.largest_message);
        Box::pin(async move { Ok(grpc.unary(schemas, request).await) })
    }
}

/// The call.
struct Schemas(Arc<Inner>);

impl UnaryService<wire::Request> for Schemas {
    type Response = Encoded;
    type Future = BoxFuture<'static, Result<Response<Encoded>, Status>>;

    fn call(&mut self, _request: Request<wire::Request>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(guarded("get_provider_schema", async move { encode(&*inner.provider) }))
    }
}

/// A [`wire::Response`] in bytes, in parts.
#[derive(Default)]
struct Encoded(Vec<Vec<u8>>);

impl Fallible for Encoded {
    fn failed(diagnostics: &Diagnostics) -> Self {
        Self(vec![wire::Response::failed(diagnostics).encode_to_vec()])
    }
}

/// The schemas of all objects.
fn encode(provider: &dyn Provider) -> Encoded {
    let whole = wire::Response {
        provider: Some(schema_to_proto(provider.schema())),
        server_capabilities: Some(capabilities()),
        ..wire::Response::default()
    };
    let mut parts = vec![whole.encode_to_vec()];
    parts.extend(provider.resources().iter().map(|resource| {
        let resource_schemas = [(resource.type_name().to_owned(), schema_to_proto(resource.schema()))].into();
        wire::Response { resource_schemas, ..wire::Response::default() }.encode_to_vec()
    }));
    parts.extend(provider.data_sources().iter().map(|source| {
        let data_source_schemas = [(source.type_name().to_owned(), schema_to_proto(source.schema()))].into();
        wire::Response { data_source_schemas, ..wire::Response::default() }.encode_to_vec()
    }));
    parts.extend(provider.ephemeral_resources().iter().map(|ephemeral| {
        let ephemeral_resource_schemas =
            [(ephemeral.type_name().to_owned(), schema_to_proto(ephemeral.schema()))].into();
        wire::Response { ephemeral_resource_schemas, ..wire::Response::default() }.encode_to_vec()
    }));
    parts.extend(provider.list_resources().iter().map(|list| {
        let list_resource_schemas = [(list.type_name().to_owned(), schema_to_proto(list.schema()))].into();
        wire::Response { list_resource_schemas, ..wire::Response::default() }.encode_to_vec()
    }));
    parts.extend(provider.functions().iter().map(|function| {
        let functions = [(function.name().to_owned(), signature_to_proto(function.signature()))].into();
        wire::Response { functions, ..wire::Response::default() }.encode_to_vec()
    }));
    parts.extend(provider.actions().iter().map(|action| {
        let schema = tfplugin6::ActionSchema { schema: Some(schema_to_proto(action.schema())) };
        let action_schemas = [(action.type_name().to_owned(), schema)].into();
        wire::Response { action_schemas, ..wire::Response::default() }.encode_to_vec()
    }));
    Encoded(parts)
}

/// Writes the parts as they are, and reads the request as the generated server does.
struct Parts;

impl Codec for Parts {
    type Encode = Encoded;
    type Decode = wire::Request;
    type Encoder = Self;
    type Decoder = ProstDecoder<wire::Request>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

impl Encoder for Parts {
    type Item = Encoded;
    type Error = Status;

    fn encode(&mut self, Encoded(parts): Encoded, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(parts.iter().map(Vec::len).sum());
        // Each part is dropped once it is copied.
        parts.into_iter().for_each(|part| buffer.put_slice(&part));
        Ok(())
    }
}
