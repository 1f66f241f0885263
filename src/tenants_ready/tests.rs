//! The wait for a fleet against a scripted API server, in its own time.

use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::schema::ObjectKind;
use tfplugin::schema::check::check;
use tokio::time::Instant;

use super::*;
use crate::management_cluster::scripted::{Scripted, Step, event, failure, list_of, on};

const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/tenants/deployments";

/// A control plane with this status, changed last at this time.
fn live(name: &str, resource_version: &str, status: &str, changed: &str) -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": name, "namespace": "tenants", "uid": format!("uid-{name}"), "generation": 1,
            "resourceVersion": resource_version,
            "managedFields": [{"manager": "m", "operation": "Update", "time": changed}]},
        "spec": {"kubernetes": {"version": "v1.30.0"}},
        "status": {"observedGeneration": 1, "controlPlaneEndpoint": "10.0.0.1:6443",
            "kubeconfig": {"admin": {"secretName": "s"}},
            "kubernetesResources": {"version": {"version": "v1.30.0", "status": status}}}})
}

fn long_ago(name: &str, status: &str) -> Json {
    live(name, "5", status, "2026-01-01T00:00:00Z")
}

fn just_now(name: &str, status: &str) -> Json {
    live(name, "5", status, &jiff::Timestamp::now().to_string())
}

fn listed(items: &[Json]) -> Step {
    on(Method::GET, TENANTS).answers(200, &list_of("5", items))
}

fn no_deployments() -> Step {
    on(Method::GET, DEPLOYMENTS).answers(200, &list_of("5", &[]))
}

fn quiet(path: &str) -> Step {
    on(Method::GET, path).streams(&[]).always()
}

async fn wait(api: &Scripted, stop: &Context, edits: &[(&str, Value)]) -> Result<Value, Diagnostic> {
    let mut config = SCHEMA.null_object();
    for (name, value) in edits {
        config.set(name, value.clone());
    }
    let source = TenantsReady::new(Arc::new(Configured::of(api.cluster())));
    let outcome = source.read(stop, config).await;
    outcome.map(|(result, _)| result).map_err(|errors| errors.iter().next().expect("a diagnostic").clone())
}

fn named(ids: &[&str]) -> (&'static str, Value) {
    ("ids", Value::strings(ids.iter().copied()))
}

