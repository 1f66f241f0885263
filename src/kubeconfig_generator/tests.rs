//! A generator against a scripted API server.

use std::sync::Arc;

use http::Method;
use serde_json::json;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, Checkpoint, Context, DeleteRequest, Resource as _};

use super::*;
use crate::configured::Configured;
use crate::managed_object::ManagedResource;
use crate::management_cluster::scripted::{Scripted, event, list_of, not_found, on};

const ALL: &str = "/apis/kamaji.clastix.io/v1alpha1/kubeconfiggenerators";
const ONE: &str = "/apis/kamaji.clastix.io/v1alpha1/kubeconfiggenerators/ops";
const SECRETS: &str = "/api/v1/secrets";

fn resource(api: &Scripted) -> ManagedResource<KubeconfigGenerator> {
    ManagedResource::new(KubeconfigGenerator, Arc::new(Configured::of(api.cluster())))
}

fn config() -> Value {
    let mut config = schema::SCHEMA.null_object();
    config.set("name", "ops".into());
    config.set("user.string_value", "ops".into());
    config.set("user.from_definition", Value::Null);
    config
}

fn planned() -> Value {
    let mut planned = config();
    for name in ["id", "uid", "resources", "available_resources", "errors"] {
        planned.set(name, Value::Unknown);
    }
    planned
}

fn live(status: &Json) -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "KubeconfigGenerator",
        "metadata": {"name": "ops", "uid": "u", "generation": 1, "resourceVersion": "3"},
        "spec": {"user": {"stringValue": "ops"}, "controlPlaneEndpointFrom": "admin.svc"}, "status": status})
}

async fn create(seen: &[Json]) -> (Value, Diagnostics) {
    let events: Vec<Json> = seen.iter().map(|seen| event("MODIFIED", seen)).collect();
    let api = Scripted::new([
        on(Method::GET, ONE).answers(404, &not_found("kubeconfiggenerators", "ops")),
        on(Method::PATCH, ONE).answers(201, &live(&json!({}))),
        on(Method::GET, ALL).answers(200, &list_of("3", &[live(&json!({}))])),
        on(Method::GET, ALL).streams(&events).always(),
    ]);
    let request = ApplyRequest {
        prior: Value::Null,
        config: config(),
        planned: planned(),
        private: Private::default(),
        checkpoint: Checkpoint::default(),
    };
    let response = resource(&api).create(&Context::default(), request).await;
    (response.state, response.diagnostics)
}

#[tokio::test(start_paused = true)]
async fn a_create_waits_until_every_kubeconfig_is_there() {
    let status = |available: i64| {
        json!({"resources": 2, "availableResources": available, "observedGeneration": 1,
        "errors": if available < 2 { json!([{"resource": "t/a", "message": "not ready"}]) } else { json!([]) }})
    };
    let (state, said) = create(&[live(&status(1)), live(&status(2))]).await;
    assert_eq!(said, Diagnostics::new());
    assert_eq!(state.get("available_resources"), &2.into());
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_one_control_plane_is_a_warning_with_its_name() {
    let status = json!({"resources": 1, "availableResources": 0, "observedGeneration": 1,
        "errors": [{"resource": "t/a", "message": "no such key"}]});
    let (state, said) = create(&[live(&status)]).await;
    let warning = said.iter().next().expect("a warning");
    assert_eq!(warning.detail, "t/a: no such key");
    assert!(!said.has_errors() && state.get("uid").is_set());
}

#[tokio::test(start_paused = true)]
async fn without_a_controller_the_apply_says_so() {
    let (state, said) = create(&[]).await;
    assert_eq!(said.iter().map(|said| said.summary.as_str()).collect::<Vec<_>>(), ["No controller answers"]);
    assert_eq!(state.get("resources"), &Value::Null);
}

#[rstest::rstest]
#[case::keep("keep", &["Generated Secrets stay"])]
#[case::delete("delete", &[])]
#[tokio::test(start_paused = true)]
async fn a_destroy_lists_or_removes_what_was_generated(#[case] choice: &str, #[case] says: &[&str]) {
    let gone = json!({"kind": "Status", "status": "Success"});
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "a-ops", "namespace": "t", "uid": "s", "resourceVersion": "1"}});
    let delete = on(Method::DELETE, "/api/v1/namespaces/t/secrets/a-ops").answers(200, &gone);
    let api = Scripted::new(
        [
            on(Method::DELETE, ONE).answers(200, &gone),
            on(Method::GET, ONE).answers(404, &not_found("kubeconfiggenerators", "ops")),
            on(Method::GET, SECRETS).answers(200, &list_of("5", &[secret])),
        ]
        .into_iter()
        .chain((choice == "delete").then_some(delete)),
    );
    let mut prior = planned();
    prior.set("uid", "u".into());
    prior.set("secrets_on_destroy", choice.into());
    let said = resource(&api).delete(&Context::default(), DeleteRequest { prior, private: Private::default() }).await;
    assert_eq!(said.iter().map(|said| said.summary.as_str()).collect::<Vec<_>>(), says);
    assert!(!said.has_errors());
    api.finish();
}
