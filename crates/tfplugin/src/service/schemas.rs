//! `GetProviderSchema`, encoded object by object.
//!
//! Core asks once a process, so the answer is neither made as one message nor kept: each object is encoded by itself.
//! Concatenated protobuf messages are one message, whose maps hold all entries, so the parts are the answer.

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
use crate::proto::tfplugin6::get_provider_schema as wire;
use crate::proto::tfplugin6::provider_server::ProviderServer;
use crate::provider::Provider;
use crate::schema::wire::{embed, encode_schema};

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

    // Only a panic is one, which the log has.
    fn first_error(&self) -> Option<&str> {
        None
    }
}

/// Numbers of the maps of a [`wire::Response`].
const RESOURCES: u8 = 2;
const DATA_SOURCES: u8 = 3;
const EPHEMERAL_RESOURCES: u8 = 8;
const LIST_RESOURCES: u8 = 9;
const ACTIONS: u8 = 11;

/// The schemas of all objects.
fn encode(provider: &dyn Provider) -> Encoded {
    let functions = provider.functions().into_iter();
    let functions = functions.map(|function| (function.name().to_owned(), signature_to_proto(function.signature())));
    let rest = wire::Response {
        server_capabilities: Some(capabilities()),
        functions: functions.collect(),
        ..wire::Response::default()
    };
    let mut whole = rest.encode_to_vec();
    const PROVIDER: u8 = 1;
    embed(PROVIDER, &encode_schema(provider.schema()), &mut whole);
    let mut parts = vec![whole];
    let mut add = |map, name: &str, schema: &[u8]| parts.push(entry(map, name, schema));
    for resource in provider.resources() {
        add(RESOURCES, resource.type_name(), &encode_schema(resource.schema()));
    }
    for source in provider.data_sources() {
        add(DATA_SOURCES, source.type_name(), &encode_schema(source.schema()));
    }
    for ephemeral in provider.ephemeral_resources() {
        add(EPHEMERAL_RESOURCES, ephemeral.type_name(), &encode_schema(ephemeral.schema()));
    }
    for list in provider.list_resources() {
        add(LIST_RESOURCES, list.type_name(), &encode_schema(list.schema()));
    }
    for action in provider.actions() {
        const SCHEMA: u8 = 1;
        let mut message = Vec::new();
        embed(SCHEMA, &encode_schema(action.schema()), &mut message);
        add(ACTIONS, action.type_name(), &message);
    }
    Encoded(parts)
}

/// A map with one entry: messages that are put one after the other are one, whose map has all entries.
fn entry(map: u8, name: &str, message: &[u8]) -> Vec<u8> {
    const KEY: u8 = 1;
    const VALUE: u8 = 2;
    let mut content = Vec::with_capacity(message.len() + name.len() + 16);
    embed(KEY, name.as_bytes(), &mut content);
    embed(VALUE, message, &mut content);
    let mut entry = Vec::with_capacity(content.len() + 16);
    embed(map, &content, &mut entry);
    entry
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
