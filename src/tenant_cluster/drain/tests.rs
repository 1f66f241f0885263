//! Drains against a scripted API, with paused time.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::management_cluster::scripted::{Scripted, Step, event, failure, list_of, not_found, on};
use crate::tenant_cluster::tests::deleted;

const NODE: &str = "/api/v1/nodes/w1";
const PODS: &str = "/api/v1/pods";

fn node_object(unschedulable: bool, ready: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "w1", "uid": "uid-w1"},
        "spec": {"unschedulable": unschedulable}, "status": {"conditions": [{"type": "Ready", "status": ready}]}})
}

fn pod(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "web", "uid": format!("uid-{name}"), "resourceVersion": "1",
            "ownerReferences": [{"kind": "ReplicaSet", "controller": true}]},
        "spec": {"nodeName": "w1"}, "status": {"phase": "Running"}})
}

/// The pod once it was told to end, with a grace period that ends in so many seconds.
fn going(name: &str, seconds: i64) -> Json {
    let mut pod = pod(name);
    let end = Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
    pod["metadata"]["deletionTimestamp"] = json!(end.to_string());
    pod
}

fn eviction(name: &str) -> String {
    format!("/api/v1/namespaces/web/pods/{name}/eviction")
}

fn evicted(name: &str) -> Step {
    on(Method::POST, &eviction(name)).answers(201, &deleted())
}

fn delayed(name: &str) -> Step {
    let cause = json!({"reason": "DisruptionBudget",
        "message": "The disruption budget web needs 1 healthy pods and has 1 currently"});
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    on(Method::POST, &eviction(name))
        .answers(429, &failure(429, "TooManyRequests", message, &json!({"causes": [cause]})))
}

fn pods(pods: &[Json]) -> Step {
    on(Method::GET, PODS).answers(200, &list_of("1", pods))
}

fn watch(events: &[Json]) -> Step {
    on(Method::GET, PODS).streams(events)
}

/// The Node is read, its pods are looked at, and it is cordoned.
fn cordoned(found: &[Json]) -> Vec<Step> {
    vec![
        on(Method::GET, NODE).answers(200, &node_object(false, "True")),
        pods(found),
        on(Method::PATCH, NODE).answers(200, &node_object(true, "True")),
    ]
}

fn node_deleted() -> Step {
    on(Method::DELETE, NODE).answers(200, &deleted())
}

fn script(parts: impl IntoIterator<Item = Vec<Step>>) -> Scripted {
    Scripted::new(parts.into_iter().flatten())
}

async fn remove(api: &Scripted, operation: &Operation, drain: &Drain) -> Result<(), (String, String)> {
    let leaving = Leaving { name: "w1".to_owned(), uid: Some("uid-w1".to_owned()) };
    let said = TenantCluster::new(api.cluster()).remove_nodes(operation, &[leaving], drain, "m").await;
    match said.into_iter().next() {
        None => Ok(()),
        Some(error) => Err((error.summary, error.detail)),
    }
}

fn operation(seconds: u64) -> Operation {
    Operation::new(Duration::from_secs(seconds), &CancellationToken::new())
}

