use rstest::rstest;
use tfplugin::resource::{ApplyResponse, Resource as _};

use super::*;
use crate::management_cluster::scripted::event;

const JOBS: &str = "/apis/batch/v1/jobs";

/// An update that sets these attributes.
fn update(edits: &[(&str, Value)]) -> ApplyRequest {
    change(stored("v1.30.2", &[]), planned(&config("v1.30.2", edits), &["status", "effective"]), memory())
}

async fn updated(api: &Scripted, edits: &[(&str, Value)]) -> ApplyResponse {
    resource(api, &Scripted::new([])).update(&Context::default(), update(edits)).await
}

fn scaled(replicas: i64, status: &str) -> Json {
    with(
        live("v1.30.2", "v1.30.2"),
        &[
            ("/spec/controlPlane/deployment/replicas", json!(replicas)),
            ("/status/kubernetesResources/version/status", json!(status)),
        ],
    )
}

#[rstest]
#[case::to_zero(0, "Ready", "Sleeping", "ready")]
#[case::back(1, "Sleeping", "Ready", "ready")]
// There is no API to ask.
#[case::to_zero_reachable(0, "Ready", "Sleeping", "reachable")]
#[tokio::test(start_paused = true)]
async fn scaling_to_zero_and_back_is_waited_for(
    #[case] replicas: i64,
    #[case] before: &str,
    #[case] after: &str,
    #[case] level: &str,
) {
    let changed = busy(scaled(replicas, before), before);
    let done =
        with(scaled(replicas, after), &[("/metadata/generation", json!(4)), ("/status/observedGeneration", json!(4))]);
    let steps = [found(&live("v1.30.2", "v1.30.2")), writes(&changed), deployment(replicas)];
    let waiting = waits(&changed, &[event("MODIFIED", &done)]);
    let api = Scripted::new(steps.into_iter().chain(waiting));
    let edits = [("control_plane.deployment.replicas", Value::from(replicas)), ("wait_for", level.into())];
    let mut request = update(&edits);
    request.prior.set("control_plane.deployment.replicas", Value::from(1 - replicas));
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(response.state.str_at("status"), Some(after));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_scale_has_what_was_applied_in_the_state_and_converges() {
    let changed = busy(scaled(0, "Ready"), "Ready");
    let steps = [found(&live("v1.30.2", "v1.30.2")), writes(&changed), deployment(1)];
    let api = Scripted::new(steps.into_iter().chain(waits(&changed, &[])));
    let cx = Context::default();
    let edits = [("control_plane.deployment.replicas", Value::from(0))];
    let resource_then = resource(&api, &Scripted::new([]));
    let response = interrupted(&cx, resource_then.update(&cx, update(&edits))).await;
    said(&response.diagnostics, "Interrupted while waiting");
    assert_eq!(response.state.get("control_plane.deployment.replicas"), &Value::from(0));
    assert!(response.private.read::<Memory>().unsettled);

    // Nothing differs any more; the next apply only goes on waiting.
    let done =
        with(scaled(0, "Sleeping"), &[("/metadata/generation", json!(4)), ("/status/observedGeneration", json!(4))]);
    let steps = [found(&changed), writes(&changed), deployment(0)];
    let api = Scripted::new(steps.into_iter().chain(waits(&done, &[])));
    let mut planned = response.state.clone();
    planned.set("status", Value::Unknown);
    let request = change(response.state, planned, response.private);
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(response.state.str_at("status"), Some("Sleeping"));
    assert!(!response.private.read::<Memory>().unsettled);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_create_has_the_object_in_the_state() {
    let made = json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "a", "namespace": "tenants", "uid": "uid-a", "generation": 1, "resourceVersion": "1"},
        "spec": live("v1.30.2", "v1.30.2")["spec"]});
    let missing = crate::management_cluster::scripted::not_found("tenantcontrolplanes", "a");
    let steps = [on(Method::GET, TENANT).answers(404, &missing), writes(&made)];
    let api = Scripted::new(steps.into_iter().chain(waits(&made, &[])));
    let cx = Context::default();
    let mut wanted = planned(&config("v1.30.2", &[]), MOVES);
    wanted.set("uid", Value::Unknown);
    let resource = resource(&api, &Scripted::new([]));
    let request = change(Value::Null, wanted, Private::default());
    let response = interrupted(&cx, resource.create(&cx, request)).await;
    said(&response.diagnostics, "Interrupted while waiting");
    assert_eq!(response.state.str_at("uid"), Some("uid-a"));
    assert!(response.private.read::<Memory>().unsettled);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_migration_ends_when_the_datastore_in_use_is_the_wanted_one() {
    let wanted = with(live("v1.30.2", "v1.30.2"), &[("/spec/dataStore", json!("new"))]);
    // Some reads show `Ready` with the old datastore: before the migration, and for a moment after it.
    let moving = with(wanted.clone(), &[("/status/kubernetesResources/version/status", json!("Migrating"))]);
    let moved = with(wanted.clone(), &[("/status/storage/dataStoreName", json!("new"))]);
    let no_job = on(Method::GET, JOBS).answers(200, &list_of("5", &[])).always();
    let steps = [found(&live("v1.30.2", "v1.30.2")), writes(&wanted), deployment(1), no_job];
    let events = [event("MODIFIED", &moving), event("MODIFIED", &wanted), event("MODIFIED", &moved)];
    let api = Scripted::new(steps.into_iter().chain(waits(&wanted, &events)));
    let response = updated(&api, &[("data_store", "new".into())]).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(response.state.str_at("effective.data_store"), Some("new"));
    api.finish();
}

