use http::Method;
use rstest::rstest;
use serde_json::{Value as Json, json};
use tfplugin::schema::ObjectKind;
use tfplugin::schema::check::check;

use super::*;
use crate::management_cluster::scripted::{Scripted, Step, failure, not_found, on, tenant};

const TENANT_PATH: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes/a";
const NEW_PATH: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/default/tenantcontrolplanes/kamaji-versions";

fn denied(message: &str) -> Json {
    let message = format!("admission webhook \"vtenantcontrolplane.kb.io\" denied the request: {message}");
    failure(403, "Forbidden", &message, &json!({}))
}

async fn read(api: &Scripted, edits: &[(&str, &str)]) -> Result<(Value, Diagnostics), Diagnostics> {
    let mut config = SCHEMA.null_object();
    for (name, value) in edits {
        config.set(name, (*value).into());
    }
    let source = Versions::new(Arc::new(Configured::of(api.cluster())));
    source.read(&Context::default(), config).await
}

fn control_plane() -> Step {
    let mut live = tenant("a", "7", &json!({"kubernetes": {"version": "v1.28.3"}}));
    live["status"] = json!({"kubernetesResources": {"version": {"version": "v1.28.3"}}});
    on(Method::GET, TENANT_PATH).answers(200, &live).always()
}

fn steps(state: &Value) -> Vec<&str> {
    state.get("upgrade_steps").as_list().unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

#[test]
fn core_accepts_the_schema() {
    assert_eq!(check(ObjectKind::DataSource, &SCHEMA), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_tenants_way_on_ends_with_what_kamaji_supports() {
    let answer = denied("unable to upgrade to a version greater than the supported one, actually 1.30.2");
    let api = Scripted::new([control_plane(), on(Method::PATCH, TENANT_PATH).answers(403, &answer)]);
    let (state, said) = read(&api, &[(TENANT, "tenants/a")]).await.expect("read");
    assert_eq!(said, Diagnostics::new());
    let text = |name: &str| state.str_at(name).unwrap_or_default();
    let newest = (text("newest_supported"), text("newest_supported_minor"));
    assert_eq!(newest, ("v1.30.2", "1.30"));
    assert_eq!((text("requested_version"), text("installed_version")), ("v1.28.3", "v1.28.3"));
    assert_eq!((text("next_version"), steps(&state)), ("v1.29.0", vec!["v1.29.0", "v1.30.0"]));
    let asked = api.asked();
    let question = asked.iter().find(|asked| asked.method == Method::PATCH).expect("asked");
    assert!(question.query.contains("dryRun=All") && question.query.contains("-question"), "{}", question.query);
    api.finish();
}

#[rstest]
#[case::nothing(&[], "", &[])]
#[case::from_a_version(&[("version", "1.34.1")], "v1.35.0", &["v1.35.0", "v1.36.0"])]
#[case::at_the_end(&[("version", "v1.36.4")], "", &[])]
#[tokio::test(start_paused = true)]
async fn without_a_tenant_one_is_asked_for_that_is_never_made(
    #[case] edits: &[(&str, &str)],
    #[case] next: &str,
    #[case] path: &[&str],
) {
    let answer = denied(
        "unable to create a TenantControlPlane with a Kubernetes version greater than the supported one, actually v1.36",
    );
    let api = Scripted::new([
        on(Method::GET, NEW_PATH).answers(404, &not_found("tenantcontrolplanes", "kamaji-versions")),
        on(Method::PATCH, NEW_PATH).answers(403, &answer),
    ]);
    let (state, said) = read(&api, edits).await.expect("read");
    assert_eq!(said, Diagnostics::new());
    assert_eq!(state.str_at("newest_supported"), Some("v1.36"));
    assert_eq!((state.str_at("next_version").unwrap_or_default(), steps(&state)), (next, path.to_vec()));
    assert_eq!(state.get("upgrade_steps").is_null(), edits.is_empty());
    let body = &api.asked()[1].body;
    assert!(body["spec"]["networkProfile"].is_object() && body["spec"]["kubernetes"]["kubelet"].is_object(), "{body}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_kamaji_that_does_not_say_is_a_warning() {
    let taken = tenant("a", "7", &json!({"kubernetes": {"version": "v1.999.0"}}));
    let api = Scripted::new([control_plane(), on(Method::PATCH, TENANT_PATH).answers(200, &taken)]);
    let (state, said) = read(&api, &[(TENANT, "tenants/a")]).await.expect("read");
    assert_eq!(said.iter().map(|it| it.summary.as_str()).collect::<Vec<_>>(), ["Newest supported version not known"]);
    assert!(state.get("newest_supported").is_null());
    assert_eq!(steps(&state), ["v1.29.0"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_an_error() {
    let missing = on(Method::GET, TENANT_PATH).answers(404, &not_found("tenantcontrolplanes", "a"));
    let said = read(&Scripted::new([missing]), &[(TENANT, "tenants/a")]).await.expect_err("missing");
    assert!(said.iter().any(|it| it.summary == "Tenant control plane does not exist"), "{said:?}");
    let forbidden = failure(403, "Forbidden", "no right", &json!({}));
    let api = Scripted::new([control_plane(), on(Method::PATCH, TENANT_PATH).answers(403, &forbidden)]);
    assert!(read(&api, &[(TENANT, "tenants/a")]).await.is_err());
}

#[test]
fn a_tenant_and_a_version_do_not_go_together() {
    let mut config = SCHEMA.null_object();
    config.set(TENANT, "tenants/a".into());
    config.set("version", "v1.30.0".into());
    let said = Versions::new(Arc::new(Configured::default())).validate(&config);
    assert_eq!(said.iter().map(|it| it.path.to_string()).collect::<Vec<_>>(), ["version"]);
}
