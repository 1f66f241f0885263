//! Actions against scripted APIs: one of the management cluster, one of the tenant.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use rstest::rstest;
use serde_json::{Value as Json, json};
use tfplugin::action::{Action as _, Progress};
use tfplugin::resource::Context;
use tfplugin::{Diagnostics, Path, Severity, Value};
use tokio::sync::mpsc::unbounded_channel;

use super::drain_node::DrainNode;
use super::pause::{Pause, Resume};
use super::restart::{RESTARTED_AT, Restart};
use super::{OnTenant, TenantAction};
use crate::configured::{Cluster, Configured, Settings};
use crate::kamaji::tenant_control_plane::PAUSED_ANNOTATION;
use crate::management_cluster::scripted::{Asked, Scripted, Step, event, list_of, not_found, on};
use crate::tenant_cluster::tests::{CONTROL_PLANE, KUBECONFIG, both, connect, deleted, ready};

pub(super) const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes";
pub(super) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/tenants/deployments";
const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tenantcontrolplanes.kamaji.clastix.io";
const NODES: &str = "/api/v1/nodes";

/// A control plane that works, with values elsewhere; what leads nowhere is made.
pub(super) fn live(edits: &[(&str, Json)]) -> Json {
    let mut object = json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "a", "namespace": "tenants", "uid": "uid-a", "generation": 3, "resourceVersion": "7",
            "annotations": {}},
        "spec": {"dataStore": "d", "kubernetes": {"version": "v1.30.2"}, "writePermissions": {},
            "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "ClusterIP"}}},
        "status": {"observedGeneration": 3, "controlPlaneEndpoint": "10.0.0.1:6443",
            "storage": {"dataStoreName": "d"},
            "certificates": {"ca": {"secretName": "a-ca"}},
            "kubeconfig": {"admin": {"secretName": "a-admin-kubeconfig"}},
            "kubernetesResources": {"version": {"status": "Ready", "version": "v1.30.2"}}}});
    for (pointer, value) in edits {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value.clone();
    }
    object
}

fn paused() -> (&'static str, Json) {
    ("/metadata/annotations", json!({PAUSED_ANNOTATION: "a test"}))
}

/// A Deployment of one pod, with these annotations of the pods.
pub(super) fn deployment(annotations: &Json, updated: i64) -> Json {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "tenants", "generation": 2, "resourceVersion": "7"},
        "spec": {"replicas": 1, "template": {"metadata": {"annotations": annotations}}},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": updated, "readyReplicas": 1,
            "availableReplicas": 1}})
}

/// The CRD of a Kamaji that knows pauses, or of v1.0.0.
pub(super) fn crd(newer: bool) -> Step {
    let words = if newer { json!(["Ready", "Sleeping"]) } else { json!(["Ready"]) };
    let version = json!({"properties": {"version": {"properties": {"status": {"enum": words}}}}});
    let mut status = json!({"properties": {"kubernetesResources": version}});
    if newer {
        status["properties"]["observedGeneration"] = json!({});
    }
    let host_network =
        json!({"properties": {"konnectivity": {"properties": {"agent": {"properties": {"hostNetwork": {}}}}}}});
    let spec = if newer { json!({"properties": {"addons": host_network}}) } else { json!({}) };
    let schema = json!({"properties": {"status": status, "spec": spec}});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "tenantcontrolplanes.kamaji.clastix.io"},
        "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}});
    on(Method::GET, CRD).answers(200, &crd).always()
}

pub(super) fn found(object: &Json) -> Step {
    on(Method::GET, CONTROL_PLANE).answers(200, object)
}

/// A wait for objects of a collection that finds this one and sees these events.
pub(super) fn waits(collection: &str, object: &Json, events: &[Json]) -> [Step; 2] {
    [
        on(Method::GET, collection).answers(200, &list_of("8", std::slice::from_ref(object))),
        on(Method::GET, collection).streams(events),
    ]
}

pub(super) fn config(action: &dyn tfplugin::action::Action, edits: &[(&str, Value)]) -> Value {
    let mut config = action.schema().null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    for (path, value) in edits {
        config.set(path, value.clone());
    }
    config
}

