//! Waits against a scripted API server, with paused time.

use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::management_cluster::scripted::{Scripted, event, failure, list_of, not_found, on, tenant};

const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes";
const TENANT_A: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes/a";

fn a() -> ObjectRef {
    ObjectRef::namespaced(Kind::TenantControlPlane, "tenants", "a")
}

fn operation(seconds: u64) -> Operation {
    Operation::new(Duration::from_secs(seconds), &CancellationToken::new())
}

/// The object with this number of replicas.
fn with(resource_version: &str, replicas: i64) -> Value {
    tenant("a", resource_version, &json!({"replicas": replicas}))
}

fn replicas(object: Option<&DynamicObject>) -> Option<i64> {
    object?.data.pointer("/spec/replicas")?.as_i64()
}

fn listed(resource_version: &str, items: &[Value]) -> crate::management_cluster::scripted::Step {
    on(Method::GET, TENANTS).answers(200, &list_of(resource_version, items))
}

fn forbidden(verb: &str) -> Value {
    let message = format!(
        "tenantcontrolplanes.kamaji.clastix.io is forbidden: User \"ci\" cannot {verb} resource \"tenantcontrolplanes\" in \
         API group \"kamaji.clastix.io\" in the namespace \"tenants\""
    );
    failure(403, "Forbidden", &message, &json!({}))
}

async fn until_three(api: &Scripted, operation: &Operation) -> Result<i64, WaitEnded> {
    wait_until(&api.cluster(), operation, &a(), None, |object| replicas(object).filter(|n| *n == 3)).await
}

