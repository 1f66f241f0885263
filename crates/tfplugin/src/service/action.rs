//! Actions.

use std::sync::Arc;

use futures::stream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;
use tonic::codegen::BoxStream;
use tracing::{Instrument as _, Span};

use super::guard::{Fallible as _, about, panicked, span};
use super::{Inner, dynamic};
use crate::action::{Action, Progress};
use crate::diagnostics::Diagnostics;
use crate::proto::tfplugin6 as wire;
use crate::proto::tfplugin6::invoke_action::Event;
use crate::proto::tfplugin6::invoke_action::event::{self, Completed};
use crate::resource::Context;

impl Inner {
    fn action(&self, type_name: &str) -> Result<&dyn Action, Diagnostics> {
        about("tf_action_type", type_name);
        let mut all = self.provider.actions().into_iter();
        all.find(|action| action.type_name() == type_name).ok_or_else(|| dynamic::unknown_type("action", type_name))
    }
}

pub(super) async fn validate_action_config(
    inner: Arc<Inner>,
    request: wire::validate_action_config::Request,
) -> wire::validate_action_config::Response {
    type Response = wire::validate_action_config::Response;
    let check = || {
        let action = inner.action(&request.type_name)?;
        dynamic::check(request.config.as_ref(), action.schema(), false, |config| action.validate(&config))
    };
    Response::failed(&check().unwrap_or_else(|diagnostics: Diagnostics| diagnostics))
}

pub(super) async fn plan_action(inner: Arc<Inner>, request: wire::plan_action::Request) -> wire::plan_action::Response {
    type Response = wire::plan_action::Response;
    let plan = async {
        let action = inner.action(&request.action_type)?;
        let config = dynamic::read_object("configuration", request.config.as_ref(), action.schema())?;
        let deferred = inner.deferral(request.client_capabilities);
        if deferred.is_some() {
            return Ok(Response { deferred, ..Response::default() });
        }
        Ok(Response::failed(&action.plan(&inner.context(), &config).await))
    };
    plan.await.unwrap_or_else(|diagnostics: Diagnostics| Response::failed(&diagnostics))
}

/// An action that runs, as the stream sees it. When the stream is dropped, the action is told to stop.
struct Running {
    messages: UnboundedReceiver<String>,
    task: JoinHandle<Diagnostics>,
    _stop: DropGuard,
}

/// Any number of messages, then what came of it, also after a panic: core takes a stream that just ends for an action
/// that was not finished.
pub(super) fn invoke_action(inner: Arc<Inner>, request: wire::invoke_action::Request) -> BoxStream<Event> {
    const RPC: &str = "invoke_action";
    let cx = inner.context();
    let stop = cx.stop.clone().drop_guard();
    let (sender, messages) = unbounded_channel();
    let span = span(RPC);
    let invoked = async move {
        #[cfg(debug_assertions)]
        super::guard::panic_if_told_to(RPC);
        let ended = invoke(&inner, &request, &cx, &Progress::new(sender)).await;
        let diagnostics = ended.unwrap_or_else(|diagnostics| diagnostics);
        super::guard::ended(&Span::current(), &Completed::failed(&diagnostics));
        diagnostics
    };
    let running = Running { messages, task: tokio::spawn(invoked.instrument(span)), _stop: stop };
    Box::pin(stream::unfold(Some(running), |running| async move {
        let mut running = running?;
        // The sender ends with the action.
        if let Some(message) = running.messages.recv().await {
            return Some((Ok(content(event::Type::Progress(event::Progress { message }))), Some(running)));
        }
        let diagnostics = running.task.await.unwrap_or_else(|error| panicked(RPC, error).into());
        Some((Ok(content(event::Type::Completed(Completed::failed(&diagnostics)))), None))
    }))
}

async fn invoke(
    inner: &Inner,
    request: &wire::invoke_action::Request,
    cx: &Context,
    progress: &Progress,
) -> Result<Diagnostics, Diagnostics> {
    let action = inner.action(&request.action_type)?;
    let config = dynamic::read_known("configuration", request.config.as_ref(), action.schema())?;
    Ok(action.invoke(cx, config, progress).await)
}