#[test]
fn core_accepts_the_schema() {
    assert_eq!(check(ObjectKind::DataSource, &SCHEMA), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_has_been_ready_for_long_costs_a_list_of_each_kind_and_no_time() {
    let api = Scripted::new([
        listed(&[long_ago("a", "Ready"), long_ago("b", "Ready")]),
        no_deployments(),
        quiet(TENANTS),
        quiet(DEPLOYMENTS),
    ]);
    let begin = Instant::now();
    let result = wait(&api, &Context::default(), &[named(&["tenants/b", "tenants/a"])]).await.expect("ready");
    assert_eq!(begin.elapsed(), Duration::ZERO);
    // As configured; the objects are in order.
    assert_eq!(result.get("ids"), &Value::strings(["tenants/b", "tenants/a"]));
    let objects = result.get("tenant_control_planes").as_list().expect("a list");
    assert_eq!(objects.iter().filter_map(|object| object.str_at("id")).collect::<Vec<_>>(), ["tenants/a", "tenants/b"]);
    api.finish();
}

#[tokio::test]
async fn a_change_of_one_of_them_ends_the_wait_after_the_stability_window() {
    let events = [event("MODIFIED", &live("b", "6", "Ready", &jiff::Timestamp::now().to_string()))];
    let watch = on(Method::GET, TENANTS).streams(&events).always();
    let items = [long_ago("a", "Ready"), just_now("b", "Provisioning")];
    let api = Scripted::new([listed(&items), no_deployments(), watch, quiet(DEPLOYMENTS)]);
    let begin = std::time::Instant::now();
    wait(&api, &Context::default(), &[named(&["tenants/a", "tenants/b"])]).await.expect("ready");
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_names_those_that_are_not_ready_and_why() {
    let items = [long_ago("a", "Ready"), long_ago("b", "NotReady")];
    let api = Scripted::new([listed(&items), no_deployments(), quiet(TENANTS), quiet(DEPLOYMENTS)]);
    let edits = [named(&["tenants/a", "tenants/b", "tenants/c"]), ("timeout", "5s".into())];
    let error = wait(&api, &Context::default(), &edits).await.expect_err("not ready");
    assert_eq!(error.summary, "Control planes not ready in time");
    for text in ["2 of 3", "tenants/b: The status is NotReady.", "tenants/c: It does not exist."] {
        assert!(error.detail.contains(text), "{text:?} is missing in {}", error.detail);
    }
    assert!(!error.detail.contains("tenants/a:"), "{}", error.detail);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_wait_at_once() {
    let api = Scripted::new([
        listed(&[long_ago("a", "NotReady"), long_ago("b", "NotReady")]),
        no_deployments(),
        quiet(TENANTS),
        quiet(DEPLOYMENTS),
    ]);
    let context = Context::default();
    let begin = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        context.stop.cancel();
    };
    let edits = [named(&["tenants/a", "tenants/b"])];
    let (ended, ()) = tokio::join!(wait(&api, &context, &edits), stop);
    assert_eq!(ended.expect_err("interrupted").summary, "Interrupted while waiting");
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_waiting_cannot_cure_ends_it_at_once() {
    let mut paused = long_ago("b", "NotReady");
    paused["metadata"]["annotations"] = json!({"kamaji.clastix.io/paused": ""});
    let api = Scripted::new([
        listed(&[long_ago("a", "NotReady"), paused]),
        no_deployments(),
        quiet(TENANTS),
        quiet(DEPLOYMENTS),
    ]);
    let error = wait(&api, &Context::default(), &[named(&["tenants/a", "tenants/b"])]).await.expect_err("paused");
    assert_eq!(error.summary, "Control planes will not become ready");
    assert!(error.detail.contains("tenants/b") && error.detail.contains("1 more"), "{}", error.detail);
}

#[tokio::test(start_paused = true)]
async fn a_selector_waits_for_all_that_fit_and_accepted_needs_no_deployments() {
    let path = "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes";
    let items = [long_ago("b", "NotReady"), long_ago("a", "Provisioning")];
    let api = Scripted::new([on(Method::GET, path).answers(200, &list_of("5", &items)), quiet(path)]);
    let edits = [("label_selector", "env=prod".into()), ("level", "accepted".into())];
    let result = wait(&api, &Context::default(), &edits).await.expect("accepted");
    assert_eq!(result.get("ids"), &Value::strings(["tenants/a", "tenants/b"]));
    assert!(api.asked()[0].query.contains("labelSelector=env%3Dprod"), "{:?}", api.asked());
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_fits_nothing_is_an_error() {
    let api = Scripted::new([listed(&[]), no_deployments(), quiet(TENANTS), quiet(DEPLOYMENTS)]);
    let edits = [("namespaces", Value::strings(["tenants"]))];
    let error = wait(&api, &Context::default(), &edits).await.expect_err("nothing");
    assert!(error.detail.contains("depends_on"), "{}", error.detail);
}

#[tokio::test(start_paused = true)]
async fn no_id_is_nothing_to_wait_for() {
    let result = wait(&Scripted::new([]), &Context::default(), &[named(&[])]).await.expect("nothing");
    assert_eq!(result.get("tenant_control_planes"), &Value::List(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_an_error_and_no_wait() {
    let forbidden = failure(403, "Forbidden", "cannot list", &json!({}));
    let refuses = on(Method::GET, TENANTS).answers(403, &forbidden).always();
    let api = Scripted::new([no_deployments(), refuses, quiet(DEPLOYMENTS)]);
    let begin = Instant::now();
    let edits = [named(&["tenants/a", "tenants/b"])];
    wait(&api, &Context::default(), &edits).await.expect_err("forbidden");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[rstest::rstest]
#[case::nothing(&[], &["ids"])]
#[case::twice(&[named(&["a/b"]), ("label_selector", "x=y".into())], &["label_selector"])]
#[case::everything(&[("label_selector", "".into())], &[])]
#[case::unknown(&[("ids", Value::Unknown)], &[])]
fn the_fleet_is_chosen_once(#[case] edits: &[(&str, Value)], #[case] paths: &[&str]) {
    let mut config = SCHEMA.null_object();
    for (name, value) in edits {
        config.set(name, value.clone());
    }
    let found = TenantsReady::new(Arc::new(Configured::default())).validate(&config);
    assert_eq!(found.iter().map(|found| found.path.to_string()).collect::<Vec<_>>(), paths);
}

#[test]
fn a_long_list_is_cut() {
    let missing = (0..30).map(|index| (format!("n/t{index:02}"), "No.".to_owned())).collect();
    let text = lines(&missing);
    assert_eq!(text.lines().count(), NAMED + 1);
    assert!(text.ends_with("and 10 more"), "{text}");
}