#[tokio::test(start_paused = true)]
async fn an_object_that_fits_already_ends_the_wait_without_a_watch() {
    let api = Scripted::new([listed("5", &[with("5", 3)])]);
    assert_eq!(until_three(&api, &operation(10)).await.expect("ready"), 3);
    assert!(api.asked()[0].query.contains("fieldSelector=metadata.name%3Da"), "{:?}", api.asked());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn the_wait_follows_the_events_of_the_watch() {
    let events = [event("MODIFIED", &with("6", 2)), event("MODIFIED", &with("7", 3))];
    let api = Scripted::new([listed("5", &[with("5", 1)]), on(Method::GET, TENANTS).streams(&events)]);
    assert_eq!(until_three(&api, &operation(10)).await.expect("ready"), 3);
    assert!(api.asked()[1].query.contains("resourceVersion=5"), "{:?}", api.asked());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_breaks_or_is_refused_is_taken_up_where_it_was() {
    let api = Scripted::new([
        listed("5", &[with("5", 1)]),
        on(Method::GET, TENANTS).streams_and_ends(&[event("MODIFIED", &with("6", 2))]),
        on(Method::GET, TENANTS).reset(),
        on(Method::GET, TENANTS).refused(),
        on(Method::GET, TENANTS).answers(500, &failure(500, "InternalError", "etcdserver: leader changed", &json!({}))),
        on(Method::GET, TENANTS).streams(&[event("MODIFIED", &with("7", 3))]),
    ]);
    assert_eq!(until_three(&api, &operation(60)).await.expect("ready"), 3);
    assert!(api.asked()[5].query.contains("resourceVersion=6"), "{:?}", api.asked());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_api_that_is_down_at_first_is_waited_for() {
    let api = Scripted::new([
        on(Method::GET, TENANTS).refused(),
        on(Method::GET, TENANTS).answers_text(503, ""),
        listed("5", &[with("5", 3)]),
    ]);
    assert_eq!(until_three(&api, &operation(60)).await.expect("ready"), 3);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_too_old_begins_with_a_new_list() {
    let old = failure(410, "Expired", "too old resource version", &json!({}));
    let api = Scripted::new([
        listed("5", &[with("5", 1)]),
        on(Method::GET, TENANTS).answers(410, &old),
        listed("9", &[with("9", 2)]),
        on(Method::GET, TENANTS).streams_and_ends(&[event("ERROR", &old)]),
        listed("12", &[with("12", 3)]),
    ]);
    assert_eq!(until_three(&api, &operation(60)).await.expect("ready"), 3);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_is_seen_as_none() {
    let api = Scripted::new([
        listed("5", &[with("5", 1)]),
        on(Method::GET, TENANTS).streams(&[event("DELETED", &with("6", 1))]),
    ]);
    let gone = wait_until(&api.cluster(), &operation(10), &a(), None, |object| object.is_none().then_some(())).await;
    gone.expect("gone");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_never_was_is_seen_as_none() {
    let api = Scripted::new([listed("5", &[])]);
    let gone = wait_until(&api.cluster(), &operation(10), &a(), None, |object| object.is_none().then_some(())).await;
    gone.expect("gone");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn the_deadline_gives_back_the_last_object() {
    let api = Scripted::new([
        listed("5", &[with("5", 1)]),
        on(Method::GET, TENANTS).streams(&[event("MODIFIED", &with("6", 2))]),
    ]);
    let ended = until_three(&api, &operation(30)).await.expect_err("never three");
    assert_eq!(ended.reason, EndReason::Timeout(None));
    assert_eq!(replicas(ended.last()), Some(2));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn the_deadline_tells_the_trouble_of_the_watch() {
    let api = Scripted::new([listed("5", &[with("5", 1)]), on(Method::GET, TENANTS).refused().always()]);
    let ended = until_three(&api, &operation(30)).await.expect_err("never three");
    assert!(matches!(ended.reason, EndReason::Timeout(Some(ApiError::Unreachable { .. }))), "{:?}", ended.reason);
    assert_eq!(replicas(ended.last()), Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_wait_at_once() {
    let api = Scripted::new([listed("5", &[with("5", 1)]), on(Method::GET, TENANTS).streams(&[])]);
    let stop = CancellationToken::new();
    let operation = Operation::new(Duration::from_secs(1800), &stop);
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stop.cancel();
    };
    let started = Instant::now();
    let ((), ended) = tokio::join!(interrupt, until_three(&api, &operation));
    let ended = ended.expect_err("stopped");
    assert_eq!(ended.reason, EndReason::Stopped);
    assert_eq!(replicas(ended.last()), Some(1));
    assert!(started.elapsed() < Duration::from_millis(3010), "{:?}", started.elapsed());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_list_the_object_is_read_every_two_seconds() {
    let api = Scripted::new([
        on(Method::GET, TENANTS).answers(403, &forbidden("list")),
        on(Method::GET, TENANT_A).answers(404, &not_found("tenantcontrolplanes", "a")),
        on(Method::GET, TENANT_A).refused(),
        on(Method::GET, TENANT_A).answers(200, &with("6", 1)),
        on(Method::GET, TENANT_A).answers(200, &with("7", 3)),
    ]);
    let started = Instant::now();
    assert_eq!(until_three(&api, &operation(60)).await.expect("ready"), 3);
    assert!(started.elapsed() >= Duration::from_secs(4) && started.elapsed() < Duration::from_secs(6));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_watch_the_object_is_read_too() {
    let api = Scripted::new([
        listed("5", &[with("5", 1)]),
        on(Method::GET, TENANTS).answers(403, &forbidden("watch")),
        on(Method::GET, TENANT_A).answers(200, &with("7", 3)),
    ]);
    assert_eq!(until_three(&api, &operation(60)).await.expect("ready"), 3);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn without_any_right_the_wait_fails_with_the_one_that_is_missing() {
    let api = Scripted::new([
        on(Method::GET, TENANTS).answers(403, &forbidden("list")),
        on(Method::GET, TENANT_A).answers(403, &forbidden("get")),
    ]);
    let ended = until_three(&api, &operation(60)).await.expect_err("forbidden");
    let EndReason::Failed(ApiError::Forbidden { permission: Some(permission), .. }) = ended.reason else {
        panic!("{:?}", ended.reason)
    };
    assert_eq!(permission.verb, "get");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn what_waiting_cannot_cure_ends_the_wait() {
    let unauthorized = failure(401, "Unauthorized", "Unauthorized", &json!({}));
    for (step, expected) in [
        (on(Method::GET, TENANTS).answers_text(404, "404 page not found\n"), "does not serve"),
        (on(Method::GET, TENANTS).answers(401, &unauthorized), "not authenticated"),
        (on(Method::GET, TENANTS).answers(500, &failure(500, "InternalError", "boom", &json!({}))), "boom"),
    ] {
        let api = Scripted::new([step]);
        let ended = until_three(&api, &operation(60)).await.expect_err("fails");
        let EndReason::Failed(error) = ended.reason else { panic!("{:?}", ended.reason) };
        assert!(error.to_string().contains(expected), "{error}");
        api.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_asks_again_without_a_request() {
    let api = Scripted::new([listed("5", &[with("5", 3)]), on(Method::GET, TENANTS).streams(&[])]);
    let started = Instant::now();
    let stable = Duration::from_secs(5);
    let tick = Some(Duration::from_secs(1));
    let waited = wait_until(&api.cluster(), &operation(60), &a(), tick, |object| {
        (replicas(object) == Some(3) && started.elapsed() >= stable).then_some(())
    })
    .await;
    waited.expect("stable");
    assert!(started.elapsed() < stable + Duration::from_secs(1), "{:?}", started.elapsed());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_tick_works_while_polling_as_well() {
    let api = Scripted::new([
        on(Method::GET, TENANTS).answers(403, &forbidden("list")),
        on(Method::GET, TENANT_A).answers(200, &with("5", 3)).always(),
    ]);
    let started = Instant::now();
    let stable = Duration::from_millis(5500);
    let tick = Some(Duration::from_millis(500));
    let waited =
        wait_until(&api.cluster(), &operation(60), &a(), tick, |_| (started.elapsed() >= stable).then_some(())).await;
    waited.expect("stable");
    assert!(started.elapsed() < stable + Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(api.asked().len() <= 5, "{}", api.asked().len());
}

#[tokio::test(start_paused = true)]
async fn a_selection_is_seen_whole() {
    let pods = "/api/v1/namespaces/tenants/pods";
    let pod = |name: &str, version: &str| json!({"metadata": {"name": name, "resourceVersion": version}});
    let events = [event("DELETED", &pod("x", "6")), event("ADDED", &pod("z", "7"))];
    let api = Scripted::new([
        on(Method::GET, pods).answers(200, &list_of("5", &[pod("x", "4"), pod("y", "5")])),
        on(Method::GET, pods).streams(&events),
    ]);
    let mut sizes = Vec::new();
    let names = wait_until_selected(&api.cluster(), &operation(10), Kind::Pod, Some("tenants"), "a=b", None, |seen| {
        sizes.push(seen.len());
        seen.contains_key("z").then(|| seen.keys().cloned().collect::<Vec<_>>())
    })
    .await;
    assert_eq!(names.expect("seen"), ["y", "z"]);
    assert_eq!(sizes, [2, 1, 2]);
    api.finish();
}
