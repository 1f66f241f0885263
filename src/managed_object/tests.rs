//! The life of an object against a scripted API server: nothing lost, nothing adopted by accident, nothing overwritten
//! that is newer.

mod listing;
mod older_state;
mod taking_over;

use std::sync::Arc;

use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, Checkpoint, Context, DeleteRequest, ReadRequest, Resource as _};
use tfplugin::{Diagnostics, Path, Value};

use super::memory::{Memory, NONCE};
use super::{Managed as _, ManagedResource};
use crate::configured::Configured;
use crate::datastore::DataStore;
use crate::management_cluster::scripted::{Scripted, Step, event, failure, list_of, not_found, on};

const STORES: &str = "/apis/kamaji.clastix.io/v1alpha1/datastores";
const STORE: &str = "/apis/kamaji.clastix.io/v1alpha1/datastores/d";
const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/datastores.kamaji.clastix.io";

fn resource(api: &Scripted) -> ManagedResource<DataStore> {
    ManagedResource::new(DataStore::default(), Arc::new(Configured::of(api.cluster())))
}

/// No control plane uses the datastore.
fn unused() -> Step {
    on(Method::GET, "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes").answers(200, &list_of("5", &[]))
}

/// Kamaji without `status.ready`.
fn old_kamaji() -> Step {
    on(Method::GET, CRD).answers(404, &not_found("customresourcedefinitions", "x")).always()
}

fn live(labels: &Json, annotations: &Json) -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "DataStore",
        "metadata": {"name": "d", "uid": "uid-1", "generation": 1, "resourceVersion": "7",
            "labels": labels, "annotations": annotations},
        "spec": {"driver": "NATS", "endpoints": ["n:4222"]}})
}

fn config(team: &str) -> Value {
    let mut config = DataStore::default().schema().null_object();
    config.set("name", "d".into());
    config.set("driver", "NATS".into());
    config.set("endpoints", Value::strings(["n:4222"]));
    config.set("labels", Value::object([("team", Value::from(team))]));
    config.set("timeouts.create", "30s".into());
    config.set("check_connection", "off".into());
    config
}

fn planned(team: &str) -> Value {
    let mut planned = config(team);
    for name in ["id", "uid", "used_by"] {
        planned.set(name, Value::Unknown);
    }
    planned.set("labels_all", planned.get("labels").clone());
    planned
}

fn stored(team: &str) -> Value {
    let mut state = config(team);
    state.set("id", "d".into());
    state.set("uid", "uid-1".into());
    state.set("used_by", Value::strings(Vec::<String>::new()));
    state.set("labels_all", state.get("labels").clone());
    state
}

fn memory(team: &str) -> Private {
    let applied = json!({"metadata": {"name": "d", "labels": {"team": team}},
        "spec": {"driver": "NATS", "endpoints": ["n:4222"]}});
    Private::write(&Memory {
        applied: applied.as_object().cloned().unwrap_or_default(),
        nonce: "n1".to_owned(),
        was_ready: true,
        ..Memory::default()
    })
}

fn nonce(nonce: &str) -> Private {
    Private::write(&Memory { nonce: nonce.to_owned(), ..Memory::default() })
}

fn apply(prior: Value, planned: Value, private: Private) -> ApplyRequest {
    ApplyRequest { prior, config: planned.clone(), planned, private, checkpoint: Checkpoint::default() }
}

fn summaries(diagnostics: &Diagnostics) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect()
}

fn missing() -> Step {
    on(Method::GET, STORE).answers(404, &not_found("datastores", "d"))
}