/// Core panics on an event without content.
fn content(content: event::Type) -> Event {
    Event { r#type: Some(content) }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use futures::StreamExt as _;

    use super::*;
    use crate::diagnostics::Diagnostic;
    use crate::provider::{Identity, Provider};
    use crate::resource::Resource;
    use crate::schema::{Schema, string};
    use crate::value::Value;

    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(0, "Waters a garden.", vec![string("what")]));

    /// What `what` says: `wait` waits until it is stopped, `panic` panics.
    #[derive(Default)]
    struct Water {
        stopped: Arc<AtomicBool>,
    }

    #[async_trait]
    impl Action for Water {
        fn type_name(&self) -> &'static str {
            "park_water"
        }

        fn schema(&self) -> &Schema {
            &SCHEMA
        }

        async fn plan(&self, _cx: &Context, _config: &Value) -> Diagnostics {
            Diagnostic::warning("Planned", "The plan was asked for.").into()
        }

        async fn invoke(&self, cx: &Context, config: Value, progress: &Progress) -> Diagnostics {
            progress.say("one");
            progress.say("two");
            match config.str_at("what") {
                Some("wait") => {
                    cx.stop.cancelled().await;
                    self.stopped.store(true, Ordering::SeqCst);
                    Diagnostic::error("Interrupted", "It was interrupted.").into()
                }
                Some("panic") => panic!("no water"),
                _ => Diagnostics::new(),
            }
        }
    }

    struct Park {
        water: Water,
        unknown: bool,
    }

    #[async_trait]
    impl Provider for Park {
        fn identity(&self) -> Identity {
            Identity { address: "registry.terraform.io/town/park", version: "1.0.0" }
        }

        fn schema(&self) -> &Schema {
            &SCHEMA
        }

        fn resources(&self) -> Vec<&dyn Resource> {
            Vec::new()
        }

        fn actions(&self) -> Vec<&dyn Action> {
            vec![&self.water]
        }

        fn is_partly_unknown(&self) -> bool {
            self.unknown
        }

        async fn configure(&self, _config: Value, _terraform_version: &str) -> Diagnostics {
            Diagnostics::new()
        }
    }

    fn park(unknown: bool) -> (Arc<Inner>, Arc<AtomicBool>) {
        let water = Water::default();
        let stopped = Arc::clone(&water.stopped);
        (Arc::new(Inner::new(Park { water, unknown })), stopped)
    }

    fn config(what: Value) -> Option<wire::DynamicValue> {
        Some(dynamic::write(&Value::object([("what", what)]), &SCHEMA))
    }

    fn invocation(what: Value) -> wire::invoke_action::Request {
        wire::invoke_action::Request {
            action_type: "park_water".to_owned(),
            config: config(what),
            ..wire::invoke_action::Request::default()
        }
    }

    /// The messages, and the summaries and details of the end.
    async fn told(events: BoxStream<Event>) -> (Vec<String>, Vec<String>) {
        let (mut said, mut ends) = (Vec::new(), Vec::new());
        for event in events.collect::<Vec<_>>().await {
            match event.expect("an event").r#type.expect("content") {
                event::Type::Progress(progress) => said.push(progress.message),
                event::Type::Completed(completed) => ends.push(completed.diagnostics),
            }
        }
        let [end] = ends.as_slice() else { panic!("{} ends", ends.len()) };
        (said, end.iter().map(|diagnostic| format!("{}: {}", diagnostic.summary, diagnostic.detail)).collect())
    }

    #[tokio::test]
    async fn an_action_says_what_it_does_and_ends_once() {
        let (said, end) = told(invoke_action(park(false).0, invocation("grass".into()))).await;
        assert_eq!((said, end), (vec!["one".to_owned(), "two".to_owned()], Vec::new()));
    }

    #[tokio::test]
    async fn a_panic_ends_the_action_after_what_it_said() {
        let (said, end) = told(invoke_action(park(false).0, invocation("panic".into()))).await;
        assert_eq!(said, ["one", "two"]);
        assert!(end.len() == 1 && end[0].contains("invoke_action panicked: no water"), "{end:?}");
    }

    #[tokio::test]
    async fn an_unknown_value_and_an_unknown_action_are_refused() {
        let (said, end) = told(invoke_action(park(false).0, invocation(Value::Unknown))).await;
        assert!(said.is_empty() && end[0].contains("unknown values"), "{said:?} {end:?}");
        let request = wire::invoke_action::Request { action_type: "park_mow".to_owned(), ..invocation("a".into()) };
        let (_, end) = told(invoke_action(park(false).0, request)).await;
        assert!(end[0].starts_with("Unknown action"), "{end:?}");
    }

    #[tokio::test]
    async fn an_interrupt_ends_the_action() {
        let (inner, stopped) = park(false);
        let mut events = invoke_action(Arc::clone(&inner), invocation("wait".into()));
        assert!(events.next().await.is_some());
        inner.stop_all();
        let (said, end) = told(events).await;
        assert_eq!((said, end), (vec!["two".to_owned()], vec!["Interrupted: It was interrupted.".to_owned()]));
        assert!(stopped.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_client_that_has_gone_ends_the_action() {
        let (inner, stopped) = park(false);
        let mut events = invoke_action(inner, invocation("wait".into()));
        assert!(events.next().await.is_some());
        drop(events);
        let stopping = async {
            while !stopped.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(1), stopping).await.expect("an end");
    }

    #[tokio::test]
    async fn a_plan_is_deferred_only_where_the_client_takes_it() {
        for (unknown, allowed, deferred) in [(true, true, true), (true, false, false), (false, true, false)] {
            let request = wire::plan_action::Request {
                action_type: "park_water".to_owned(),
                config: config(Value::Unknown),
                client_capabilities: Some(wire::ClientCapabilities {
                    deferral_allowed: allowed,
                    ..wire::ClientCapabilities::default()
                }),
            };
            let response = plan_action(park(unknown).0, request).await;
            let reason = response.deferred.map(|deferred| deferred.reason());
            assert_eq!(reason, deferred.then_some(wire::deferred::Reason::ProviderConfigUnknown));
            assert_eq!(response.diagnostics.is_empty(), deferred, "the action is asked where it is not deferred");
        }
    }
}
