//! A datastore's Secret and its users, against a scripted API server.

use http::Method;
use serde_json::json;
use tfplugin::private::Private;
use tfplugin::resource::{
    ApplyRequest, Checkpoint, Context, DeleteRequest, Plan, PlanRequest, ReadRequest, Resource as _,
};

use super::*;
use crate::managed_object::ManagedResource;
use crate::management_cluster::scripted::{Scripted, Step, failure, list_of, not_found, on};

const STORE: &str = "/apis/kamaji.clastix.io/v1alpha1/datastores/d";
const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/datastores.kamaji.clastix.io";
const KEPT: &str = "/api/v1/namespaces/kamaji-system/secrets/d-credentials";
const OTHERS: &str = "/api/v1/namespaces/db/secrets/admin";
const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes";
/// "new", in base64.
const NEW: &str = "bmV3";
/// "old", in base64.
const OLD: &str = "b2xk";

fn resource(api: &Scripted) -> ManagedResource<DataStore> {
    let shared = Arc::new(Configured::of(api.cluster()));
    ManagedResource::new(DataStore::new(Arc::clone(&shared)), shared)
}

/// With the user in a Secret of others, and the password kept by the provider; no connection is made.
fn config(version: i64) -> Value {
    let mut config = schema::SCHEMA.null_object();
    config.set("name", "d".into());
    config.set("driver", "PostgreSQL".into());
    config.set("endpoints", Value::strings(["db:5432"]));
    config.set("check_connection", "off".into());
    config.set("basic_auth.username.secret_reference.name", "admin".into());
    config.set("basic_auth.username.secret_reference.namespace", "db".into());
    config.set("basic_auth.username.secret_reference.key_path", "user".into());
    config.set("basic_auth.password.content_wo", "new".into());
    config.set("basic_auth.password.content_wo_version", version.into());
    config.set("deletion_protection", false.into());
    config.set("timeouts.create", "30s".into());
    config.set("timeouts.update", "30s".into());
    config
}

fn planned(version: i64) -> Value {
    let mut planned = config(version);
    planned.set("basic_auth.password.content_wo", Value::Null);
    for name in ["id", "uid", "used_by", "ready"] {
        planned.set(name, Value::Unknown);
    }
    planned
}

fn stored(version: i64) -> Value {
    let mut state = planned(version);
    for (name, value) in [("id", "d".into()), ("uid", "uid-1".into()), ("used_by", Value::strings(["t/a"]))] {
        state.set(name, value);
    }
    state.set("ready", Value::Null);
    state
}

fn live() -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "DataStore",
    "metadata": {"name": "d", "uid": "uid-1", "generation": 1, "resourceVersion": "7"},
    "spec": {"driver": "PostgreSQL", "endpoints": ["db:5432"], "basicAuth": {
        "username": {"secretReference": {"name": "admin", "namespace": "db", "keyPath": "user"}},
        "password": {"secretReference": {"name": "d-credentials", "namespace": "kamaji-system", "keyPath": "password"}},
    }}})
}

fn secret(owner: &str, data: &Json) -> Json {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "y", "uid": "uid-s",
        "annotations": {"terraform.kamaji.clastix.io/datastore": owner}}, "data": data})
}

fn old_kamaji() -> Step {
    on(Method::GET, CRD).answers(404, &not_found("customresourcedefinitions", "x")).always()
}

fn user_of_others() -> Step {
    on(Method::GET, OTHERS).answers(200, &secret("", &json!({"user": "cm9vdA=="}))).always()
}

fn no_store() -> Step {
    on(Method::GET, STORE).answers(404, &not_found("datastores", "d"))
}

fn no_secret() -> Step {
    on(Method::GET, KEPT).answers(404, &not_found("secrets", "d-credentials"))
}