#[tokio::test(start_paused = true)]
async fn a_create_asks_whether_the_name_is_free_and_carries_its_nonce() {
    let made = live(&json!({"team": "a"}), &json!({NONCE: "n1"}));
    let api = Scripted::new([missing(), on(Method::PATCH, STORE).answers(200, &made), old_kamaji()]);
    let request = apply(Value::Null, planned("a"), nonce("n1"));
    let response = resource(&api).create(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(response.state, stored("a"));
    assert_eq!(api.asked()[1].body["metadata"]["annotations"][NONCE], "n1");
    assert!(response.private.read::<Memory>().was_ready);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_create_does_not_adopt_what_exists() {
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &live(&json!({}), &json!({})))]);
    let request = apply(Value::Null, planned("a"), nonce("n1"));
    let response = resource(&api).create(&Context::default(), request).await;
    assert_eq!(response.state, Value::Null);
    let error = response.diagnostics.iter().next().expect("an error");
    assert!(error.detail.contains("terraform import kamaji_datastore.<name> d"), "{}", error.detail);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_create_without_an_answer_is_in_the_state_and_found_by_its_nonce() {
    let api = Scripted::new([missing(), on(Method::PATCH, STORE).reset().always()]);
    let request = apply(Value::Null, planned("a"), nonce("n1"));
    let response = resource(&api).create(&Context::default(), request).await;
    assert!(response.diagnostics.has_errors());
    assert!(response.state.get("uid").is_null() && response.state.str_at("name") == Some("d"));

    let read = |found: Json| {
        let (state, private) = (response.state.clone(), response.private.clone());
        async move {
            let api = Scripted::new([on(Method::GET, STORE).answers(200, &found)]);
            resource(&api).read(&Context::default(), ReadRequest { state, private }).await
        }
    };
    let arrived = read(live(&json!({"team": "a"}), &json!({NONCE: "n1"}))).await;
    assert_eq!(arrived.state, stored("a"));
    let foreign = read(live(&json!({"team": "a"}), &json!({}))).await;
    assert_eq!(foreign.state, Value::Null);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_made_anew_by_somebody_is_an_error() {
    let mut other = live(&json!({}), &json!({}));
    other["metadata"]["uid"] = json!("uid-2");
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &other)]);
    let request = ReadRequest { state: stored("a"), private: memory("a") };
    let response = resource(&api).read(&Context::default(), request).await;
    assert_eq!(summaries(&response.diagnostics), ["Object was replaced outside Terraform"]);
    assert_eq!(response.state, stored("a"));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_leaves_the_state_without_a_word() {
    let api = Scripted::new([missing()]);
    let request = ReadRequest { state: stored("a"), private: memory("a") };
    let response = resource(&api).read(&Context::default(), request).await;
    assert_eq!((response.state, response.diagnostics), (Value::Null, Diagnostics::new()));
}

fn conflict(manager: &str, update: bool) -> Json {
    let using = if update { " using kamaji.clastix.io/v1alpha1" } else { "" };
    let cause = json!({"reason": "FieldManagerConflict", "field": ".metadata.labels.team",
        "message": format!("conflict with {manager:?}{using}")});
    failure(409, "Conflict", "Apply failed with 1 conflict", &json!({"causes": [cause]}))
}

