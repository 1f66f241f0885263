//! Kinds of objects that the framework does not offer: state stores. Core asks only for what the schemas
//! announce, so these answers are seen by other clients alone: the right empty answer, or one clear diagnostic.

use std::sync::Arc;

use futures::stream;
use tonic::codegen::BoxStream;
use tonic::{Status, Streaming};

use super::Inner;
use super::guard::Fallible;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::proto::tfplugin6 as wire;

fn not_offered(what: &str, name: &str) -> Diagnostics {
    Diagnostic::error(
        format!("No {what} offered"),
        format!("This version of the provider offers no {what}, so not {name:?} either."),
    )
    .into()
}

/// One event, then the end of the stream.
fn single<T: Send + 'static>(event: T) -> BoxStream<T> {
    Box::pin(stream::iter([Ok(event)]))
}

macro_rules! refused {
    ($($rpc:ident: $what:literal, $field:ident;)*) => {
        $(pub(super) async fn $rpc(_inner: Arc<Inner>, request: wire::$rpc::Request) -> wire::$rpc::Response {
            Fallible::failed(&not_offered($what, &request.$field))
        })*
    };
}

refused! {
    configure_state_store: "state stores", type_name;
    lock_state: "state stores", type_name;
    unlock_state: "state stores", type_name;
    get_states: "state stores", type_name;
    delete_state: "state stores", type_name;
}

pub(super) fn validate_state_store_config(
    request: &wire::validate_state_store::Request,
) -> wire::validate_state_store::Response {
    Fallible::failed(&not_offered("state stores", &request.type_name))
}

pub(super) fn read_state_bytes(
    request: &wire::read_state_bytes::Request,
) -> BoxStream<wire::read_state_bytes::Response> {
    let mut response = wire::read_state_bytes::Response::failed(&not_offered("state stores", &request.type_name));
    // Core dereferences the range of every chunk.
    response.range = Some(wire::StateRange::default());
    single(response)
}

/// Reads to the end before it answers, so that the client can finish sending.
pub(super) async fn write_state_bytes(
    mut chunks: Streaming<wire::write_state_bytes::RequestChunk>,
) -> Result<wire::write_state_bytes::Response, Status> {
    let mut name = String::new();
    while let Some(chunk) = chunks.message().await? {
        if let Some(meta) = chunk.meta {
            name = meta.type_name;
        }
    }
    Ok(Fallible::failed(&not_offered("state stores", &name)))
}
