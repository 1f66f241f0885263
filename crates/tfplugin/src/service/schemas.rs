//! `GetProviderSchema`, encoded without a message in between.
//!
//! Core asks once a process, so the answer is not kept.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use prost::Message as _;
use prost::bytes::{BufMut as _, Bytes};
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
use crate::backwards::Backwards;
use crate::diagnostics::Diagnostics;
use crate::function::wire::signature_to_proto;
use crate::proto::tfplugin6::get_provider_schema as wire;
use crate::proto::tfplugin6::provider_server::ProviderServer;
use crate::provider::Provider;
use crate::schema::Schema;
use crate::schema::wire::write_schema;

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
        let mut grpc = Grpc::new(AsEncoded).max_encoding_message_size(self.largest_message);
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

/// A [`wire::Response`] in bytes.
#[derive(Default)]
struct Encoded(Bytes);

impl Fallible for Encoded {
    fn failed(diagnostics: &Diagnostics) -> Self {
        Self(wire::Response::failed(diagnostics).encode_to_vec().into())
    }

    // Only a panic is one, which the log has.
    fn first_error(&self) -> Option<&str> {
        None
    }
}

/// Numbers of the schemas of a [`wire::Response`]: the provider's own, and the maps.
const PROVIDER: u8 = 1;
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
    let mut whole = Backwards::new();
    for action in provider.actions() {
        const SCHEMA: u8 = 1;
        write_entry(ACTIONS, action.type_name(), &mut whole, |value| {
            value.message(SCHEMA, |schema| write_schema(action.schema(), schema));
        });
    }
    let mut add = |map, name: &str, schema: &Schema| {
        write_entry(map, name, &mut whole, |value| write_schema(schema, value));
    };
    for resource in provider.resources() {
        add(RESOURCES, resource.type_name(), resource.schema());
    }
    for source in provider.data_sources() {
        add(DATA_SOURCES, source.type_name(), source.schema());
    }
    for ephemeral in provider.ephemeral_resources() {
        add(EPHEMERAL_RESOURCES, ephemeral.type_name(), ephemeral.schema());
    }
    for list in provider.list_resources() {
        add(LIST_RESOURCES, list.type_name(), list.schema());
    }
    whole.message(PROVIDER, |schema| write_schema(provider.schema(), schema));
    whole.fields(&rest);
    Encoded(whole.into_bytes())
}

/// An entry of a map.
fn write_entry(map: u8, name: &str, whole: &mut Backwards, value: impl FnOnce(&mut Backwards)) {
    const KEY: u8 = 1;
    const VALUE: u8 = 2;
    whole.message(map, |entry| {
        entry.message(VALUE, value);
        entry.text(KEY, name.as_bytes());
    });
}

/// Writes the bytes as they are, and reads the request as the generated server does.
struct AsEncoded;

impl Codec for AsEncoded {
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

impl Encoder for AsEncoded {
    type Item = Encoded;
    type Error = Status;

    fn encode(&mut self, Encoded(bytes): Encoded, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(bytes);
        Ok(())
    }
}
