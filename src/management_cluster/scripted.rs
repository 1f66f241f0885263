//! An API server that follows a script, for tests: what it is asked, in which order, and what it answers.
//!
//! No socket and no thread of its own, so that paused time works. A request that the script does not expect is
//! answered with HTTP 599 and fails [`Scripted::finish`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};

use super::ManagementCluster;

/// One expected request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    method: Method,
    path: String,
    reply: Reply,
    /// The time that passes before it is answered.
    takes: Duration,
    /// May be asked any number of times, whenever no step of the order fits.
    always: bool,
}

#[derive(Clone, Debug)]
enum Reply {
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    Refused,
    Reset,
    Silence,
    Stream { lines: Vec<String>, ends: bool },
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
    /// Null for an empty body.
    pub(crate) body: Value,
}

/// A request for a path (one that ends with `*` is a beginning); what it is answered with is said by the methods of [`Step`].
pub(crate) fn on(method: Method, path: &str) -> Step {
    Step { method, path: path.to_owned(), reply: Reply::Silence, takes: Duration::ZERO, always: false }
}

impl Step {
    /// With a status and a JSON body.
    pub(crate) fn answers(self, status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { reply: Reply::Answer { status, headers, body: body.to_string().into_bytes() }, ..self }
    }

    /// With a status and a body that is no JSON.
    pub(crate) fn answers_text(self, status: u16, body: &str) -> Self {
        Self { reply: Reply::Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }, ..self }
    }

    /// One more header of the answer.
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Reply::Answer { headers, .. } = &mut self.reply {
            headers.push((name, value.to_owned()));
        }
        self
    }

    /// No connection is made.
    pub(crate) fn refused(self) -> Self {
        Self { reply: Reply::Refused, ..self }
    }

    /// The connection breaks after the request has arrived.
    pub(crate) fn reset(self) -> Self {
        Self { reply: Reply::Reset, ..self }
    }

    /// The request arrives and is never answered.
    pub(crate) fn unanswered(self) -> Self {
        Self { reply: Reply::Silence, ..self }
    }

    /// A watch that sends these events and stays open.
    pub(crate) fn streams(self, events: &[Value]) -> Self {
        let lines = events.iter().map(|event| format!("{event}\n")).collect();
        Self { reply: Reply::Stream { lines, ends: false }, ..self }
    }

    /// A watch that sends these events and ends.
    pub(crate) fn streams_and_ends(self, events: &[Value]) -> Self {
        let lines = events.iter().map(|event| format!("{event}\n")).collect();
        Self { reply: Reply::Stream { lines, ends: true }, ..self }
    }

    /// After so much time.
    pub(crate) fn after(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    /// Outside the order, any number of times.
    pub(crate) fn always(self) -> Self {
        Self { always: true, ..self }
    }

    /// Whether it is about a method.
    pub(crate) fn is(&self, method: &Method) -> bool {
        self.method == *method
    }

    fn fits(&self, asked: &Asked) -> bool {
        let path = self.path.strip_suffix('*');
        let there = path.map_or(self.path == asked.path, |beginning| asked.path.starts_with(beginning));
        self.method == asked.method && there
    }
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Step>,
    always: Vec<Step>,
    asked: Vec<Asked>,
    unexpected: Vec<String>,
}

/// The scripted API server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted(Arc<Mutex<State>>);

impl Scripted {
    /// An API server that expects these requests in this order.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let (always, script): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| step.always);
        Self(Arc::new(Mutex::new(State { script: script.into(), always, ..State::default() })))
    }

    /// The cluster that it is.
    pub(crate) fn cluster(&self) -> ManagementCluster {
        let this = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let this = this.clone();
            async move { this.answer(request).await }
        });
        ManagementCluster::from_client("mgmt.test:6443", kube::Client::new(service, "default"))
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// Fails the test if something else was asked than the script says, or less.
    #[track_caller]
    pub(crate) fn finish(&self) {
        let state = self.state();
        assert!(state.unexpected.is_empty(), "not in the script: {:#?}", state.unexpected);
        let left: Vec<String> = state.script.iter().map(|step| format!("{} {}", step.method, step.path)).collect();
        assert!(left.is_empty(), "never asked: {left:#?}");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<ReplyBody>, std::io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let asked = Asked {
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            content_type: header(http::header::CONTENT_TYPE),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        };
        let (takes, answer) = self.next(asked);
        tokio::time::sleep(takes).await;
        reply(answer).await
    }

    fn next(&self, asked: Asked) -> (Duration, Reply) {
        let mut state = self.state();
        let step = if state.script.front().is_some_and(|step| step.fits(&asked)) {
            state.script.pop_front()
        } else {
            state.always.iter().find(|step| step.fits(&asked)).cloned()
        };
        if step.is_none() {
            let expected = state.script.front().map(|step| format!("{} {}", step.method, step.path));
            let text = format!("{} {}?{} instead of {expected:?}", asked.method, asked.path, asked.query);
            state.unexpected.push(text);
        }
        state.asked.push(asked);
        let unknown = Reply::Answer { status: 599, headers: Vec::new(), body: b"not in the script".to_vec() };
        step.map_or((Duration::ZERO, unknown), |step| (step.takes, step.reply))
    }
}

type ReplyBody = UnsyncBoxBody<Bytes, Infallible>;

async fn reply(reply: Reply) -> Result<Response<ReplyBody>, std::io::Error> {
    match reply {
        Reply::Answer { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Full::new(Bytes::from(body)).boxed_unsync()).map_err(std::io::Error::other)
        }
        Reply::Refused => Err(std::io::ErrorKind::ConnectionRefused.into()),
        Reply::Reset => Err(std::io::ErrorKind::ConnectionReset.into()),
        Reply::Silence => std::future::pending().await,
        Reply::Stream { lines, ends } => {
            let sent = futures::stream::iter(lines.into_iter().map(|line| Ok(Frame::data(Bytes::from(line)))));
            let body = if ends {
                StreamBody::new(sent).boxed_unsync()
            } else {
                StreamBody::new(sent.chain(futures::stream::pending())).boxed_unsync()
            };
            Ok(Response::new(body))
        }
    }
}

/// The `Status` of a failure.
pub(crate) fn failure(code: u16, reason: &str, message: &str, details: &Value) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason, "message": message, "details": details})
}

/// The `Status` of an object that does not exist.
pub(crate) fn not_found(plural: &str, name: &str) -> Value {
    failure(404, "NotFound", &format!("{plural} {name:?} not found"), &json!({"name": name, "kind": plural}))
}

/// A TenantControlPlane in the namespace `tenants`, with a resource version and this spec.
pub(crate) fn tenant(name: &str, resource_version: &str, spec: &Value) -> Value {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": name, "namespace": "tenants", "uid": format!("uid-{name}"), "generation": 1,
            "resourceVersion": resource_version}, "spec": spec})
}

/// A list as the API server answers it, whole.
pub(crate) fn list_of(resource_version: &str, items: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": resource_version}, "items": items})
}

/// An event of a watch: `ADDED`, `MODIFIED`, `DELETED`.
pub(crate) fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}
