//! What this process asks of API servers, counted for one line of the log at its end.
//!
//! The counters are the process's, not a client's: a run has one management cluster and makes clients of tenants as it
//! comes to them. On the way of a request there are atomic additions and nothing else.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::Map;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use http_body_util::combinators::MapFrame;
use kube::client::Body;
use tokio::time::Instant;
use tower::{Layer, Service};
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Span};

/// Whose API is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The management cluster's.
    ManagementCluster,
    /// That of a tenant.
    Tenant,
}

static TRAFFIC: Traffic = Traffic::new();

/// Counters from zero.
struct Traffic {
    management_clusters: Asked,
    tenants: Asked,
    sent: AtomicU64,
    received: AtomicU64,
    repeated: AtomicU64,
    waited_ms: AtomicU64,
}

/// The API servers of one sort.
struct Asked {
    /// `host:port`; taken down when a client is made, not for each request.
    hosts: Mutex<BTreeSet<String>>,
    requests: AtomicU64,
}

impl Asked {
    const fn new() -> Self {
        Self { hosts: Mutex::new(BTreeSet::new()), requests: AtomicU64::new(0) }
    }

    fn hosts(&self) -> usize {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Traffic {
    const fn new() -> Self {
        Self {
            management_clusters: Asked::new(),
            tenants: Asked::new(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            waited_ms: AtomicU64::new(0),
        }
    }

    fn asked(&self, whose: Whose) -> &Asked {
        match whose {
            Whose::ManagementCluster => &self.management_clusters,
            Whose::Tenant => &self.tenants,
        }
    }
}

/// A request is sent once more.
pub(super) fn repeated() {
    add(&TRAFFIC.repeated, 1);
}

/// Writes the line about a process that has run for so long; none if nothing was asked.
pub fn log_summary(run: Duration) {
    let (management, tenants) = (&TRAFFIC.management_clusters, &TRAFFIC.tenants);
    let (to_management, to_tenants) = (read(&management.requests), read(&tenants.requests));
    let requests = to_management + to_tenants;
    if requests == 0 {
        return;
    }
    tracing::debug!(
        requests,
        requests_to_management_cluster = to_management,
        requests_to_tenants = to_tenants,
        requests_repeated = read(&TRAFFIC.repeated),
        management_clusters = management.hosts(),
        tenants = tenants.hosts(),
        sent_bytes = read(&TRAFFIC.sent),
        received_bytes = read(&TRAFFIC.received),
        waited_ms = read(&TRAFFIC.waited_ms),
        run_ms = millis(run),
        "summary: what this run asked of API servers"
    );
}

/// A wait that is under way, counted when it is dropped. Waits that go on at the same time add up.
pub(super) struct Waiting(Instant);

impl Waiting {
    /// Begins one.
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        add(&TRAFFIC.waited_ms, millis(self.0.elapsed()));
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Counts what a client sends and receives: reads, writes and watches alike.
#[derive(Clone, Debug)]
pub(super) struct Counting {
    /// Whose API it is.
    pub(super) whose: Whose,
    /// Its `host:port`.
    pub(super) host: String,
}

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        let mut hosts = TRAFFIC.asked(self.whose).hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(self.host.clone());
        Counted { inner, asked: self.clone() }
    }
}

/// A client whose requests are counted.
pub(super) struct Counted<S> {
    inner: S,
    asked: Counting,
}

/// A body whose bytes are counted as they come: those of a watch come for as long as it lasts.
type CountedBody<B> = MapFrame<B, fn(Frame<Bytes>) -> Frame<Bytes>>;

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes>,
{
    type Response = Response<CountedBody<B>>;
    type Error = S::Error;
    type Future = Instrumented<Map<S::Future, Answered<B, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        add(&TRAFFIC.asked(self.asked.whose).requests, 1);
        add(&TRAFFIC.sent, request.body().size_hint().exact().unwrap_or_default());
        let span = tracing::debug_span!(
            "request",
            otel.name = format_args!("{} {}", request.method(), template(request.uri().path())),
            otel.kind = "client",
            otel.status_message = Empty,
            "http.request.method" = request.method().as_str(),
            "url.template" = template(request.uri().path()),
            "server.address" = self.asked.host,
            "http.response.status_code" = Empty,
        );
        let answered: Answered<B, S::Error> = answered;
        self.inner.call(request).map(answered).instrument(span)
    }
}

type Answered<B, E> = fn(Result<Response<B>, E>) -> Result<Response<CountedBody<B>>, E>;

/// Runs in the span of the request.
fn answered<B, E>(answer: Result<Response<B>, E>) -> Result<Response<CountedBody<B>>, E>
where
    B: http_body::Body<Data = Bytes>,
{
    let span = Span::current();
    match &answer {
        Ok(response) => {
            let status = response.status();
            span.record("http.response.status_code", status.as_u16());
            if status.is_client_error() || status.is_server_error() {
                span.record("otel.status_message", status.canonical_reason().unwrap_or("refused"));
            }
        }
        Err(_) => {
            span.record("otel.status_message", "no answer");
        }
    }
    answer.map(|response| response.map(|body| body.map_frame(received as _)))
}

/// The path of a request with the names of objects left out: `/api/v1/namespaces/{namespace}/secrets/{name}`.
fn template(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    // `/api/VERSION/…` or `/apis/GROUP/VERSION/…`
    let start = match parts.get(1) {
        Some(&"api") => 3,
        Some(&"apis") => 4,
        _ => return path.to_owned(),
    };
    let (head, mut rest) = parts.split_at(start.min(parts.len()));
    let mut template = head.join("/");
    if let ["namespaces", _, _, ..] = rest {
        template.push_str("/namespaces/{namespace}");
        rest = &rest[2..];
    }
    for (at, part) in rest.iter().enumerate() {
        template.push('/');
        template.push_str(if at == 1 { "{name}" } else { part });
    }
    template
}

fn received(frame: Frame<Bytes>) -> Frame<Bytes> {
    add(&TRAFFIC.received, frame.data_ref().map_or(0, |data| data.len() as u64));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("/api/v1/namespaces/kube-system", "/api/v1/namespaces/{name}")]
    #[case("/api/v1/namespaces/a/pods/b/log", "/api/v1/namespaces/{namespace}/pods/{name}/log")]
    #[case("/api/v1/nodes/a/status", "/api/v1/nodes/{name}/status")]
    #[case(
        "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes",
        "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes"
    )]
    #[case(
        "/apis/kamaji.clastix.io/v1alpha1/namespaces/a/tenantcontrolplanes/b",
        "/apis/kamaji.clastix.io/v1alpha1/namespaces/{namespace}/tenantcontrolplanes/{name}"
    )]
    #[case("/readyz", "/readyz")]
    #[case("/apis", "/apis")]
    #[case("", "")]
    fn a_template_has_no_names_of_objects(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(template(path), expected);
    }
}