#[tokio::test(start_paused = true)]
async fn a_one_off_change_of_ours_is_taken_back_but_nothing_newer_is_overwritten() {
    let now = live(&json!({"team": "z"}), &json!({}));
    let api = Scripted::new([
        on(Method::GET, STORE).answers(200, &now),
        on(Method::PATCH, STORE).answers(409, &conflict("kubectl-label", true)),
        on(Method::GET, STORE).answers(200, &now),
        on(Method::PATCH, STORE).answers(200, &live(&json!({"team": "b"}), &json!({}))),
        old_kamaji(),
    ]);
    // The refresh has shown the change.
    let request = apply(stored("z"), stored("b"), memory("a"));
    let response = resource(&api).update(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    let forced = &api.asked()[3];
    assert!(forced.query.contains("force=true"), "{}", forced.query);
    assert_eq!(forced.body["metadata"]["resourceVersion"], "7");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_plan_did_not_show_is_not_taken_back() {
    let now = live(&json!({"team": "z"}), &json!({}));
    let api = Scripted::new([
        on(Method::GET, STORE).answers(200, &now),
        on(Method::PATCH, STORE).answers(409, &conflict("kubectl-label", true)),
        on(Method::GET, STORE).answers(200, &now),
    ]);
    let response = resource(&api).update(&Context::default(), apply(stored("a"), stored("b"), memory("a"))).await;
    assert_eq!(summaries(&response.diagnostics), ["Changed since the plan was made"]);
    assert_eq!(response.state, stored("a"));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_update_never_writes_another_object() {
    let mut other = live(&json!({"team": "a"}), &json!({}));
    other["metadata"]["uid"] = json!("uid-2");
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &other)]);
    let response = resource(&api).update(&Context::default(), apply(stored("a"), stored("b"), memory("a"))).await;
    assert_eq!(summaries(&response.diagnostics), ["Object was replaced outside Terraform"]);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_declarative_owner_is_the_users_decision() {
    let now = live(&json!({"team": "z"}), &json!({}));
    let api = Scripted::new([
        on(Method::GET, STORE).answers(200, &now),
        on(Method::PATCH, STORE).answers(409, &conflict("argocd-controller", false)),
    ]);
    let request = apply(stored("a"), stored("b"), memory("a"));
    let response = resource(&api).update(&Context::default(), request).await;
    assert_eq!(response.state, stored("a"));
    let error = response.diagnostics.iter().next().expect("an error");
    assert_eq!(error.path, Path::of("labels").key("team"));
    assert!(error.detail.contains("argocd-controller") && error.detail.contains("force_conflicts"), "{}", error.detail);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_providers_own_settings_sends_nothing() {
    let api = Scripted::new([]);
    let mut planned = stored("a");
    planned.set("deletion_protection", false.into());
    let response = resource(&api).update(&Context::default(), apply(stored("a"), planned.clone(), memory("a"))).await;
    assert_eq!((response.state, response.diagnostics), (planned, Diagnostics::new()));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_protected_object_is_not_deleted() {
    let api = Scripted::new([]);
    let request = DeleteRequest { prior: stored("a"), private: Private::default() };
    let diagnostics = resource(&api).delete(&Context::default(), request).await;
    assert_eq!(summaries(&diagnostics), ["Protected against deletion"]);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_delete_means_one_uid_and_waits_for_its_end() {
    let mut going = live(&json!({}), &json!({}));
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let api = Scripted::new([
        unused(),
        on(Method::DELETE, STORE).answers(200, &going),
        on(Method::GET, STORES).answers(200, &list_of("8", &[going.clone()])),
        on(Method::GET, STORES).streams(&[event("DELETED", &going)]),
    ]);
    let mut prior = stored("a");
    prior.set("deletion_protection", false.into());
    let request = DeleteRequest { prior, private: Private::default() };
    let diagnostics = resource(&api).delete(&Context::default(), request).await;
    assert_eq!(diagnostics, Diagnostics::new());
    assert_eq!(api.asked()[1].body["preconditions"]["uid"], "uid-1");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_delete_keeps_the_object_in_the_state() {
    let going = live(&json!({}), &json!({}));
    let api = Scripted::new([
        unused(),
        on(Method::DELETE, STORE).answers(200, &going),
        on(Method::GET, STORES).answers(200, &list_of("8", &[going])),
        on(Method::GET, STORES).streams(&[]).always(),
    ]);
    let cx = Context::default();
    let stop = cx.stop.clone();
    let mut prior = stored("a");
    prior.set("deletion_protection", false.into());
    let resource = resource(&api);
    let deleting = resource.delete(&cx, DeleteRequest { prior, private: Private::default() });
    let interrupting = async {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        stop.cancel();
    };
    let (diagnostics, ()) = tokio::join!(deleting, interrupting);
    assert!(diagnostics.has_errors());
}
