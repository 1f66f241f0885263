//! Lists against a scripted API server.

use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::Path;
use tfplugin::schema::ObjectKind;
use tfplugin::schema::check::check;

use super::*;
use crate::management_cluster::scripted::{Scripted, failure, list_of, on};

const EVERYWHERE: &str = "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes";

fn live(namespace: &str, name: &str, version: &str, status: &str) -> Json {
    json!({"metadata": {"name": name, "namespace": namespace, "uid": format!("uid-{name}"), "managedFields": []},
        "spec": {"kubernetes": {"version": version}, "dataStore": "default"},
        "status": {"kubernetesResources": {"version": {"version": version, "status": status}}}})
}

async fn ids(api: &Scripted, edits: &[(&str, Value)]) -> Result<Vec<String>, Diagnostics> {
    let mut config = SCHEMA.null_object();
    for (name, value) in edits {
        config.set(name, value.clone());
    }
    let source = TenantControlPlanes::new(Arc::new(Configured::of(api.cluster())));
    let (result, _) = source.read(&Context::default(), config).await?;
    let ids: Vec<String> =
        result.get("ids").as_list().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let objects = result.get("tenant_control_planes").as_list().unwrap_or_default();
    assert_eq!(ids, objects.iter().map(id_of).collect::<Vec<_>>());
    Ok(ids)
}

fn everywhere() -> Scripted {
    let all = [
        live("b", "x", "v1.30.2", "Ready"),
        live("a", "y", "v1.3.0", "Ready"),
        live("a-b", "x", "v1.30.0", "NotReady"),
        live("a", "x", "v1.31.0", "Ready"),
    ];
    Scripted::new([on(Method::GET, EVERYWHERE).answers(200, &list_of("9", &all))])
}

#[test]
fn core_accepts_the_schema() {
    assert_eq!(check(ObjectKind::DataSource, &SCHEMA), Vec::<String>::new());
}

#[rstest::rstest]
#[case::all(&[], &["a/x", "a/y", "a-b/x", "b/x"])]
#[case::version(&[("installed_version", "1.30".into())], &["a-b/x", "b/x"])]
#[case::patch(&[("installed_version", "v1.30.2".into())], &["b/x"])]
#[case::status(&[("status", "NotReady".into())], &["a-b/x"])]
#[case::data_store(&[("data_store", "other".into())], &[])]
#[tokio::test(start_paused = true)]
async fn filters_choose_and_the_order_is_stable(#[case] edits: &[(&str, Value)], #[case] wanted: &[&str]) {
    let api = everywhere();
    assert_eq!(ids(&api, edits).await.expect("a list"), wanted);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn each_namespace_is_listed_once_with_the_selectors() {
    let path = |namespace: &str| format!("/apis/kamaji.clastix.io/v1alpha1/namespaces/{namespace}/tenantcontrolplanes");
    let answers = |namespace: &str| {
        on(Method::GET, &path(namespace)).answers(200, &list_of("9", &[live(namespace, "x", "v1.30.0", "Ready")]))
    };
    let api = Scripted::new([answers("a"), answers("b")]);
    let edits = [
        ("namespaces", Value::strings(["b", "a", "b"])),
        ("label_selector", "env=prod".into()),
        ("field_selector", "metadata.name=x".into()),
    ];
    assert_eq!(ids(&api, &edits).await.expect("a list"), ["a/x", "b/x"]);
    let wanted = ["labelSelector=env%3Dprod", "fieldSelector=metadata.name%3Dx"];
    for asked in api.asked() {
        assert!(wanted.iter().all(|wanted| asked.query.contains(wanted)), "{asked:?}");
    }
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_the_server_cannot_read_is_an_error_at_its_attribute() {
    let unknown = "\"spec.dataStore\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    for (attribute, text, message) in
        [("label_selector", "=", "unable to parse requirement"), ("field_selector", "spec.dataStore=default", unknown)]
    {
        let bad = failure(400, "BadRequest", message, &json!({}));
        let api = Scripted::new([on(Method::GET, EVERYWHERE).answers(400, &bad)]);
        let error = ids(&api, &[(attribute, text.into())]).await.expect_err("refused");
        assert_eq!(error.iter().next().map(|error| error.path.clone()), Some(Path::of(attribute)));
    }
}

#[test]
fn a_release_is_no_prefix_of_another() {
    assert!(is_of_version("v1.30.2", "v1.30") && is_of_version("v1.30.2", "1.30.2"));
    assert!(!is_of_version("v1.30.2", "1.3") && !is_of_version("v1.30.2", "v1.30.20"));
}
