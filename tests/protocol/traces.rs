//! OpenTelemetry traces, as a collector gets them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use serde_json::Value as Json;
use tfplugin::Value;
use tfplugin::proto::otlp::any_value::Value as Attribute;
use tfplugin::proto::otlp::{ExportTraceServiceRequest, Span, span, status};
use tfplugin::proto::tfplugin6::get_metadata;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::api_server::ApiServer;
use crate::client::{Launch, PATIENCE, TIME_TO_KILL};
use crate::data_sources::{read, tenant};
use crate::interrupt::{start_as, stop};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const SECRET: &str = "planted-s3cret";

fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request that the collector got.
struct Got {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A collector that takes everything, or one that never answers.
struct Collector {
    url: String,
    got: mpsc::UnboundedReceiver<Got>,
}

impl Collector {
    async fn start(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, got) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let sender = sender.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let _ = sender.send(Got { path: head.uri.path().to_owned(), headers: head.headers, body });
                        if !answers {
                            std::future::pending::<()>().await;
                        }
                        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        Collector { url, got }
    }

    async fn next(&mut self) -> Got {
        tokio::time::timeout(PATIENCE, self.got.recv()).await.expect("a request").unwrap()
    }
}

/// Attributes as texts.
fn attributes(all: &[tfplugin::proto::otlp::KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Attribute| match value {
        Attribute::StringValue(text) => text.clone(),
        Attribute::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    all.iter()
        .map(|it| (it.key.clone(), it.value.as_ref().and_then(|it| it.value.as_ref()).map(text).unwrap_or_default()))
        .collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

fn lines(plugin: &mut crate::client::Plugin) -> Vec<Json> {
    plugin.process.drain_stderr().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn warnings(lines: &[Json]) -> Vec<&str> {
    lines.iter().filter(|line| line["@level"] == "warn").filter_map(|line| line["@message"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_waits_and_requests_arrive_below_the_parent_of_the_environment_and_without_secrets() {
    let (mut api, mut collector) = (ApiServer::start().await, Collector::start(true).await);
    let launch = Launch::as_plugin()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{SECRET}"))
        .env("OTEL_RESOURCE_ATTRIBUTES", "team=payments")
        .env("TRACEPARENT", traceparent())
        .env("KUBE_TOKEN", SECRET)
        .env("TF_LOG", "DEBUG");
    let (mut plugin, mut connection, schemas) = start_as(launch, &api).await;
    let one = schemas.data_source("kamaji_tenant_control_plane");
    let config = |object: &crate::objects::Object<'_>| object.write(&object.with(&[("id", "tenants/a".into())]));
    let reading = read(&connection, "kamaji_tenant_control_plane", config(&one));
    api.next().await.answer(200, &tenant("a"));
    reading.await.unwrap();
    let reading = read(&connection, "kamaji_tenant_control_plane", config(&one));
    api.next().await.not_found();
    reading.await.unwrap();
    let fleet = schemas.data_source("kamaji_tenants_ready");
    let ids = fleet.write(&fleet.with(&[("ids", Value::strings(["tenants/a"]))]));
    let reading = read(&connection, "kamaji_tenants_ready", ids);
    let _unanswered = api.next().await;
    stop(&mut connection).await;
    reading.await.unwrap();
    assert!(plugin.shut_down(&mut connection).await.success());

    let got = collector.next().await;
    assert_eq!(got.path, "/v1/traces");
    assert_eq!(got.headers["content-type"], "application/x-protobuf");
    assert_eq!(got.headers["authorization"], format!("Bearer {SECRET}"));
    assert!(!String::from_utf8_lossy(&got.body).contains(SECRET), "no secret is an attribute");
    let [sent] = &ExportTraceServiceRequest::decode(got.body).unwrap().resource_spans[..] else {
        panic!("one resource")
    };
    let resource = attributes(&sent.resource.as_ref().unwrap().attributes);
    assert_eq!(resource["service.name"], "terraform-provider-kamaji");
    assert_eq!(resource["team"], "payments");
    let spans = &sent.scope_spans[0].spans;
    for span in spans {
        assert_eq!(hex(&span.trace_id), TRACE);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0);
        if span.kind() == span::SpanKind::Server {
            assert_eq!(hex(&span.parent_span_id), PARENT, "{}", span.name);
        }
    }
    named(spans, "get_provider_schema");
    named(spans, "configure_provider");

    let reads: Vec<&Span> = spans.iter().filter(|span| span.name == "read_data_source").collect();
    let outcomes: Vec<_> = reads.iter().map(|span| span.status.as_ref().map(|it| it.message.as_str())).collect();
    assert_eq!(outcomes, [None, Some("Object does not exist"), Some("Interrupted while waiting")]);
    assert_eq!(attributes(&reads[0].attributes)["tf_data_source_type"], "kamaji_tenant_control_plane");

    let path = "/apis/kamaji.clastix.io/v1alpha1/namespaces/{namespace}/tenantcontrolplanes/{name}";
    let requests: Vec<&Span> = spans.iter().filter(|span| span.name == format!("GET {path}")).collect();
    for (request, (reading, status)) in requests.iter().zip([(reads[0], "200"), (reads[1], "404")]) {
        assert_eq!(request.parent_span_id, reading.span_id);
        assert_eq!(request.kind(), span::SpanKind::Client);
        let attributes = attributes(&request.attributes);
        assert_eq!((attributes["http.request.method"].as_str(), attributes["url.template"].as_str()), ("GET", path));
        assert_eq!(attributes["http.response.status_code"], status);
        let failed = request.status.as_ref().is_some_and(|it| it.code() == status::StatusCode::Error);
        assert_eq!(failed, status == "404");
    }
    let wait = named(spans, "wait");
    assert_eq!(wait.parent_span_id, reads[2].span_id);
    assert_eq!(attributes(&wait.attributes)["kind"], "TenantControlPlane");

    let lines = lines(&mut plugin);
    assert_eq!(warnings(&lines), [""; 0]);
    assert!(lines.iter().all(|line| !line.to_string().contains("otel.")), "what is for traces is not in the log");
}

/// What stderr says of a process with these variables that is asked once and ended, and how long the end took.
async fn asked_once(variables: &[(&str, &str)]) -> (Vec<Json>, Duration) {
    let launch = Launch::as_plugin().env("TF_LOG", "DEBUG");
    let mut plugin = variables.iter().fold(launch, |launch, (key, value)| launch.env(key, value)).start();
    let mut connection = plugin.connect().await;
    connection.provider.get_metadata(get_metadata::Request {}).await.unwrap();
    let begin = Instant::now();
    assert!(plugin.shut_down(&mut connection).await.success());
    let took = begin.elapsed();
    (lines(&mut plugin), took)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_does_not_hold_the_end() {
    let collector = Collector::start(false).await;
    let (lines, took) = asked_once(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]).await;
    assert!(took < TIME_TO_KILL, "{took:?}");
    let [warning] = &warnings(&lines)[..] else { panic!("one warning: {lines:#?}") };
    assert!(warning.contains(&collector.url) && warning.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{warning}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_is_one_warning() {
    // Nobody listens where somebody has listened.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}/v1/traces");
    let (lines, _) = asked_once(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint)]).await;
    let [warning] = &warnings(&lines)[..] else { panic!("one warning: {lines:#?}") };
    assert!(
        warning.contains(&endpoint) && warning.contains("refused") && warning.contains("The run goes on"),
        "{warning}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_environment_gets_wrong_is_named() {
    let (lines, _) = asked_once(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]).await;
    let [warning] = &warnings(&lines)[..] else { panic!("one warning: {lines:#?}") };
    assert!(warning.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT=\"collector:4318\" is no URL"), "{warning}");

    let mut collector = Collector::start(true).await;
    let (lines, _) =
        asked_once(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url), ("TRACEPARENT", "00-nonsense")]).await;
    let [warning] = &warnings(&lines)[..] else { panic!("one warning: {lines:#?}") };
    assert!(warning.starts_with("TRACEPARENT=\"00-nonsense\" is no W3C traceparent"), "{warning}");
    let sent = ExportTraceServiceRequest::decode(collector.next().await.body).unwrap();
    assert!(sent.resource_spans[0].scope_spans[0].spans[0].parent_span_id.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_traces_are_switched_off() {
    let mut collector = Collector::start(true).await;
    asked_once(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url), ("OTEL_SDK_DISABLED", "true")]).await;
    let parent = traceparent().replace("-01", "-00");
    asked_once(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url), ("TRACEPARENT", &parent)]).await;
    assert!(collector.got.try_recv().is_err());
}
