//! Objects that others made or share: adoption, moves, the fence around a cluster, the provider's defaults.

use tfplugin::plan::propose;
use tfplugin::resource::{MoveRequest, Plan, PlanRequest};

use super::super::memory::NONCE;
use super::*;
use crate::configured::Settings;
use crate::kamaji::metadata::{Ignored, KeyRules, MetadataRules};

fn fenced(api: &Scripted, uid: &str) -> ManagedResource<DataStore> {
    ManagedResource::new(
        DataStore::default(),
        Arc::new(Configured::with(api.cluster(), Some(uid), Settings::default())),
    )
}

/// With these default labels and ignored labels.
fn ruled(api: &Scripted, defaults: &[(&str, &str)], ignored: &[&str]) -> ManagedResource<DataStore> {
    let labels = KeyRules {
        defaults: Value::object(defaults.iter().map(|(key, value)| (*key, Value::from(*value)))),
        ignored: Ignored::of(&Value::strings(ignored.iter().copied())),
    };
    let metadata = MetadataRules { labels, annotations: KeyRules::default() };
    let settings = Settings { metadata, ..Settings::default() };
    ManagedResource::new(DataStore::default(), Arc::new(Configured::with(api.cluster(), None, settings)))
}

fn of_cluster(team: &str, uid: &str) -> Private {
    let memory: Memory = memory(team).read();
    Private::write(&Memory { cluster: uid.to_owned(), ..memory })
}

/// An object whose spec and label belong to a manager.
fn owned_by(manager: &str, operation: &str, team: &str) -> Json {
    let mut object = live(&json!({"team": team}), &json!({}));
    let fields = json!({"f:metadata": {"f:labels": {"f:team": {}}}, "f:spec": {"f:driver": {}, "f:endpoints": {}}});
    object["metadata"]["managedFields"] = json!([{"manager": manager, "operation": operation, "fieldsType": "FieldsV1",
        "apiVersion": "kamaji.clastix.io/v1alpha1", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}]);
    object
}

fn with_ours(object: &Json) -> Json {
    let mut object = object.clone();
    let mut ours = object["metadata"]["managedFields"][0].clone();
    ours["manager"] = json!(crate::configured::FIELD_MANAGER);
    ours["operation"] = json!("Apply");
    object["metadata"]["managedFields"].as_array_mut().expect("entries").push(ours);
    object
}

