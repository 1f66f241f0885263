//! The verbs against a scripted API server.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::management_cluster::scripted::{Scripted, failure, list_of, not_found, on, tenant};

const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes";
const TENANT_A: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes/a";

fn a() -> ObjectRef {
    ObjectRef::namespaced(Kind::TenantControlPlane, "tenants", "a")
}

fn operation(seconds: u64) -> Operation {
    Operation::new(Duration::from_secs(seconds), &CancellationToken::new())
}

fn options() -> ApplyOptions {
    ApplyOptions { field_manager: "terraform-provider-kamaji".into(), force: false, dry_run: false }
}

fn unavailable(message: &str) -> Value {
    failure(503, "ServiceUnavailable", message, &json!({}))
}

#[tokio::test(start_paused = true)]
async fn a_get_answers_the_object_with_its_numbers() {
    let api = Scripted::new([on(Method::GET, TENANT_A).answers(200, &tenant("a", "7", &json!({"replicas": 2})))]);
    let object = api.cluster().get(&operation(10), &a()).await.expect("an answer").expect("an object");
    assert_eq!(object.data.pointer("/spec/replicas").and_then(Value::as_i64), Some(2));
    assert_eq!(object.metadata.generation, Some(1));
    assert_eq!(object.metadata.resource_version.as_deref(), Some("7"));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn only_a_real_not_found_is_none() {
    let api = Scripted::new([
        on(Method::GET, TENANT_A).answers(404, &not_found("tenantcontrolplanes", "a")),
        on(Method::GET, TENANT_A).answers_text(404, "404 page not found\n"),
    ]);
    assert!(matches!(api.cluster().get(&operation(10), &a()).await, Ok(None)));
    let missing = api.cluster().get(&operation(10), &a()).await.expect_err("no such API");
    assert_eq!(missing, ApiError::NoSuchApi { kind: Kind::TenantControlPlane });
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_apply_is_strict_names_its_manager_and_completes_the_manifest() {
    let written = tenant("a", "8", &json!({}));
    let api = Scripted::new([on(Method::PATCH, TENANT_A)
        .answers(200, &written)
        .with_header("warning", "299 - \"spec.x is deprecated\"")
        .with_header("warning", "299 - \"spec.y too\"")]);
    let force = ApplyOptions { force: true, dry_run: true, ..options() };
    let written = api.cluster().apply(&operation(10), &a(), &json!({"spec": {}}), &force).await.expect("applied");
    assert_eq!(written.warnings, ["spec.x is deprecated", "spec.y too"]);
    let asked = api.asked().remove(0);
    assert_eq!(asked.content_type, "application/apply-patch+yaml");
    for parameter in ["fieldManager=terraform-provider-kamaji", "force=true", "dryRun=All", "fieldValidation=Strict"] {
        assert!(asked.query.split('&').any(|own| own == parameter), "{parameter} in {}", asked.query);
    }
    let expected = json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "a", "namespace": "tenants"}, "spec": {}});
    assert_eq!(asked.body, expected);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_apply_is_sent_again_after_a_lost_answer_a_throttle_and_an_unavailable_server() {
    let api = Scripted::new([
        on(Method::PATCH, TENANT_A).refused(),
        on(Method::PATCH, TENANT_A).reset(),
        on(Method::PATCH, TENANT_A).answers_text(502, "<html>bad gateway</html>"),
        on(Method::PATCH, TENANT_A).answers(503, &unavailable("starting")),
        on(Method::PATCH, TENANT_A).answers(504, &failure(504, "Timeout", "slow", &json!({}))),
        on(Method::PATCH, TENANT_A).answers_text(429, "too many").with_header("retry-after", "7"),
        on(Method::PATCH, TENANT_A).answers(200, &tenant("a", "1", &json!({}))),
    ]);
    let started = Instant::now();
    api.cluster().apply(&operation(60), &a(), &json!({}), &options()).await.expect("applied");
    assert!(started.elapsed() >= Duration::from_secs(7), "Retry-After is honoured: {:?}", started.elapsed());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_apply_with_a_resource_version_is_not_sent_again_after_a_lost_answer() {
    let api = Scripted::new([on(Method::PATCH, TENANT_A).reset()]);
    let manifest = json!({"metadata": {"resourceVersion": "7"}});
    let lost = api.cluster().apply(&operation(60), &a(), &manifest, &options()).await.expect_err("lost");
    assert!(matches!(lost, ApiError::Unreachable { .. }) && lost.is_in_doubt(), "{lost:?}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_create_is_sent_again_only_if_it_certainly_did_not_happen() {
    let webhook =
        failure(500, "InternalError", "Internal error occurred: failed calling webhook \"m.kb.io\": x", &json!({}));
    let api = Scripted::new([
        on(Method::POST, TENANTS).refused(),
        on(Method::POST, TENANTS).answers(500, &webhook),
        on(Method::POST, TENANTS).answers_text(429, ""),
        on(Method::POST, TENANTS).answers(503, &unavailable("starting")),
    ]);
    let cluster = api.cluster();
    let manifest = json!({"metadata": {"generateName": "a-"}});
    let created = cluster.create(&operation(60), Kind::TenantControlPlane, Some("tenants"), &manifest, "m").await;
    assert!(matches!(created, Err(ApiError::Unavailable { status: 503, .. })), "{created:?}");
    assert_eq!(api.asked()[0].body["kind"], "TenantControlPlane");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn other_500s_are_final_and_unknown_fields_are_named() {
    let unknown = "failed to create typed patch object (tenants/a; kamaji.clastix.io/v1alpha1, Kind=TenantControlPlane): \
        .spec.networkProfile.bogus: field not declared in schema";
    let api = Scripted::new([
        on(Method::PATCH, TENANT_A).answers(500, &failure(500, "", unknown, &json!({}))),
        on(Method::PATCH, TENANT_A).answers(500, &failure(500, "InternalError", "boom", &json!({}))),
    ]);
    let cluster = api.cluster();
    let error = cluster.apply(&operation(60), &a(), &json!({}), &options()).await.expect_err("unknown field");
    assert_eq!(error, ApiError::UnknownField { paths: vec![".spec.networkProfile.bogus".into()] });
    let error = cluster.apply(&operation(60), &a(), &json!({}), &options()).await.expect_err("internal");
    assert!(matches!(error, ApiError::Other { status: 500, .. }), "{error:?}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn patience_bounds_the_tries_long_before_the_deadline() {
    let api = Scripted::new([on(Method::GET, TENANT_A).refused().always()]);
    let started = Instant::now();
    let operation = operation(1800).patience(Duration::from_secs(20));
    let error = api.cluster().get(&operation, &a()).await.expect_err("unreachable");
    assert!(matches!(error, ApiError::Unreachable { ref host, .. } if host == "mgmt.test:6443"), "{error:?}");
    assert!(started.elapsed() <= Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(api.asked().len() > 4);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_tries_and_tells_the_last_reason() {
    let api = Scripted::new([on(Method::GET, TENANT_A).answers(503, &unavailable("starting")).always()]);
    let started = Instant::now();
    let error = api.cluster().get(&operation(5), &a()).await.expect_err("over");
    let ApiError::DeadlineExceeded { last: Some(last) } = error else { panic!("{error:?}") };
    assert!(matches!(*last, ApiError::Unavailable { status: 503, .. }));
    assert!(started.elapsed() <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_left_at_the_deadline() {
    let api = Scripted::new([on(Method::GET, TENANT_A).unanswered()]);
    let error = api.cluster().get(&operation(5), &a()).await.expect_err("over");
    assert!(matches!(error, ApiError::DeadlineExceeded { .. }), "{error:?}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_reads_at_once_and_gives_writes_half_a_second() {
    let api = Scripted::new([on(Method::GET, TENANT_A).unanswered(), on(Method::PATCH, TENANT_A).unanswered()]);
    let cluster = api.cluster();
    for (expected, most) in [(false, 0), (true, 500)] {
        let stop = CancellationToken::new();
        let operation = Operation::new(Duration::from_secs(60), &stop);
        let interrupt = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            stop.cancel();
            Instant::now()
        };
        let request = async {
            if expected {
                cluster.apply(&operation, &a(), &json!({}), &options()).await.map(drop)
            } else {
                cluster.get(&operation, &a()).await.map(drop)
            }
        };
        let (at, outcome) = tokio::join!(interrupt, async { (request.await, Instant::now()) });
        assert_eq!(outcome.0, Err(ApiError::Stopped { sent: expected }));
        assert!(outcome.1.duration_since(at) <= Duration::from_millis(most + 5));
    }
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_was_interrupted_sends_nothing() {
    let api = Scripted::new([]);
    let stop = CancellationToken::new();
    stop.cancel();
    let operation = Operation::new(Duration::from_secs(60), &stop);
    let error = api.cluster().apply(&operation, &a(), &json!({}), &options()).await.expect_err("stopped");
    assert_eq!(error, ApiError::Stopped { sent: false });
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_write_is_in_doubt_only_if_it_may_have_arrived() {
    let throttled = || on(Method::PATCH, TENANT_A).answers_text(429, "").always();
    for (first, doubtful) in [
        (on(Method::PATCH, TENANT_A).refused(), false),
        (on(Method::PATCH, TENANT_A).answers_text(429, ""), false),
        (on(Method::PATCH, TENANT_A).reset(), true),
        (on(Method::PATCH, TENANT_A).answers_text(502, ""), true),
    ] {
        let api = Scripted::new([first, throttled()]);
        let cluster = api.cluster();
        let impatient = operation(600).patience(Duration::from_secs(3));
        let error = cluster.apply(&impatient, &a(), &json!({}), &options()).await.expect_err("never");
        assert_eq!(error.is_in_doubt(), doubtful, "{error:?}");
        api.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_dry_run_ends_at_once_and_wrote_nothing() {
    let api = Scripted::new([on(Method::PATCH, TENANT_A).reset(), on(Method::PATCH, TENANT_A).unanswered()]);
    let stop = CancellationToken::new();
    let operation = Operation::new(Duration::from_secs(60), &stop);
    let dry = ApplyOptions { dry_run: true, ..options() };
    let cluster = api.cluster();
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stop.cancel();
    };
    let started = Instant::now();
    let (object, manifest) = (a(), json!({}));
    let ((), outcome) = tokio::join!(interrupt, cluster.apply(&operation, &object, &manifest, &dry));
    assert_eq!(outcome.expect_err("stopped"), ApiError::Stopped { sent: false });
    assert!(started.elapsed() < Duration::from_millis(3010));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_delete_carries_the_uid_and_leaves_another_object_alone() {
    let early = "Operation cannot be fulfilled on tenantcontrolplanes \"a\": the UID in the precondition (uid-a) does \
        not match the UID in record (x). The object might have been deleted and then recreated";
    let late = "Operation cannot be fulfilled on tenantcontrolplanes \"a\": Precondition failed: UID in precondition: \
        uid-a, UID in object meta: x";
    let api = Scripted::new([
        on(Method::DELETE, TENANT_A).answers(200, &tenant("a", "9", &json!({}))),
        on(Method::DELETE, TENANT_A).answers(200, &json!({"kind": "Status", "status": "Success"})),
        on(Method::DELETE, TENANT_A).answers(404, &not_found("tenantcontrolplanes", "a")),
        on(Method::DELETE, TENANT_A).answers(409, &failure(409, "Conflict", early, &json!({"name": "a"}))),
        on(Method::DELETE, TENANT_A).answers(409, &failure(409, "Conflict", late, &json!({"name": "a"}))),
        on(Method::DELETE, TENANT_A).answers(409, &failure(409, "Conflict", "being removed", &json!({"name": "a"}))),
    ]);
    let cluster = api.cluster();
    let delete = || async { cluster.delete(&operation(10), &a(), "uid-a", Propagation::Foreground).await };
    assert_eq!(delete().await, Ok(Deleted::Going));
    assert_eq!(delete().await, Ok(Deleted::Gone));
    assert_eq!(delete().await, Ok(Deleted::Gone));
    assert_eq!(delete().await, Ok(Deleted::Gone));
    assert_eq!(delete().await, Ok(Deleted::Gone));
    assert!(matches!(delete().await, Err(ApiError::Conflict { .. })));
    let body = &api.asked()[0].body;
    assert_eq!(body["preconditions"]["uid"], "uid-a");
    assert_eq!(body["propagationPolicy"], "Foreground");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn patches_say_what_they_are() {
    let api = Scripted::new([
        on(Method::PATCH, TENANT_A).answers(200, &tenant("a", "1", &json!({}))),
        on(Method::PATCH, TENANT_A).answers(200, &tenant("a", "2", &json!({}))),
        on(Method::PATCH, TENANT_A).reset(),
    ]);
    let cluster = api.cluster();
    let merge = Change::Merge(json!({"metadata": {"annotations": {"x": null}}}));
    let operations = Change::Json(json!([{"op": "remove", "path": "/metadata/managedFields/1"}]));
    cluster.patch(&operation(10), &a(), &merge, "m").await.expect("merged");
    cluster.patch(&operation(10), &a(), &operations, "m").await.expect("patched");
    let lost = cluster.patch(&operation(10), &a(), &operations, "m").await.expect_err("not sent again");
    assert!(lost.is_in_doubt());
    let asked = api.asked();
    assert_eq!(asked[0].content_type, "application/merge-patch+json");
    assert_eq!(asked[1].content_type, "application/json-patch+json");
    assert_eq!(asked[1].body[0]["op"], "remove");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_list_follows_its_pages_and_begins_again_when_they_expire() {
    let mut first = list_of("1", &[tenant("a", "1", &json!({}))]);
    first["metadata"]["continue"] = json!("next");
    let expired = failure(410, "Expired", "the provided continue parameter is too old", &json!({}));
    let both = list_of("2", &[tenant("a", "1", &json!({})), tenant("b", "2", &json!({}))]);
    let api = Scripted::new([
        on(Method::GET, TENANTS).answers(200, &first),
        on(Method::GET, TENANTS).answers(410, &expired),
        on(Method::GET, TENANTS).answers(200, &both),
    ]);
    let found = api.cluster().list(&operation(10), Kind::TenantControlPlane, Some("tenants"), "a=b").await;
    assert_eq!(found.expect("a list").len(), 2);
    let queries: Vec<String> = api.asked().into_iter().map(|asked| asked.query).collect();
    assert!(queries[0].contains("limit=500") && queries[0].contains("labelSelector=a%3Db"), "{queries:?}");
    assert!(queries[1].contains("continue=next"), "{queries:?}");
    assert!(!queries[2].contains("continue") && !queries[2].contains("limit"), "{queries:?}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_read_and_never_shown() {
    let secret = json!({"kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": {"ca.crt": "czNjcmV0"}});
    let api = Scripted::new([on(Method::GET, "/api/v1/namespaces/tenants/secrets/s").answers(200, &secret)]);
    let secret = api.cluster().secret(&operation(10), "tenants", "s").await.expect("an answer").expect("a Secret");
    assert_eq!(secret.get("ca.crt"), Some(b"s3cret".as_slice()));
    assert_eq!(secret.keys().collect::<Vec<_>>(), ["ca.crt"]);
    assert!(!format!("{secret:?}").contains("115"), "{secret:?}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn events_are_those_of_the_object_in_the_order_of_time() {
    let event = |name: &str, time: &str| json!({"metadata": {"name": name}, "involvedObject": {}, "reason": name, "lastTimestamp": time});
    let found = list_of("1", &[event("late", "2026-11-24T10:00:05Z"), event("early", "2026-11-24T10:00:00Z")]);
    let api = Scripted::new([on(Method::GET, "/api/v1/namespaces/tenants/events").answers(200, &found)]);
    let events = api.cluster().events(&operation(10), &a(), Some("uid-a")).await.expect("events");
    assert_eq!(events.iter().filter_map(|event| event.reason.as_deref()).collect::<Vec<_>>(), ["early", "late"]);
    let query = &api.asked()[0].query;
    assert!(query.contains("involvedObject.uid%3Duid-a"), "{query}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn no_name_leads_to_another_path() {
    let api = Scripted::new([]);
    let cluster = api.cluster();
    for namespace in ["", "..", "a/b", "kube-system/secrets?x="] {
        let object = ObjectRef::namespaced(Kind::Secret, namespace, "a");
        let error = cluster.get(&operation(10), &object).await.expect_err("refused");
        assert_eq!(error, ApiError::NamespaceMissing { name: namespace.into() });
    }
    for name in ["", "..", "a/b", "a?x=1", "a#b", "a%2fb"] {
        let object = ObjectRef::namespaced(Kind::Secret, "tenants", name);
        let error = cluster.get(&operation(10), &object).await.expect_err("refused");
        assert!(matches!(error, ApiError::Other { status: 0, .. }), "{name}: {error:?}");
    }
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_kubernetes_is_no_object_and_not_quoted() {
    let api = Scripted::new([on(Method::GET, TENANT_A).answers_text(200, "<html>s3cret</html>")]);
    let error = api.cluster().get(&operation(10), &a()).await.expect_err("no JSON").to_string();
    assert!(error.contains("Kubernetes API server") && !error.contains("s3cret"), "{error}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn no_more_than_32_requests_are_in_flight() {
    let api = Scripted::new([on(Method::GET, TENANT_A).unanswered().always()]);
    let cluster = api.cluster();
    let operation = operation(5);
    let all: Vec<_> = (0..100).map(|_| async { cluster.get(&operation, &a()).await }).collect();
    let mut all = std::pin::pin!(futures::future::join_all(all));
    tokio::select! {
        _ = &mut all => panic!("nothing answers"),
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    assert_eq!(api.asked().len(), MAX_IN_FLIGHT);
}
