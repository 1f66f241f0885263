//! A data source of one object against a scripted API server.

use http::Method;
use serde_json::json;
use tfplugin::schema::ObjectKind;
use tfplugin::schema::check::check;

use super::*;
use crate::management_cluster::scripted::{Scripted, Step, not_found, on};
use crate::tenant_control_plane::TenantControlPlane;

const TENANT: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes/a";

fn source(api: &Scripted) -> ManagedDataSource<TenantControlPlane> {
    ManagedDataSource::new(TenantControlPlane::default(), "A tenant.", Arc::new(Configured::of(api.cluster())))
}

fn unconfigured() -> ManagedDataSource<TenantControlPlane> {
    ManagedDataSource::new(TenantControlPlane::default(), "A tenant.", Arc::new(Configured::default()))
}

fn config(edits: &[(&str, &str)]) -> Value {
    let mut config = schema(TenantControlPlane::default().schema(), "x").null_object();
    for (name, value) in edits {
        config.set(name, (*value).into());
    }
    config
}

fn live() -> Step {
    let live = json!({"metadata": {"name": "a", "namespace": "tenants", "uid": "u", "labels": {"team": "x"},
            "annotations": {NOT_SHOWN[0]: "{}", NONCE: "n", "note": "kept"}},
        "spec": {"kubernetes": {"version": "v1.30.2"}, "controlPlane": {"deployment": {"replicas": 2}},
            "networkProfile": {"port": 6443, "podCidr": "10.244.0.0/16"}},
        "status": {"controlPlaneEndpoint": "10.0.0.1:6443", "kubernetesResources": {"version": {"status": "Ready"}}}});
    on(Method::GET, TENANT).answers(200, &live)
}

#[test]
fn core_accepts_the_schema_and_nothing_in_it_can_be_configured_but_the_object() {
    let schema = schema(TenantControlPlane::default().schema(), "A tenant.");
    assert_eq!(check(ObjectKind::DataSource, &schema), Vec::<String>::new());
    let configurable: Vec<_> = schema
        .attributes
        .iter()
        .filter(|attribute| attribute.is_configurable())
        .map(|attribute| attribute.name)
        .collect();
    assert_eq!(configurable, ["name", "namespace", "id"]);
    assert!(schema.attribute("wait_for").is_none() && schema.attribute("timeouts").is_none());
    assert!(schema.attribute("network_profile.cert_sans").is_some());
}

#[rstest::rstest]
#[case::by_name(&[("namespace", "tenants"), ("name", "a")])]
#[case::by_id(&[("id", "tenants/a")])]
#[tokio::test(start_paused = true)]
async fn everything_is_shown_whoever_set_it(#[case] chosen: &[(&str, &str)]) {
    let api = Scripted::new([live()]);
    let (shown, diagnostics) = source(&api).read(&Context::default(), config(chosen)).await.expect("an object");
    assert!(diagnostics.is_empty() && shown.is_wholly_known());
    assert_eq!(shown.get("annotations"), &Value::object([("note", Value::from("kept"))]));
    for (path, text) in [
        ("id", "tenants/a"),
        ("name", "a"),
        ("namespace", "tenants"),
        ("uid", "u"),
        ("labels.team", "x"),
        ("kubernetes.version", "v1.30.2"),
        ("network_profile.pod_cidr", "10.244.0.0/16"),
        ("endpoint.url", "https://10.0.0.1:6443"),
        ("status", "Ready"),
    ] {
        assert_eq!(shown.str_at(path), Some(text), "{path}");
    }
    // A default of the server is shown, too.
    assert_eq!(shown.get("network_profile.port").as_i64(), Some(6443));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_does_not_exist_is_an_error_that_says_so() {
    let api = Scripted::new([on(Method::GET, TENANT).answers(404, &not_found("tenantcontrolplanes", "a"))]);
    let error = source(&api).read(&Context::default(), config(&[("id", "tenants/a")])).await.expect_err("missing");
    let error = error.iter().next().expect("a diagnostic").clone();
    assert_eq!(error.path, Path::of("id"));
    assert!(error.detail.contains("tenants/a") && error.detail.contains("mgmt.test:6443"), "{}", error.detail);
}

#[rstest::rstest]
#[case::nothing(&[], &["name", "namespace"])]
#[case::half(&[("name", "a")], &["namespace"])]
#[case::twice(&[("id", "n/a"), ("name", "a")], &["name"])]
#[case::no_namespace(&[("id", "a")], &["id"])]
#[case::too_much(&[("id", "a/b/c")], &["id"])]
#[case::empty(&[("id", "/a")], &["id"])]
#[case::good(&[("id", "n/a")], &[])]
fn the_object_is_chosen_once(#[case] chosen: &[(&str, &str)], #[case] paths: &[&str]) {
    let found = unconfigured().validate(&config(chosen));
    assert_eq!(found.iter().map(|found| found.path.to_string()).collect::<Vec<_>>(), paths);
}

#[test]
fn what_is_unknown_may_be_right() {
    let mut unknown = config(&[]);
    unknown.set("id", Value::Unknown);
    assert!(unconfigured().validate(&unknown).is_empty());
}