/// Kamaji goes on saying `Migrating`; only the Job says that it has given up.
#[rstest]
#[case::seen(Some("reading\nError: connection refused\n"), "Job kamaji-system/migrate-1: Error: connection refused")]
// The Job controller removes the pod when it gives up.
#[case::pod_is_gone(None, "0 active, 1 failed")]
#[tokio::test(start_paused = true)]
async fn a_migration_that_has_failed_ends_the_wait_with_the_last_words_of_its_job(
    #[case] log: Option<&str>,
    #[case] said_of_it: &str,
) {
    const PODS: &str = "/api/v1/namespaces/kamaji-system/pods";
    let wanted = with(live("v1.30.2", "v1.30.2"), &[("/spec/dataStore", json!("new"))]);
    let moving = with(wanted, &[("/status/kubernetesResources/version/status", json!("Migrating"))]);
    let job = json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"namespace": "kamaji-system", "name": "migrate-1", "uid": "j"},
        "status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "message": "too many tries"}]}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "kamaji-system", "name": "migrate-1-x", "uid": "p"},
        "status": {"containerStatuses": [{"state": {"terminated": {"finishedAt": "2026-01-01T00:00:00Z"}}}]}});
    let pods = log.map(|_| pod);
    let steps = [
        found(&live("v1.30.2", "v1.30.2")),
        writes(&moving),
        on(Method::GET, JOBS).answers(200, &list_of("5", &[job])).always(),
        on(Method::GET, PODS).answers(200, &list_of("5", pods.as_slice())).always(),
        on(Method::GET, &format!("{PODS}/migrate-1-x/log")).answers_text(200, log.unwrap_or_default()).always(),
    ];
    let api = Scripted::new(steps.into_iter().chain(waits(&moving, &[])));
    let response = updated(&api, &[("data_store", "new".into())]).await;
    let error = said(&response.diagnostics, "Data were not moved");
    for words in ["migrate-1 has failed: too many tries", said_of_it, "set `data_store` to \"d\" again"] {
        assert!(error.detail.contains(words), "{words:?} is missing in: {}", error.detail);
    }
    assert!(response.private.read::<Memory>().unsettled);
}

/// The word of the migration before is still there, and its Job, too.
#[tokio::test(start_paused = true)]
async fn a_migration_that_was_taken_back_has_no_job_to_listen_to() {
    let back = with(live("v1.30.2", "v1.30.2"), &[("/spec/dataStore", json!("d"))]);
    let late = busy(back.clone(), "Migrating");
    let done = with(back, &[("/metadata/generation", json!(4)), ("/status/observedGeneration", json!(4))]);
    let elsewhere = with(live("v1.30.2", "v1.30.2"), &[("/spec/dataStore", json!("new"))]);
    let steps = [found(&elsewhere), writes(&late), deployment(1)];
    let api = Scripted::new(steps.into_iter().chain(waits(&late, &[event("MODIFIED", &done)])));
    let mut request = update(&[("data_store", "d".into())]);
    request.prior.set("data_store", Value::from("new"));
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_paused_control_plane_fails_at_once_where_kamaji_knows_the_annotation() {
    let paused = with(
        busy(live("v1.30.2", "v1.30.2"), "Ready"),
        &[("/metadata/annotations", json!({"kamaji.clastix.io/paused": ""}))],
    );
    let steps = || [found(&live("v1.30.2", "v1.30.2")), writes(&paused), deployment(1)];
    let edits = [("labels", Value::object([("a", Value::from("b"))]))];
    let begin = Instant::now();
    let api = Scripted::new(steps().into_iter().chain([crd(&["Ready", "Sleeping"], true)]).chain(waits(&paused, &[])));
    let response = updated(&api, &edits).await;
    let error = said(&response.diagnostics, "Control plane will not become ready");
    assert!(error.detail.contains("paused"), "{}", error.detail);
    assert!(begin.elapsed() < Duration::from_secs(5));

    // An older Kamaji works on.
    let done = with(paused.clone(), &[("/status/observedGeneration", json!(4))]);
    let waiting = waits(&paused, &[event("MODIFIED", &done)]);
    let api = Scripted::new(steps().into_iter().chain([crd(&["Ready"], false)]).chain(waiting));
    assert_eq!(updated(&api, &edits).await.diagnostics, Diagnostics::new());
}

/// What a Kamaji that says what it has seen has not finished yet is not done, although nothing else tells.
#[rstest]
#[case::it_reports(true, false)]
#[case::it_does_not(false, true)]
#[tokio::test(start_paused = true)]
async fn the_crd_tells_whether_kamaji_says_what_it_has_seen(#[case] reports: bool, #[case] done: bool) {
    let mut unseen = live("v1.30.2", "v1.30.2");
    unseen["status"].as_object_mut().unwrap().remove("observedGeneration");
    let image = |name: &str| json!({"name": name, "image": format!("registry.k8s.io/{name}:v1.30.2")});
    let containers = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(image);
    let rolled_out = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "generation": 1},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
    let steps = [
        found(&live("v1.30.2", "v1.30.2")),
        writes(&unseen),
        on(Method::GET, DEPLOYMENT).answers(200, &rolled_out).always(),
        crd(&["Sleeping"], reports),
    ];
    let api = Scripted::new(steps.into_iter().chain(waits(&unseen, &[])));
    let cx = Context::default();
    let edits = [("labels", Value::object([("a", Value::from("b"))]))];
    let resource = resource(&api, &Scripted::new([]));
    let response = interrupted(&cx, resource.update(&cx, update(&edits))).await;
    assert_eq!(!response.diagnostics.has_errors(), done, "{:?}", response.diagnostics);
    let asked = api.asked().iter().filter(|asked| asked.path == CRD).count();
    assert_eq!(asked, 1, "the CRD is asked once");
}