#[tokio::test(start_paused = true)]
async fn a_create_that_may_adopt_takes_over_what_exists() {
    let found = owned_by("kubectl-client-side-apply", "Update", "old");
    let api = Scripted::new([
        on(Method::GET, STORE).answers(200, &found),
        // Our entry is made with the values that the object has, then the others' fields are taken out of theirs.
        on(Method::PATCH, STORE).answers(200, &with_ours(&found)),
        on(Method::PATCH, STORE).answers(200, &found),
        on(Method::PATCH, STORE).answers(200, &live(&json!({"team": "a"}), &json!({}))),
        old_kamaji(),
    ]);
    let mut planned = planned("a");
    planned.set("adopt_existing", true.into());
    let response = resource(&api).create(&Context::default(), apply(Value::Null, planned, nonce("n1"))).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(response.state.str_at("uid"), Some("uid-1"));
    let asked = api.asked();
    assert_eq!(asked[1].body["metadata"]["labels"]["team"], "old");
    assert!(asked[2].body[1]["path"] == "/metadata/managedFields", "{:?}", asked[2].body);
    assert_eq!(asked[3].body["metadata"]["labels"]["team"], "a");
    assert_eq!(asked[3].body["metadata"]["uid"], "uid-1");
    assert_eq!(asked[3].body["metadata"]["annotations"].get(NONCE), None, "it is no create");
    assert!(response.private.read::<Memory>().was_ready, "it is protected like an imported one");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn the_create_of_a_replacement_adopts_nothing() {
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &live(&json!({}), &json!({})))]);
    let mut planned = planned("a");
    planned.set("adopt_existing", true.into());
    let private = Private::write(&Memory { replacing: true, nonce: "n1".to_owned(), ..Memory::default() });
    let response = resource(&api).create(&Context::default(), apply(Value::Null, planned, private)).await;
    assert_eq!(summaries(&response.diagnostics), ["Object exists already"]);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_moved_object_is_adopted_by_the_next_refresh_with_what_its_manager_had() {
    let state = json!({"manifest": {"value": {"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "DataStore",
        "metadata": {"name": "d"}}, "type": "dynamic"}, "object": {"value": {}, "type": "dynamic"}});
    let found = owned_by("Terraform", "Apply", "a");
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &found)]);
    let resource = resource(&api);
    let moved = resource.move_from(&MoveRequest {
        source_provider: "registry.terraform.io/hashicorp/kubernetes".to_owned(),
        source_type: "kubernetes_manifest".to_owned(),
        source_schema_version: 1,
        state,
    });
    let request = ReadRequest { state: moved.state, private: moved.private };
    let read = resource.read(&Context::default(), request).await;
    assert_eq!(read.diagnostics, Diagnostics::new());
    assert_eq!(read.state.get("labels"), &Value::object([("team", Value::from("a"))]));
    assert_eq!(read.state.str_at("driver"), Some("NATS"));
    let memory: Memory = read.private.read();
    assert_eq!(memory.moved_from, ["Terraform"]);
    assert_eq!(memory.applied["metadata"]["labels"]["team"], "a");
    assert!(!memory.adopting && memory.was_ready);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_missing_in_another_cluster_is_not_gone() {
    let api = Scripted::new([missing()]);
    let request = ReadRequest { state: stored("a"), private: of_cluster("a", "cluster-1") };
    let response = fenced(&api, "cluster-2").read(&Context::default(), request).await;
    assert_eq!(summaries(&response.diagnostics), ["Another management cluster"]);
    assert_eq!(response.state, stored("a"));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_to_and_deleted_from_another_cluster() {
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &live(&json!({"team": "a"}), &json!({})))]);
    let resource = fenced(&api, "cluster-2");
    let request = apply(stored("a"), stored("b"), of_cluster("a", "cluster-1"));
    let response = resource.update(&Context::default(), request).await;
    assert_eq!(summaries(&response.diagnostics), ["Another management cluster"]);
    let mut prior = stored("a");
    prior.set("deletion_protection", false.into());
    let request = DeleteRequest { prior, private: of_cluster("a", "cluster-1") };
    assert_eq!(summaries(&resource.delete(&Context::default(), request).await), ["Another management cluster"]);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn the_cluster_is_remembered_and_asked_once() {
    let kube_system = "/api/v1/namespaces/kube-system";
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "c-1"}});
    let object = live(&json!({"team": "a"}), &json!({}));
    let api = Scripted::new([
        on(Method::GET, STORE).answers(200, &object),
        on(Method::GET, kube_system).answers(200, &namespace),
        on(Method::GET, STORE).answers(200, &object),
    ]);
    let shared = Configured::default();
    shared.replace(crate::configured::Cluster::Ready(api.cluster()), Settings::default());
    let resource = ManagedResource::new(DataStore::default(), Arc::new(shared));
    for _ in 0..2 {
        let request = ReadRequest { state: stored("a"), private: memory("a") };
        let response = resource.read(&Context::default(), request).await;
        assert_eq!(response.private.read::<Memory>().cluster, "c-1");
    }
    api.finish();
}