fn create() -> ApplyRequest {
    ApplyRequest {
        prior: Value::Null,
        config: config(1),
        planned: planned(1),
        private: Private::default(),
        checkpoint: Checkpoint::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_only_password_goes_into_a_secret_that_the_datastore_refers_to_and_nowhere_else() {
    let kept = secret("d", &json!({"password": NEW}));
    let api = Scripted::new([
        no_store(),
        user_of_others(),
        no_secret(),
        on(Method::PATCH, KEPT).answers(200, &kept),
        on(Method::PATCH, STORE).answers(200, &live()),
        on(Method::GET, KEPT).answers(200, &kept),
        old_kamaji(),
    ]);
    let response = resource(&api).create(&Context::default(), create()).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    let asked = api.asked();
    let wrote = |path: &str| asked.iter().find(|it| it.method == Method::PATCH && it.path == path).expect("written");
    assert_eq!(wrote(KEPT).body["data"], json!({"password": NEW}));
    let sent = wrote(STORE).body.clone();
    assert_eq!(sent["spec"], live()["spec"]);
    assert_eq!(sent["metadata"]["annotations"][CREDENTIALS], "password=1");
    let state = format!("{:?}{:?}", response.state, String::from_utf8(response.private.into_bytes()));
    assert!(!state.contains("new") && !state.contains(NEW), "{state}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_somebody_else_is_not_overwritten() {
    let foreign = secret("other", &json!({}));
    let api = Scripted::new([no_store(), user_of_others(), on(Method::GET, KEPT).answers(200, &foreign)]);
    let response = resource(&api).create(&Context::default(), create()).await;
    assert_eq!(response.state, Value::Null);
    let error = response.diagnostics.iter().next().expect("an error");
    assert_eq!(
        (error.summary.as_str(), error.path.to_string().as_str()),
        ("Secret exists already", "credentials_secret")
    );
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_takes_its_secret_with_it() {
    let kept = secret("d", &json!({"password": NEW}));
    let refused = failure(422, "Invalid", "DataStore is invalid", &json!({"causes": []}));
    let api = Scripted::new([
        no_store(),
        user_of_others(),
        no_secret(),
        on(Method::PATCH, KEPT).answers(200, &kept),
        on(Method::PATCH, STORE).answers(422, &refused),
        on(Method::GET, KEPT).answers(200, &kept),
        on(Method::DELETE, KEPT).answers(200, &json!({"kind": "Status", "status": "Success"})),
    ]);
    let response = resource(&api).create(&Context::default(), create()).await;
    assert!(response.diagnostics.has_errors() && response.state.is_null());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_new_version_sends_the_value_and_waits_for_the_tenants() {
    let before = secret("d", &json!({"password": OLD}));
    let after = secret("d", &json!({"password": NEW}));
    let tenant = json!({"metadata": {"name": "a", "namespace": "t", "generation": 1},
        "spec": {"dataStore": "d", "controlPlane": {"deployment": {"replicas": 0}}},
        "status": {"storage": {"dataStoreName": "d"}}});
    let path = "/apis/kamaji.clastix.io/v1alpha1/namespaces/t/tenantcontrolplanes/a";
    let api = Scripted::new([
        on(Method::GET, STORE).answers(200, &live()),
        user_of_others(),
        on(Method::GET, KEPT).answers(200, &before),
        on(Method::PATCH, KEPT).answers(200, &after),
        on(Method::PATCH, STORE).answers(200, &live()),
        old_kamaji(),
        on(Method::GET, KEPT).answers(200, &after),
        on(Method::GET, TENANTS).answers(200, &list_of("9", std::slice::from_ref(&tenant))).always(),
        on(Method::GET, path).answers(200, &tenant).always(),
        on(Method::GET, "/apis/apps/v1/namespaces/t/deployments/a")
            .answers(404, &not_found("deployments", "a"))
            .always(),
    ]);
    let request = ApplyRequest {
        prior: stored(1),
        config: config(2),
        planned: {
            let mut planned = stored(2);
            planned.set("used_by", Value::strings(["t/a"]));
            planned
        },
        ..create()
    };
    let response = resource(&api).update(&Context::default(), request).await;
    let error = response.diagnostics.iter().next().expect("the tenant is not ready");
    assert_eq!(error.summary, "Tenants have not rolled out in time");
    assert!(error.detail.contains("t/a: "), "{}", error.detail);
    assert_eq!(response.state.get("basic_auth.password.content_wo_version"), &2.into());
    let wrote = api.asked().into_iter().find(|it| it.method == Method::PATCH && it.path == STORE).expect("written");
    assert_eq!(wrote.body["metadata"]["annotations"][CREDENTIALS], "password=2");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refresh_finds_that_the_secret_is_gone_and_the_next_apply_writes_it_again() {
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &live()), user_of_others(), no_secret()]);
    let memory = Memory { was_ready: true, nonce: "n".to_owned(), ..Memory::default() };
    let request = ReadRequest { state: stored(1), private: Private::write(&memory) };
    let response = resource(&api).read(&Context::default(), request).await;
    assert!(response.state.get("basic_auth.password.content_wo_version").is_null());
    let warning = response.diagnostics.iter().next().expect("a warning");
    assert!(warning.detail.contains("kamaji-system/d-credentials"), "{}", warning.detail);
    api.finish();
}

fn destroy_plan(api: &Scripted) -> impl Future<Output = Plan> {
    let resource = resource(api);
    let memory = Private::write(&Memory { was_ready: true, ..Memory::default() });
    let plan = Plan {
        planned: Value::Null,
        requires_replace: Vec::new(),
        private: memory.clone(),
        diagnostics: Diagnostics::new(),
    };
    let request = PlanRequest { prior: stored(1), config: Value::Null, private: memory };
    async move { resource.plan(&Context::default(), request, plan).await }
}

#[tokio::test(start_paused = true)]
async fn a_destroy_is_refused_while_tenants_use_it_in_any_way() {
    let tenant = |name: &str, spec: &Json, now: &str| json!({"metadata": {"name": name, "namespace": "t"}, "spec": spec, "status": {"storage": {"dataStoreName": now}}});
    let all = [
        tenant("a", &json!({"dataStore": "d"}), "d"),
        tenant("b", &json!({"dataStore": "d"}), "e"),
        tenant("c", &json!({"dataStore": "e", "dataStoreOverrides": [{"resource": "/events", "dataStore": "d"}]}), "e"),
        tenant("x", &json!({"dataStore": "e"}), "e"),
    ];
    let api = Scripted::new([on(Method::GET, TENANTS).answers(200, &list_of("9", &all))]);
    let plan = destroy_plan(&api).await;
    let error = plan.diagnostics.iter().next().expect("refused");
    assert_eq!(error.summary, "Datastore is in use");
    for name in ["- t/a\n", "t/b (its data are to move there)", "t/c (override for /events)"] {
        assert!(error.detail.contains(name), "{}", error.detail);
    }
    assert!(!error.detail.contains("t/x"), "{}", error.detail);
    api.finish();
}

/// No control plane is there.
fn nobody() -> Step {
    on(Method::GET, TENANTS).answers(200, &list_of("9", &[]))
}

fn it_goes_with_its_secret() -> [Step; 4] {
    let gone = json!({"kind": "Status", "status": "Success"});
    [
        on(Method::DELETE, STORE).answers(200, &gone),
        no_store(),
        on(Method::GET, KEPT).answers(200, &secret("d", &json!({}))),
        on(Method::DELETE, KEPT).answers(200, &gone),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_unused_datastore_goes_and_its_secret_goes_last() {
    let api = Scripted::new([nobody()].into_iter().chain(it_goes_with_its_secret()));
    let request = DeleteRequest { prior: stored(1), private: Private::default() };
    assert_eq!(resource(&api).delete(&Context::default(), request).await, Diagnostics::new());
    api.finish();
}

fn denies_the_end() -> Step {
    let text = "admission webhook \"vdatastore.kb.io\" denied the request: the DataStore is used by multiple \
                TenantControlPlanes and cannot be removed";
    on(Method::DELETE, STORE).answers(403, &failure(403, "Forbidden", text, &json!({})))
}

/// Kamaji v1.0.0 still sees a tenant that has gone a moment before.
#[tokio::test(start_paused = true)]
async fn a_tenant_that_only_kamaji_still_sees_does_not_keep_the_datastore() {
    let api = Scripted::new([nobody(), denies_the_end(), nobody()].into_iter().chain(it_goes_with_its_secret()));
    let request = DeleteRequest { prior: stored(1), private: Private::default() };
    assert_eq!(resource(&api).delete(&Context::default(), request).await, Diagnostics::new());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_has_come_since_the_plan_keeps_the_datastore() {
    let tenant = json!({"metadata": {"name": "a", "namespace": "t"}, "spec": {"dataStore": "d"}});
    let api =
        Scripted::new([nobody(), denies_the_end(), on(Method::GET, TENANTS).answers(200, &list_of("9", &[tenant]))]);
    let request = DeleteRequest { prior: stored(1), private: Private::default() };
    let diagnostics = resource(&api).delete(&Context::default(), request).await;
    let error = diagnostics.iter().next().expect("denied");
    assert!(error.detail.contains("is used by multiple TenantControlPlanes and cannot be removed"), "{}", error.detail);
    api.finish();
}