/// An action on a management cluster, with a tenant behind its kubeconfig.
pub(super) fn action<A: TenantAction>(action: A, management: &Scripted, tenant: &Scripted) -> OnTenant<A> {
    OnTenant::with(action, Arc::new(Configured::of(management.cluster())), connect(tenant))
}

/// What an action says on its way, and what comes of it.
pub(super) async fn invoke<A: TenantAction>(
    action: &OnTenant<A>,
    cx: &Context,
    edits: &[(&str, Value)],
) -> (Vec<String>, Diagnostics) {
    let (sender, mut receiver) = unbounded_channel();
    let config = config(action, edits);
    let end = action.invoke(cx, config, &Progress::new(sender)).await;
    let mut said = Vec::new();
    while let Ok(message) = receiver.try_recv() {
        said.push(message);
    }
    (said, end)
}

/// The only error, with its path.
#[track_caller]
pub(super) fn error(diagnostics: &Diagnostics) -> (String, String, Path) {
    let all: Vec<_> = diagnostics.iter().filter(|it| it.severity == Severity::Error).collect();
    let [one] = all.as_slice() else { panic!("{diagnostics:#?}") };
    (one.summary.clone(), one.detail.clone(), one.path.clone())
}

pub(super) fn patch(asked: &[Asked]) -> &Asked {
    asked.iter().find(|asked| asked.method == Method::PATCH).expect("a patch")
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_asked_for_by_a_manager_of_its_own_and_waited_for() {
    let written = live(&[("/metadata/generation", json!(4))]);
    let done = live(&[("/metadata/generation", json!(4)), ("/status/observedGeneration", json!(4))]);
    let new = |updated| deployment(&json!({RESTARTED_AT: "9999-01-01T00:00:00Z"}), updated);
    let deployments =
        waits(DEPLOYMENTS, &deployment(&json!({}), 1), &[event("MODIFIED", &new(0)), event("MODIFIED", &new(1))]);
    let steps = [found(&live(&[])), on(Method::PATCH, CONTROL_PLANE).answers(200, &written)];
    let settles = waits(TENANTS, &written, &[event("MODIFIED", &done)]);
    let also = [crd(true), on(Method::GET, &format!("{DEPLOYMENTS}/a")).answers(200, &new(1)).always()];
    let api = Scripted::new(steps.into_iter().chain(deployments).chain(settles).chain(also));
    let (said, end) = invoke(&action(Restart, &api, &Scripted::new([])), &Context::default(), &[]).await;
    assert_eq!(end, Diagnostics::new());
    for words in
        ["Waiting for Kamaji to change the Deployment", "0 of 1 pods are new", "1 new pods", "all of them ready"]
    {
        assert!(said.iter().any(|message| message.contains(words)), "{words}: {said:#?}");
    }
    let asked = api.asked();
    let patch = patch(&asked);
    assert_eq!(patch.content_type, "application/apply-patch+yaml");
    assert!(patch.query.contains("fieldManager=terraform-provider-kamaji-restart"), "{}", patch.query);
    assert!(!patch.query.contains("force=true"), "{}", patch.query);
    let deployment = &patch.body["spec"]["controlPlane"]["deployment"];
    assert_eq!(patch.body["spec"].as_object().unwrap().len(), 1);
    assert!(deployment["podAdditionalMetadata"]["annotations"][RESTARTED_AT].is_string(), "{deployment}");
    assert_eq!(patch.body["metadata"]["uid"], "uid-a");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_takes_too_long_and_one_that_is_interrupted_say_how_far_it_is() {
    let script = || {
        let steps = [found(&live(&[])), on(Method::PATCH, CONTROL_PLANE).answers(200, &live(&[])), crd(true)];
        Scripted::new(steps.into_iter().chain(waits(DEPLOYMENTS, &deployment(&json!({}), 1), &[])))
    };
    let limit = [("timeouts", Value::object([("invoke", Value::from("30s"))]))];
    let api = script();
    let (_, end) = invoke(&action(Restart, &api, &Scripted::new([])), &Context::default(), &limit).await;
    let (summary, detail, _) = error(&end);
    assert_eq!(summary, "Pods not replaced in time");
    assert!(detail.contains("Waiting for Kamaji to change the Deployment"), "{detail}");

    let (api, cx) = (script(), Context::default());
    let stop = cx.stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.cancel();
    });
    let begin = tokio::time::Instant::now();
    let (_, end) = invoke(&action(Restart, &api, &Scripted::new([])), &cx, &[]).await;
    assert_eq!(error(&end).0, "Interrupted while waiting");
    assert!(begin.elapsed() <= Duration::from_secs(6));
}