fn plan_of(resource: &ManagedResource<DataStore>, prior: &Value, config: &Value) -> Plan {
    let mut proposed = config.clone();
    for name in ["id", "uid", "used_by", "labels_all", "annotations_all"] {
        proposed.set(name, prior.get(name).clone());
    }
    let proposal = propose(resource.schema(), prior, config, &proposed);
    Plan {
        planned: proposal.planned,
        requires_replace: Vec::new(),
        private: memory("a"),
        diagnostics: Diagnostics::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_default_of_the_provider_is_an_update_in_place() {
    let updated = live(&json!({"team": "a", "site": "x"}), &json!({}));
    let api = Scripted::new([
        on(Method::PATCH, STORE).answers(200, &updated),
        on(Method::GET, STORE).answers(200, &live(&json!({"team": "a"}), &json!({}))),
        on(Method::PATCH, STORE).answers(200, &updated),
        on(Method::GET, STORE).answers(200, &updated),
        old_kamaji(),
    ]);
    let resource = ruled(&api, &[("site", "x"), ("team", "default")], &[]);
    let config = config("a");
    let plan = plan_of(&resource, &stored("a"), &config);
    let request = PlanRequest { prior: stored("a"), config: config.clone(), private: memory("a") };
    let plan = resource.plan(&Context::default(), request, plan).await;
    assert_eq!(plan.diagnostics, Diagnostics::new());
    let all = Value::object([("site", Value::from("x")), ("team", "a".into())]);
    assert_eq!(plan.planned.get("labels_all"), &all);
    assert_eq!(plan.planned.get("labels"), config.get("labels"));

    let request = apply(stored("a"), plan.planned.clone(), plan.private);
    let response = resource.update(&Context::default(), request).await;
    assert_eq!((response.diagnostics, &response.state), (Diagnostics::new(), &plan.planned));
    assert_eq!(api.asked()[2].body["metadata"]["labels"], json!({"site": "x", "team": "a"}));

    let request = ReadRequest { state: response.state.clone(), private: response.private };
    let read = resource.read(&Context::default(), request).await;
    assert_eq!((read.diagnostics, read.state), (Diagnostics::new(), response.state));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn drift_of_a_default_is_shown_and_an_ignored_label_is_not() {
    let mut state = stored("a");
    let all = [("team", "a"), ("site", "x"), ("cni/ip", "1")].map(|(key, value)| (key, Value::from(value)));
    state.set("labels_all", Value::object(all));
    let found = live(&json!({"team": "a", "site": "y", "cni/ip": "2"}), &json!({}));
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &found)]);
    let resource = ruled(&api, &[("site", "x")], &["^cni/"]);
    let read = resource.read(&Context::default(), ReadRequest { state, private: memory("a") }).await;
    let paths: Vec<String> = read.diagnostics.iter().map(|found| found.path.to_string()).collect();
    assert_eq!(paths, ["labels_all[\"site\"]"]);
    assert_eq!(read.state.get("labels_all"), &Value::object([("site", Value::from("y")), ("team", "a".into())]));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_import_leaves_ignored_labels_out_and_defaults_to_the_provider() {
    let mut found = live(&json!({"team": "a", "site": "x", "cni/ip": "1"}), &json!({}));
    let fields = json!({"f:metadata": {"f:labels": {"f:team": {}, "f:site": {}, "f:cni/ip": {}}},
        "f:spec": {"f:driver": {}, "f:endpoints": {}}});
    found["metadata"]["managedFields"] = json!([{"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1",
        "apiVersion": "kamaji.clastix.io/v1alpha1", "fieldsV1": fields}]);
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &found)]);
    let resource = ruled(&api, &[("site", "x")], &["^cni/"]);
    let stub = resource.import(&Context::default(), "d").await;
    let request = ReadRequest { state: stub.state, private: stub.private };
    let read = resource.read(&Context::default(), request).await;
    assert_eq!(read.state.get("labels"), &Value::object([("team", Value::from("a"))]));
    assert_eq!(read.state.get("labels_all"), &Value::object([("site", Value::from("x")), ("team", "a".into())]));
    let config = tfplugin::plan::to_config(&resource.schema().attributes, &read.state);
    let request = PlanRequest { prior: read.state.clone(), config: config.clone(), private: read.private };
    let plan = plan_of(&resource, &read.state, &config);
    assert_eq!(resource.plan(&Context::default(), request, plan).await.planned, read.state, "the plan is empty");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_import_takes_nothing_that_an_action_wrote() {
    let mut found = owned_by("kubectl", "Update", "a");
    found["metadata"]["annotations"] = json!({"kamaji.clastix.io/paused": "for a backup"});
    let fields = json!({"f:metadata": {"f:annotations": {"f:kamaji.clastix.io/paused": {}}}});
    let action = json!({"manager": "terraform-provider-kamaji-pause", "operation": "Apply", "fieldsType": "FieldsV1",
        "apiVersion": "kamaji.clastix.io/v1alpha1", "fieldsV1": fields});
    found["metadata"]["managedFields"].as_array_mut().expect("entries").push(action);
    let api = Scripted::new([on(Method::GET, STORE).answers(200, &found)]);
    let resource = resource(&api);
    let stub = resource.import(&Context::default(), "d").await;
    let request = ReadRequest { state: stub.state, private: stub.private };
    let read = resource.read(&Context::default(), request).await;
    assert_eq!(read.state.get("labels"), &Value::object([("team", Value::from("a"))]));
    assert!(read.state.get("annotations").is_null(), "{:?}", read.state.get("annotations"));
    let memory: Memory = read.private.read();
    assert!(memory.applied["metadata"].get("annotations").is_none(), "{:?}", memory.applied);
}

#[tokio::test(start_paused = true)]
async fn what_an_autoscaler_set_is_not_claimed_under_ignore_changes() {
    // Core hands the refreshed value back as if it were configured.
    let found = owned_by("operator", "Update", "theirs");
    let api = Scripted::new([
        on(Method::GET, STORE).answers(200, &found),
        on(Method::PATCH, STORE).answers(200, &found),
        old_kamaji(),
    ]);
    let with_site = |state: Value, site: &str| {
        let mut state = state;
        state.set("annotations", Value::object([("site", Value::from(site))]));
        state.set("annotations_all", state.get("annotations").clone());
        state
    };
    let request = apply(with_site(stored("theirs"), "x"), with_site(stored("theirs"), "y"), memory("a"));
    let response = resource(&api).update(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    let sent = &api.asked()[1].body["metadata"];
    assert_eq!((sent.get("labels"), &sent["annotations"]["site"]), (None, &json!("y")));
    api.finish();
}