#[tokio::test(start_paused = true)]
async fn a_node_is_cordoned_emptied_and_deleted() {
    let api = script([
        cordoned(&[pod("a")]),
        vec![
            pods(&[pod("a")]),
            watch(&[event("MODIFIED", &going("a", 30)), event("DELETED", &pod("a"))]),
            node_deleted(),
        ],
        vec![evicted("a").always()],
    ]);
    let drain = Drain { grace_period: Some(Duration::from_secs(7)), ..Drain::default() };
    assert_eq!(remove(&api, &operation(60), &drain).await, Ok(()));
    let asked = api.asked();
    let cordon = asked.iter().find(|asked| asked.method == Method::PATCH).unwrap();
    assert_eq!(cordon.body, json!({"metadata": {"uid": "uid-w1"}, "spec": {"unschedulable": true}}));
    assert!(asked[1].query.contains("fieldSelector=spec.nodeName%3Dw1"), "{}", asked[1].query);
    assert_eq!(asked.last().unwrap().body["preconditions"]["uid"], "uid-w1");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_eviction_asks_for_this_pod_with_the_grace_period_that_is_wanted() {
    let api = script([cordoned(&[]), vec![pods(&[pod("a")]), evicted("a"), watch(&[])]]);
    let drain = Drain { grace_period: Some(Duration::from_secs(7)), ..Drain::default() };
    remove(&api, &operation(3), &drain).await.unwrap_err();
    let asked = api.asked().into_iter().find(|asked| asked.method == Method::POST).unwrap();
    let options = json!({"preconditions": {"uid": "uid-a"}, "gracePeriodSeconds": 7});
    assert_eq!((&asked.body["kind"], &asked.body["deleteOptions"]), (&json!("Eviction"), &options));
}

#[tokio::test(start_paused = true)]
async fn what_stays_is_not_evicted_and_nothing_is_waited_for() {
    let mut of_daemon_set = pod("d");
    of_daemon_set["metadata"]["ownerReferences"][0]["kind"] = json!("DaemonSet");
    let mut mirror = pod("m");
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    let all = [of_daemon_set, mirror];
    let api = script([cordoned(&all), vec![pods(&all), node_deleted()]]);
    assert_eq!(remove(&api, &operation(60), &Drain::default()).await, Ok(()));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_asked_again_until_it_lets_the_pod_go() {
    let api = script([
        cordoned(&[pod("a")]),
        vec![pods(&[pod("a")]), watch(&[]), delayed("a"), delayed("a"), evicted("a")],
        vec![on(Method::GET, NODE).answers(200, &node_object(true, "True")).always()],
    ]);
    let begin = Instant::now();
    let (summary, detail) = remove(&api, &operation(12), &Drain::default()).await.unwrap_err();
    assert_eq!(begin.elapsed(), Duration::from_secs(12));
    assert!(summary.contains("in time") && !detail.contains("budget web"), "{detail}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_a_budget_delays_for_too_long_names_it_and_where_it_could_go() {
    let nodes = list_of("1", &[node_object(true, "True")]);
    let api = script([
        cordoned(&[pod("a"), pod("b")]),
        vec![pods(&[pod("a"), pod("b")]), watch(&[event("MODIFIED", &going("b", 600))])],
        vec![
            delayed("a").always(),
            evicted("b").always(),
            on(Method::GET, NODE).answers(200, &node_object(true, "True")).always(),
            on(Method::GET, "/api/v1/nodes").answers(200, &nodes).always(),
        ],
    ]);
    let (summary, detail) = remove(&api, &operation(60), &Drain::default()).await.unwrap_err();
    assert_eq!(summary, "Node not drained in time");
    let budget = "- web/a: a PodDisruptionBudget delays it: The disruption budget web needs 1 healthy pods and has 1 currently\n";
    assert!(detail.contains(budget), "{detail}");
    assert!(
        detail.contains("- web/b: it was told to end") && detail.contains("no other node that takes pods"),
        "{detail}"
    );
    let asked = api.asked().iter().filter(|asked| asked.path == eviction("a")).count();
    assert!((10..=13).contains(&asked), "every 5 seconds: {asked}");
    api.finish();
}

#[rstest::rstest]
#[case::unmanaged(("/metadata/ownerReferences", json!([])), "(`force`)")]
#[case::with_data(("/spec", json!({"volumes": [{"emptyDir": {}}]})), "(`delete_emptydir_data`)")]
#[tokio::test(start_paused = true)]
async fn what_may_not_go_is_found_before_anything_is_changed(#[case] change: (&str, Json), #[case] setting: &str) {
    let mut kept = pod("a");
    *kept.pointer_mut(change.0).unwrap() = change.1;
    let api = Scripted::new([on(Method::GET, NODE).answers(200, &node_object(false, "True")), pods(&[kept, pod("b")])]);
    let (_, detail) = remove(&api, &operation(60), &Drain::default()).await.unwrap_err();
    assert!(detail.contains("- web/a: ") && detail.contains(setting) && !detail.contains("web/b"), "{detail}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn without_a_drain_the_node_goes_with_its_pods() {
    let api = Scripted::new([on(Method::GET, NODE).answers(200, &node_object(false, "True")), node_deleted()]);
    assert_eq!(remove(&api, &operation(60), &Drain { enabled: false, ..Drain::default() }).await, Ok(()));
    api.finish();
}

#[rstest::rstest]
#[case::gone(None)]
#[case::made_anew(Some("another"))]
#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_is_left_alone(#[case] uid: Option<&str>) {
    let answer = match uid {
        None => on(Method::GET, NODE).answers(404, &not_found("nodes", "w1")),
        Some(uid) => {
            let mut other = node_object(false, "True");
            other["metadata"]["uid"] = json!(uid);
            on(Method::GET, NODE).answers(200, &other)
        }
    };
    let api = Scripted::new([answer]);
    assert_eq!(remove(&api, &operation(60), &Drain::default()).await, Ok(()));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_machine_that_is_off_are_not_waited_for() {
    let api = script([
        cordoned(&[pod("a")]),
        vec![pods(&[pod("a")]), watch(&[event("MODIFIED", &going("a", -60))])],
        vec![
            evicted("a").always(),
            on(Method::GET, NODE).answers(200, &node_object(true, "Unknown")).always(),
            node_deleted().always(),
        ],
    ]);
    let begin = Instant::now();
    assert_eq!(remove(&api, &operation(600), &Drain::default()).await, Ok(()));
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_a_drain_at_once_and_says_what_is_left() {
    let api = script([
        cordoned(&[pod("a")]),
        vec![pods(&[pod("a")]), watch(&[])],
        vec![delayed("a").always(), on(Method::GET, NODE).answers(200, &node_object(true, "True")).always()],
    ]);
    let stop = CancellationToken::new();
    let operation = Operation::new(Duration::from_secs(600), &stop);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        stop.cancel();
    });
    let begin = Instant::now();
    let (summary, detail) = remove(&api, &operation, &Drain::default()).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(21), "{:?}", begin.elapsed());
    assert_eq!(summary, "Interrupted while draining");
    assert!(detail.contains("The disruption budget web"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn what_no_repetition_cures_ends_the_drain() {
    let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    let refused = failure(500, "InternalError", message, &json!({}));
    let api = script([
        cordoned(&[pod("a")]),
        vec![pods(&[pod("a")]), watch(&[])],
        vec![on(Method::POST, &eviction("a")).answers(500, &refused).always()],
    ]);
    let (_, detail) = remove(&api, &operation(600), &Drain::default()).await.unwrap_err();
    assert!(detail.contains("more than one PodDisruptionBudget"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_is_away_for_a_moment_ends_no_drain() {
    let api = script([
        cordoned(&[pod("a")]),
        vec![pods(&[pod("a")]), watch(&[])],
        vec![on(Method::POST, &eviction("a")).refused().always()],
        vec![on(Method::GET, NODE).refused().always(), on(Method::GET, "/api/v1/nodes").refused().always()],
    ]);
    let (summary, detail) = remove(&api, &operation(300), &Drain::default()).await.unwrap_err();
    assert!(summary == "Node not drained in time" && detail.contains("- web/a: "), "{summary} {detail}");
}

#[test]
fn settings_are_read_from_a_configuration() {
    let mut value = Value::object([("drain", Value::Null)]);
    assert_eq!(Drain::of(&value), Drain::default());
    value.set(
        "drain",
        Value::object([("force", true.into()), ("grace_period", "1m".into()), ("enabled", false.into())]),
    );
    let grace_period = Some(Duration::from_secs(60));
    assert_eq!(Drain::of(&value), Drain { enabled: false, force: true, grace_period, ..Drain::default() });
}
