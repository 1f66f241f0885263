//! A task per call, and panics as diagnostics.
//!
//! A panic that unwinds through tonic's connection task would fail every call in flight on that connection, and a
//! transport error instead of a response loses new objects from the state (protocol, `ApplyResourceChange`).

use tokio::task::JoinError;
use tonic::{Response, Status};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::diagnostics::{Diagnostic, Diagnostics, shortened};
use crate::proto::tfplugin6 as wire;

/// A response that can say what went wrong.
pub(super) trait Fallible: Default + Send + 'static {
    /// The empty response with these diagnostics.
    fn failed(diagnostics: &Diagnostics) -> Self;

    /// The headline of the first error in it.
    fn first_error(&self) -> Option<&str>;
}

/// The span of a call, for the log and for traces. What the call is about is recorded when it is found out.
pub(super) fn span(rpc: &'static str) -> Span {
    tracing::debug_span!(
        "rpc",
        otel.name = rpc,
        otel.kind = "server",
        otel.status_message = Empty,
        tf_rpc = rpc,
        tf_resource_type = Empty,
        tf_data_source_type = Empty,
        tf_ephemeral_resource_type = Empty,
        tf_list_resource_type = Empty,
        tf_action_type = Empty,
        tf_function = Empty,
    )
}

/// Takes down in the span of the call that runs what it is about.
pub(super) fn about(field: &'static str, name: &str) {
    Span::current().record(field, name);
}

/// Takes down what came of a call.
pub(super) fn ended<T: Fallible>(span: &Span, response: &T) {
    if let Some(error) = response.first_error() {
        span.record("otel.status_message", error);
    }
}

/// The headline of the first error among these.
pub(super) fn first_error(diagnostics: &[wire::Diagnostic]) -> Option<&str> {
    let mut all = diagnostics.iter();
    all.find(|it| it.severity() == wire::diagnostic::Severity::Error).map(|it| it.summary.as_str())
}

/// Runs a call in a task of its own; a panic becomes the response with one diagnostic.
pub(super) async fn guarded<T: Fallible>(
    rpc: &'static str,
    call: impl Future<Output = T> + Send + 'static,
) -> Result<Response<T>, Status> {
    let span = span(rpc);
    let call = async move {
        #[cfg(debug_assertions)]
        panic_if_told_to(rpc);
        call.await
    };
    let response = match tokio::spawn(call.instrument(span.clone())).await {
        Ok(response) => response,
        Err(error) => T::failed(&panicked(rpc, error).into()),
    };
    ended(&span, &response);
    Ok(Response::new(response))
}

/// Lets the protocol tests see a panic inside a call of the built binary. Release builds do not have it.
#[cfg(debug_assertions)]
pub(super) fn panic_if_told_to(rpc: &str) {
    assert!(std::env::var("TFPLUGIN_PANIC_IN").as_deref() != Ok(rpc), "told to panic in {rpc}");
}

/// The diagnostic for a call that did not end by itself.
pub(super) fn panicked(rpc: &str, error: JoinError) -> Diagnostic {
    let text = match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned()),
        Err(error) => error.to_string(),
    };
    tracing::error!(tf_rpc = rpc, panic = text, "the provider panicked");
    Diagnostic::error(
        "The provider failed unexpectedly",
        format!(
            "This is a bug in the provider: {rpc} panicked: {text}\n\nOther resources are not affected. Please report \
             it with the output of a run with TF_LOG=DEBUG."
        ),
    )
}

macro_rules! fallible {
    ($($response:ty),* $(,)?) => {
        $(impl Fallible for $response {
            #[allow(clippy::needless_update)] // some of the responses have no other field
            fn failed(diagnostics: &Diagnostics) -> Self {
                Self { diagnostics: diagnostics.to_proto(), ..Self::default() }
            }

            fn first_error(&self) -> Option<&str> {
                first_error(&self.diagnostics)
            }
        })*
    };
}

fallible! {
    wire::get_metadata::Response,
    wire::get_provider_schema::Response,
    wire::validate_provider_config::Response,
    wire::configure_provider::Response,
    wire::get_resource_identity_schemas::Response,
    wire::validate_resource_config::Response,
    wire::upgrade_resource_state::Response,
    wire::upgrade_resource_identity::Response,
    wire::read_resource::Response,
    wire::import_resource_state::Response,
    wire::move_resource_state::Response,
    wire::generate_resource_config::Response,
    wire::plan_resource_change::Response,
    wire::apply_resource_change::Response,
    wire::validate_data_resource_config::Response,
    wire::read_data_source::Response,
    wire::validate_ephemeral_resource_config::Response,
    wire::open_ephemeral_resource::Response,
    wire::renew_ephemeral_resource::Response,
    wire::close_ephemeral_resource::Response,
    wire::validate_list_resource_config::Response,
    wire::get_functions::Response,
    wire::validate_state_store::Response,
    wire::lock_state::Response,
    wire::unlock_state::Response,
    wire::get_states::Response,
    wire::delete_state::Response,
    wire::plan_action::Response,
    wire::validate_action_config::Response,
    wire::read_state_bytes::Response,
    wire::write_state_bytes::Response,
    wire::invoke_action::event::Completed,
}

impl Fallible for wire::stop_provider::Response {
    fn failed(diagnostics: &Diagnostics) -> Self {
        Self { error: text(diagnostics) }
    }

    fn first_error(&self) -> Option<&str> {
        (!self.error.is_empty()).then_some("not stopped")
    }
}

impl Fallible for wire::call_function::Response {
    fn failed(diagnostics: &Diagnostics) -> Self {
        Self {
            error: Some(wire::FunctionError { text: text(diagnostics), function_argument: None }),
            ..Self::default()
        }
    }

    // The text may hold an argument.
    fn first_error(&self) -> Option<&str> {
        self.error.as_ref().map(|_| "the function failed")
    }
}

impl Fallible for wire::configure_state_store::Response {
    fn failed(diagnostics: &Diagnostics) -> Self {
        // Core dereferences the capabilities even of a failed response.
        let capabilities = Some(wire::StateStoreServerCapabilities { chunk_size: 8 << 20 });
        Self { diagnostics: diagnostics.to_proto(), capabilities }
    }

    fn first_error(&self) -> Option<&str> {
        first_error(&self.diagnostics)
    }
}

/// The details alone, for the responses that carry no diagnostics.
fn text(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|diagnostic| shortened(&diagnostic.detail)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_one_diagnostic_with_its_text() {
        let call = async { panic!("no such {}", "thing") };
        let response = guarded::<wire::read_resource::Response>("read_resource", call).await.expect("a response");
        let diagnostics = response.into_inner().diagnostics;
        assert_eq!(diagnostics.len(), 1);
        assert!(diagnostics[0].detail.contains("read_resource panicked: no such thing"), "{:?}", diagnostics[0]);
    }
}