#[rstest]
#[case::paused(&[paused()], "Control plane is paused")]
#[case::going(&[("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))], "Control plane is being deleted")]
#[case::asleep(&[("/spec/controlPlane/deployment/replicas", json!(0))], "Control plane sleeps")]
#[case::moving(&[("/status/kubernetesResources/version/status", json!("Migrating"))], "Data of the tenant are moving")]
#[tokio::test(start_paused = true)]
async fn what_cannot_work_is_refused_where_the_tenant_is_named(#[case] edits: &[(&str, Json)], #[case] summary: &str) {
    let api = Scripted::new([crd(true), found(&live(edits)).always()]);
    let restart = action(Restart, &api, &Scripted::new([]));
    let (said, end) = invoke(&restart, &Context::default(), &[]).await;
    assert_eq!(said, [""; 0]);
    let (found, _, path) = error(&end);
    assert_eq!((found.as_str(), path), (summary, Path::of("tenant_control_plane_id")));
    // It may be otherwise when the apply comes to it.
    let planned = restart.plan(&Context::default(), &config(&restart, &[])).await;
    assert!(!planned.has_errors(), "{planned:#?}");
    let warning = planned.iter().next().expect("a warning");
    assert!(warning.detail.contains(summary), "{warning:#?}");
    assert_eq!(warning.path, Path::of("tenant_control_plane_id"));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_unknown_tenant_is_an_error_by_its_name_and_a_warning_in_a_plan() {
    let api =
        Scripted::new([on(Method::GET, CONTROL_PLANE).answers(404, &not_found("tenantcontrolplanes", "a")).always()]);
    let restart = action(Restart, &api, &Scripted::new([]));
    let (_, end) = invoke(&restart, &Context::default(), &[]).await;
    let (summary, _, path) = error(&end);
    assert_eq!((summary.as_str(), path), ("Tenant control plane does not exist", Path::of("tenant_control_plane_id")));
    let planned = restart.plan(&Context::default(), &config(&restart, &[])).await;
    assert!(!planned.has_errors() && !planned.is_empty(), "{planned:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_asks_nothing_for_what_is_not_known_or_offline() {
    let api = Scripted::new([]);
    let restart = action(Restart, &api, &Scripted::new([]));
    let unknown = config(&restart, &[("tenant_control_plane_id", Value::Unknown)]);
    assert_eq!(restart.plan(&Context::default(), &unknown).await, Diagnostics::new());
    let shared = Arc::new(Configured::of(api.cluster()));
    shared.replace(Cluster::NotConfigured, Settings { offline: true, ..Settings::default() });
    let offline = OnTenant::with(Restart, shared, connect(&api));
    assert_eq!(offline.plan(&Context::default(), &config(&offline, &[])).await, Diagnostics::new());
    let (_, end) = invoke(&offline, &Context::default(), &[]).await;
    assert_eq!(error(&end).0, "Provider is offline");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_an_annotation_of_another_manager() {
    let api = Scripted::new([
        crd(true),
        found(&live(&[])),
        on(Method::PATCH, CONTROL_PLANE).answers(200, &live(&[paused()])),
        found(&live(&[paused()])),
    ]);
    let pause = action(Pause, &api, &Scripted::new([]));
    let (said, end) = invoke(&pause, &Context::default(), &[("reason", "a test".into())]).await;
    assert_eq!(end, Diagnostics::new());
    assert!(said[0].contains("is paused at generation 3"), "{said:?}");
    let asked = api.asked();
    let patch = patch(&asked);
    assert_eq!(patch.content_type, "application/apply-patch+yaml");
    assert!(patch.query.contains("fieldManager=terraform-provider-kamaji-pause"), "{}", patch.query);
    assert_eq!(patch.body["metadata"]["annotations"], json!({PAUSED_ANNOTATION: "a test"}));
    assert_eq!((&patch.body["metadata"]["uid"], &patch.body["spec"]), (&json!("uid-a"), &Json::Null));
    // Once more: nothing to do.
    let (said, end) = invoke(&pause, &Context::default(), &[]).await;
    assert!(end.is_empty() && said[0].contains("paused already"), "{said:?} {end:?}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_kamaji_that_cannot_pause_is_refused() {
    let api = Scripted::new([crd(false), found(&live(&[])).always()]);
    let (_, end) = invoke(&action(Pause, &api, &Scripted::new([])), &Context::default(), &[]).await;
    assert_eq!(error(&end).0, "Kamaji cannot pause");
    let (_, end) = invoke(&action(Resume, &api, &Scripted::new([])), &Context::default(), &[]).await;
    assert_eq!(error(&end).0, "Kamaji cannot pause");
    api.finish();
}

/// `managedFields` in which this manager has the annotation.
fn owned(manager: &str, operation: &str) -> (&'static str, Json) {
    let fields = json!({"f:metadata": {"f:annotations": {format!("f:{PAUSED_ANNOTATION}"): {}}}});
    let entry = json!({"manager": manager, "operation": operation, "apiVersion": "kamaji.clastix.io/v1alpha1",
        "fieldsType": "FieldsV1", "fieldsV1": fields});
    ("/metadata/managedFields", json!([entry]))
}

#[rstest]
#[case::own_pause("terraform-provider-kamaji-pause", "Apply")]
#[case::by_hand("kubectl-annotate", "Update")]
#[tokio::test(start_paused = true)]
async fn a_resume_removes_the_annotation_and_waits(#[case] manager: &str, #[case] operation: &str) {
    let before = live(&[paused(), owned(manager, operation), ("/metadata/generation", json!(4))]);
    let after = live(&[("/metadata/generation", json!(4))]);
    let done = live(&[("/metadata/generation", json!(4)), ("/status/observedGeneration", json!(4))]);
    let steps = [found(&before), found(&before), on(Method::PATCH, CONTROL_PLANE).answers(200, &after)];
    let settles = waits(TENANTS, &after, &[event("MODIFIED", &done)]);
    let also =
        [crd(true), on(Method::GET, &format!("{DEPLOYMENTS}/a")).answers(200, &deployment(&json!({}), 1)).always()];
    let api = Scripted::new(steps.into_iter().chain(settles).chain(also));
    let (said, end) = invoke(&action(Resume, &api, &Scripted::new([])), &Context::default(), &[]).await;
    assert_eq!(end, Diagnostics::new());
    assert!(said[0].contains("is not paused any more"), "{said:?}");
    assert!(said.iter().any(|message| message.contains("has seen generation 3")), "{said:?}");
    assert!(said.last().unwrap().contains("caught up"), "{said:?}");
    let asked = api.asked();
    let patch = patch(&asked);
    assert_eq!(patch.content_type, "application/merge-patch+json");
    assert_eq!(patch.body, json!({"metadata": {"uid": "uid-a", "annotations": {PAUSED_ANNOTATION: null}}}));
    api.finish();
}

#[rstest]
#[case::ours("terraform-provider-kamaji", "Remove it from `annotations`")]
#[case::gitops("argocd-controller", "\"argocd-controller\"")]
#[tokio::test(start_paused = true)]
async fn a_pause_that_is_declared_is_not_removed(#[case] manager: &str, #[case] words: &str) {
    let before = live(&[paused(), owned(manager, "Apply")]);
    let api = Scripted::new([crd(true), found(&before).always()]);
    let (_, end) = invoke(&action(Resume, &api, &Scripted::new([])), &Context::default(), &[]).await;
    let (summary, detail, _) = error(&end);
    assert!(summary == "Pause is declared" && detail.contains(words), "{summary}: {detail}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_resume_that_is_only_accepted_waits_for_nothing() {
    let api = Scripted::new([crd(true), found(&live(&[]))]);
    let (said, end) =
        invoke(&action(Resume, &api, &Scripted::new([])), &Context::default(), &[("wait_for", "accepted".into())])
            .await;
    assert!(end.is_empty() && said == ["TenantControlPlane tenants/a is not paused."], "{said:?} {end:?}");
    api.finish();
}

fn node(name: &str, unschedulable: bool) -> Json {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": format!("uid-{name}")},
        "spec": {"unschedulable": unschedulable}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

/// The management cluster of a tenant that answers.
fn answering() -> Scripted {
    Scripted::new([crd(true), found(&live(&[])).always(), on(Method::GET, KUBECONFIG).answers(200, &both()).always()])
}

#[rstest]
#[case::stays(false)]
#[case::goes(true)]
#[tokio::test(start_paused = true)]
async fn a_drained_node_stays_unless_it_is_told_to_go(#[case] goes: bool) {
    let empty = || on(Method::GET, "/api/v1/pods").answers(200, &list_of("1", &[]));
    let mut steps = vec![
        ready(),
        on(Method::GET, NODES).answers(200, &list_of("1", &[node("w1", false)])),
        on(Method::GET, &format!("{NODES}/w1")).answers(200, &node("w1", false)),
        empty(),
        on(Method::PATCH, &format!("{NODES}/w1")).answers(200, &node("w1", true)),
        empty(),
    ];
    if goes {
        steps.push(on(Method::DELETE, &format!("{NODES}/w1")).answers(200, &deleted()));
    }
    let tenant = Scripted::new(steps);
    let names = if goes { Value::strings(["w1", "gone"]) } else { Value::strings(["w1"]) };
    let edits = [("node_names", names), ("delete_nodes", Value::from(goes))];
    let (said, end) = invoke(&action(DrainNode, &answering(), &tenant), &Context::default(), &edits).await;
    assert_eq!(end, Diagnostics::new());
    for words in ["Node w1 is cordoned.", "Node w1 is drained."] {
        assert!(said.iter().any(|message| message == words), "{words}: {said:#?}");
    }
    assert_eq!(said.iter().any(|message| message == "Node gone is gone already."), goes, "{said:#?}");
    assert!(said.last().unwrap().ends_with(if goes { "deleted." } else { "left on them." }), "{said:#?}");
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_exist_and_pods_that_would_be_lost_are_errors_before_anything_is_changed() {
    let tenant = Scripted::new([ready(), on(Method::GET, NODES).answers(200, &list_of("1", &[node("w1", false)]))]);
    let edits = [("node_names", Value::strings(["w1", "w2"]))];
    let (_, end) = invoke(&action(DrainNode, &answering(), &tenant), &Context::default(), &edits).await;
    let (summary, detail, path) = error(&end);
    assert_eq!((summary.as_str(), path), ("Node does not exist", Path::of("node_names").index(1)));
    assert!(detail.contains("Its nodes: w1."), "{detail}");

    let lonely = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "web", "uid": "u"},
        "spec": {"nodeName": "w1"}, "status": {"phase": "Running"}});
    let tenant = Scripted::new([
        ready(),
        on(Method::GET, NODES).answers(200, &list_of("1", &[node("w1", false)])),
        on(Method::GET, &format!("{NODES}/w1")).answers(200, &node("w1", false)),
        on(Method::GET, "/api/v1/pods").answers(200, &list_of("1", &[lonely])),
    ]);
    let edits = [("node_names", Value::strings(["w1"]))];
    let (_, end) = invoke(&action(DrainNode, &answering(), &tenant), &Context::default(), &edits).await;
    let (summary, detail, path) = error(&end);
    assert_eq!((summary.as_str(), path), ("Pods may not be evicted", Path::of("node_names")));
    assert!(detail.contains("web/p") && !detail.contains("destroy"), "{detail}");
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn no_node_is_drained_where_writes_are_limited() {
    let limited = live(&[("/spec/writePermissions", json!({"blockDeletion": true}))]);
    let api = Scripted::new([crd(true), found(&limited).always()]);
    let edits = [("node_names", Value::strings(["w1"]))];
    let (_, end) = invoke(&action(DrainNode, &api, &Scripted::new([])), &Context::default(), &edits).await;
    assert_eq!(error(&end).0, "Writes in the tenant are limited");
    api.finish();
}
