use std::sync::Arc;

use http::Method;
use serde_json::json;
use tfplugin::data_source::DataSource as _;
use tfplugin::ephemeral::{EphemeralResource as _, Opened};
use tfplugin::resource::Context;
use tfplugin::{Diagnostics, Value};

use super::schema::{DATA_SOURCE, RESULTS};
use super::source::LIMIT;
use super::*;
use crate::management_cluster::scripted::{Scripted, not_found, on};
use crate::tenant_cluster::tests::{
    CA, CONTROL_PLANE, KUBECONFIG, both, control_plane, going, kubeconfigs, management,
};

async fn open(management: &Scripted, user: Value) -> Result<Opened, Diagnostics> {
    let mut config = EPHEMERAL.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    config.set("user", user);
    Kubeconfig::new(Arc::new(Configured::of(management.cluster()))).open(&Context::default(), config).await
}

fn text(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|diagnostic| format!("{}: {}", diagnostic.summary, diagnostic.detail)).collect()
}

#[rstest::rstest]
#[case::default(Value::Null, "super-admin.conf")]
#[case::super_admin("super-admin".into(), "super-admin.conf")]
#[case::admin("admin".into(), "admin.conf")]
#[tokio::test(start_paused = true)]
async fn the_kubeconfig_of_the_user_is_taken_apart(#[case] user: Value, #[case] key: &str) {
    let opened = open(&Scripted::new(management(&control_plane())), user.clone()).await.unwrap();
    let result = opened.result;
    assert_eq!(result.str_at("tenant_control_plane_id"), Some("tenants/a"));
    assert_eq!(result.get("user"), &user);
    assert_eq!(result.str_at("host"), Some("https://10.0.0.1:6443"));
    assert_eq!(result.str_at("cluster_ca_certificate"), Some(CA));
    assert_eq!(result.str_at("client_certificate"), Some(format!("certificate of {key}").as_str()));
    assert_eq!(result.str_at("client_key"), Some(format!("planted key of {key}").as_str()));
    assert!(result.str_at("kubeconfig").unwrap().contains(&format!("current-context: {key}")));
    assert!(opened.private.is_empty() && opened.diagnostics.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_does_not_exist_is_named_with_the_form_to_write() {
    let api = Scripted::new([on(Method::GET, CONTROL_PLANE).answers(404, &not_found("tenantcontrolplanes", "a"))]);
    let error = text(&open(&api, Value::Null).await.unwrap_err());
    assert!(error.contains("tenants/a"), "{error}");
    assert!(error.contains("tenant_control_plane_id = kamaji_tenant_control_plane.<name>.id"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_kubeconfig_that_is_not_there_yet_is_waited_for() {
    let mut early = control_plane();
    early["status"] = json!({});
    let api = Scripted::new([
        on(Method::GET, CONTROL_PLANE).answers(200, &early),
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()),
        on(Method::GET, KUBECONFIG).answers(200, &kubeconfigs(&["admin.conf"])),
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()),
        on(Method::GET, KUBECONFIG).answers(200, &both()),
    ]);
    assert!(open(&api, Value::Null).await.is_ok());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_kubeconfig_that_never_comes_is_an_error_after_a_minute() {
    let mut early = control_plane();
    early["status"] = json!({});
    let api = Scripted::new([on(Method::GET, CONTROL_PLANE).answers(200, &early).always()]);
    let started = tokio::time::Instant::now();
    let error = text(&open(&api, Value::Null).await.unwrap_err());
    assert!(error.contains("super-admin.conf for TenantControlPlane tenants/a"), "{error}");
    assert!(started.elapsed() <= LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_on_its_way_out_gives_null_and_a_warning_so_that_a_destroy_can_be_repeated() {
    let api = Scripted::new([
        on(Method::GET, CONTROL_PLANE).answers(200, &going(control_plane())),
        on(Method::GET, KUBECONFIG).answers(404, &not_found("secrets", "a-admin-kubeconfig")),
    ]);
    let opened = open(&api, Value::Null).await.unwrap();
    assert!(RESULTS.iter().all(|attribute| opened.result.get(attribute).is_null()));
    assert!(!opened.diagnostics.is_empty() && !opened.diagnostics.has_errors());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_on_its_way_out_still_has_its_kubeconfig() {
    let api = Scripted::new(management(&going(control_plane())));
    assert!(open(&api, Value::Null).await.unwrap().result.get("client_key").is_set());
}

#[tokio::test(start_paused = true)]
async fn what_a_generator_has_made_is_waited_for() {
    const SECRET: &str = "/api/v1/namespaces/tenants/secrets/a-ops";
    let made = |key: &str| {
        json!({"metadata": {"name": "a-ops", "namespace": "tenants"}, "type": "Opaque",
        "data": {"value": both()["data"][key]}})
    };
    let management = Scripted::new([
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()).always(),
        on(Method::GET, SECRET).answers(404, &not_found("secrets", "a-ops")),
        on(Method::GET, SECRET).answers(200, &made("admin.conf")),
    ]);
    let mut config = EPHEMERAL.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    config.set("generator", "ops".into());
    let kubeconfig = Kubeconfig::new(Arc::new(Configured::of(management.cluster())));
    let opened = kubeconfig.open(&Context::default(), config.clone()).await.unwrap();
    assert_eq!(opened.result.str_at("client_certificate"), Some("certificate of admin.conf"));
    assert!(opened.result.get("token").is_null());
    management.finish();

    let management = Scripted::new([
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()).always(),
        on(Method::GET, SECRET).answers(404, &not_found("secrets", "a-ops")).always(),
    ]);
    let kubeconfig = Kubeconfig::new(Arc::new(Configured::of(management.cluster())));
    let error = text(&kubeconfig.open(&Context::default(), config.clone()).await.unwrap_err());
    assert!(error.contains("tenants/a-ops") && error.contains("kubeconfigGenerator.enabled=true"), "{error}");
    config.set("user", "admin".into());
    assert!(text(&kubeconfig.validate(&config)).contains("chosen twice"));
}

#[tokio::test(start_paused = true)]
async fn the_data_source_says_once_a_run_that_the_key_is_in_the_state() {
    let management = Scripted::new(management(&control_plane()));
    let source = KubeconfigInState::new(Arc::new(Configured::of(management.cluster())));
    let mut config = DATA_SOURCE.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    let mut accepting = config.clone();
    accepting.set("accept_secret_in_state", true.into());
    let (accepted, said) = source.read(&Context::default(), accepting).await.unwrap();
    assert!(said.is_empty());
    let (read, said) = source.read(&Context::default(), config.clone()).await.unwrap();
    assert!(text(&said).contains("stored in the state") && !text(&said).contains("planted"));
    assert!(source.read(&Context::default(), config).await.unwrap().1.is_empty());
    assert_eq!(read.str_at("client_key"), Some("planted key of super-admin.conf"));
    assert_eq!(RESULTS.map(|name| read.get(name).clone()), RESULTS.map(|name| accepted.get(name).clone()));
}
