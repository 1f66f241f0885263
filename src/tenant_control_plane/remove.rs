//! The end of a control plane: what belonged to it is waited for, and what keeps it is named.

use std::time::Duration;

use kube::api::DynamicObject;
use serde_json::{Value as Json, json};
use tfplugin::{Diagnostic, Diagnostics};
use tokio::time::Instant;

use crate::kamaji::diagnosis::{self, Evidence, ForDelete, Migration};
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::Scene;
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{EndReason, WaitEnded, wait_until_selected};
use crate::management_cluster::{ApiError, ApplyOptions, Kind, ObjectRef};

/// The kinds of objects that Kamaji makes for a control plane, in the order in which they go.
const CHILDREN: [Kind; 7] =
    [Kind::Deployment, Kind::Pod, Kind::Service, Kind::Ingress, Kind::TlsRoute, Kind::Secret, Kind::ConfigMap];

/// The finalizer of the Secret that says how the datastore is entered. Kamaji removes it right after that of the control
/// plane, once: the garbage collector can come between the two, and then it stays for good.
const OF_THE_DATASTORE: &str = "finalizer.kamaji.clastix.io/datastore-secret";
/// How long Kamaji may take from the one finalizer to the other.
const BETWEEN: Duration = Duration::from_secs(15);

/// Waits for the garbage collector. A control plane of the same name that is made before it is done would adopt
/// leftovers, the old CA among them.
pub(super) async fn leave_nothing(scene: &Scene) -> Result<(), Diagnostic> {
    for kind in CHILDREN {
        match wait_until_gone(scene, kind).await {
            Ok(Gone::All) => {}
            Ok(Gone::AllBut(abandoned)) => return Err(left_by_kamaji(scene, kind, &abandoned)),
            // Without the right to look, the word of the API server that the owner is gone has to do.
            Err(WaitEnded {
                reason: EndReason::Failed(ApiError::Forbidden { .. } | ApiError::NoSuchApi { .. }),
                ..
            }) => {
                tracing::info!(%kind, "what is left of this kind cannot be seen");
            }
            Err(ended) => return Err(left(scene, kind, &ended)),
        }
    }
    super::leftovers::sweep(scene).await;
    Ok(())
}

/// How the wait for the end of a kind ended.
enum Gone {
    /// Nothing is left.
    All,
    /// These are left, and nobody will remove them.
    AllBut(Vec<String>),
}

async fn wait_until_gone(scene: &Scene, kind: Kind) -> Result<Gone, WaitEnded> {
    let namespace = scene.object.namespace.as_deref().unwrap_or_default();
    let labels = labels(scene);
    let (cluster, operation, tick) = (&scene.cluster, &scene.operation, Some(Duration::from_secs(1)));
    let mut abandoned_since = None;
    wait_until_selected(cluster, operation, kind, Some(namespace), &labels, tick, |seen| {
        if seen.is_empty() {
            return Some(Gone::All);
        }
        if !seen.values().all(is_abandoned) {
            abandoned_since = None;
            return None;
        }
        let since = abandoned_since.get_or_insert_with(Instant::now);
        (since.elapsed() >= BETWEEN).then(|| Gone::AllBut(seen.keys().cloned().collect()))
    })
    .await
}

/// Selects what Kamaji has made for the control plane.
fn labels(scene: &Scene) -> String {
    format!("kamaji.clastix.io/name={}", scene.object.name)
}

/// True if nothing but Kamaji's finalizer keeps an object whose control plane is gone.
fn is_abandoned(object: &DynamicObject) -> bool {
    let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
    object.metadata.deletion_timestamp.is_some() && finalizers == [OF_THE_DATASTORE]
}

/// The same for a refresh: a delete that failed for it keeps the object in the state only until the next one. What cannot
/// be seen is not told.
pub(super) async fn left_behind(scene: &Scene) -> Diagnostics {
    let namespace = scene.object.namespace.as_deref();
    let found = scene.cluster.list(&scene.operation, Kind::Secret, namespace, &labels(scene)).await;
    let abandoned = found.unwrap_or_default().into_iter().filter(is_abandoned);
    let names: Vec<String> = abandoned.filter_map(|secret| secret.metadata.name).collect();
    if names.is_empty() {
        return Diagnostics::new();
    }
    Diagnostic::warning("Kamaji left a finalizer behind", what_to_remove(scene, Kind::Secret, &names)).into()
}

fn left_by_kamaji(scene: &Scene, kind: Kind, names: &[String]) -> Diagnostic {
    let detail = format!("{}\n\nThen destroy again.", what_to_remove(scene, kind, names));
    Diagnostic::error("Kamaji left a finalizer behind", detail)
}

fn what_to_remove(scene: &Scene, kind: Kind, names: &[String]) -> String {
    let namespace = scene.object.namespace.as_deref().unwrap_or_default();
    let name = names.join(" ");
    format!(
        "{} is gone, but {kind} {name} is kept by the finalizer {OF_THE_DATASTORE}. Kamaji removes it together with the \
         control plane, and does not try again when the garbage collector was faster or the datastore was never set up. \
         The Secret is of no more use, but it blocks its namespace and the next control plane of this name. Remove the \
         finalizer:\n\n    kubectl -n {namespace} patch {kind} {name} --type=merge -p \
         '{{\"metadata\":{{\"finalizers\":null}}}}'",
        scene.object
    )
}

fn left(scene: &Scene, kind: Kind, ended: &WaitEnded) -> Diagnostic {
    let names: Vec<&str> = ended.seen.keys().map(String::as_str).collect();
    let kept: Vec<String> =
        ended.seen.values().flat_map(|object| object.metadata.finalizers.clone().unwrap_or_default()).collect();
    match &ended.reason {
        EndReason::Stopped => Diagnostic::error(
            "Interrupted while deleting",
            format!("{} is gone; what belonged to it is still being removed.", scene.object),
        ),
        EndReason::Failed(error) => error.to_diagnostic(&format!("wait until nothing of {} is left", scene.object)),
        EndReason::Timeout(_) => Diagnostic::error(
            "Something of the object is left",
            format!(
                "{} is gone, but {kind} {} still exists. {}",
                scene.object,
                names.join(", "),
                if kept.is_empty() {
                    "The garbage collector of the management cluster has not removed it.".to_owned()
                } else {
                    format!(
                        "It waits for the finalizers {}; whoever put them there has to remove them.",
                        kept.join(", ")
                    )
                }
            ),
        ),
    }
}

/// Reads what surrounds a control plane. What cannot be read is left out: a diagnosis with less is better than none.
pub(super) async fn gather(scene: &Scene, last: &Json) -> Evidence {
    let namespace = scene.object.namespace.clone().unwrap_or_default();
    let (cluster, operation, name) = (&scene.cluster, &scene.operation, &scene.object.name);
    let one = async |object: ObjectRef| cluster.get(operation, &object).await.ok().flatten().as_ref().map(json_of);
    let pods = cluster.list(operation, Kind::Pod, Some(&namespace), &labels(scene)).await.unwrap_or_default();
    let mut events = Vec::new();
    for pod in pods.iter().take(3) {
        let pod = ObjectRef::namespaced(Kind::Pod, namespace.clone(), pod.metadata.name.clone().unwrap_or_default());
        let found = cluster.events(operation, &pod, None).await.unwrap_or_default();
        events.extend(found.iter().filter_map(|event| serde_json::to_value(event).ok()));
    }
    let view = View::new(last);
    let data_store = match view.requested_data_store() {
        Some(store) => one(ObjectRef::cluster(Kind::DataStore, store)).await,
        None => None,
    };
    Evidence {
        tenant_control_plane: last.clone(),
        deployment: one(ObjectRef::namespaced(Kind::Deployment, namespace.clone(), name.clone())).await,
        service: one(ObjectRef::namespaced(Kind::Service, namespace.clone(), name.clone())).await,
        data_store,
        pods: pods.iter().map(json_of).collect(),
        events,
        migration: Migration::default(),
        for_delete: ForDelete::default(),
    }
}

/// What a delete needs beside. Asked with a dry-run: whether the API server takes an update at all, as Kamaji's removal of
/// the finalizers is one.
async fn for_delete(scene: &Scene, last: &Json) -> ForDelete {
    let view = View::new(last);
    let (cluster, operation) = (&scene.cluster, &scene.operation);
    let manifest = json!({"metadata": {"annotations": {"terraform.kamaji.clastix.io/question": ""}}});
    let options =
        ApplyOptions { field_manager: format!("{}-question", scene.field_manager), force: true, dry_run: true };
    let updates_refused = match cluster.apply(operation, &scene.object, &manifest, &options).await {
        Err(
            error @ (ApiError::WebhookDenied { .. }
            | ApiError::PolicyDenied { .. }
            | ApiError::WebhookUnavailable { .. }
            | ApiError::Invalid(_)),
        ) => Some(error.to_string()),
        _ => None,
    };
    let overrides = view.at("/spec/dataStoreOverrides").and_then(Json::as_array).into_iter().flatten();
    let mut missing_overrides = Vec::new();
    for name in overrides.filter_map(|one| one["dataStore"].as_str()) {
        let found = cluster.get(operation, &ObjectRef::cluster(Kind::DataStore, name)).await;
        if matches!(found, Ok(None)) && !missing_overrides.iter().any(|known| known == name) {
            missing_overrides.push(name.to_owned());
        }
    }
    let secret = ObjectRef::namespaced(Kind::Secret, view.namespace(), view.data_store_config_secret());
    let without_secret = matches!(cluster.get(operation, &secret).await, Ok(None));
    ForDelete { updates_refused, missing_overrides, without_secret }
}

/// Why a control plane that is marked for deletion does not go away.
pub(super) async fn explain(scene: &Scene, last: &Json) -> String {
    let scene = scene.for_diagnosis();
    let for_delete = for_delete(&scene, last).await;
    let gathered = Evidence { for_delete, ..gather(&scene, last).await };
    diagnosis::not_deleted(&gathered).join("\n")
}

#[cfg(test)]
mod tests {
    use http::Method;
    use rstest::rstest;

    use super::*;
    use crate::management_cluster::scripted::{Scripted, Step, event, failure, list_of, on};

    fn scene(api: &Scripted) -> Scene {
        Scene::of_tenant(api, "blue", Duration::from_secs(300))
    }

    fn path(kind: Kind) -> &'static str {
        match kind {
            Kind::Deployment => "/apis/apps/v1/namespaces/tenants/deployments",
            Kind::Ingress => "/apis/networking.k8s.io/v1/namespaces/tenants/ingresses",
            Kind::Pod => "/api/v1/namespaces/tenants/pods",
            Kind::Service => "/api/v1/namespaces/tenants/services",
            Kind::TlsRoute => "/apis/gateway.networking.k8s.io/v1/namespaces/tenants/tlsroutes",
            Kind::Secret => "/api/v1/namespaces/tenants/secrets",
            _ => "/api/v1/namespaces/tenants/configmaps",
        }
    }

    fn none_of(kind: Kind) -> Step {
        on(Method::GET, path(kind)).answers(200, &list_of("5", &[]))
    }

    /// Up to the Secrets: nothing is left.
    fn without_others() -> Vec<Step> {
        CHILDREN.into_iter().take_while(|kind| *kind != Kind::Secret).map(none_of).collect()
    }

    fn secret(finalizer: &str) -> Json {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "blue-datastore-config",
            "namespace": "tenants", "uid": "s", "resourceVersion": "4", "finalizers": [finalizer],
            "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    }

    #[tokio::test(start_paused = true)]
    async fn a_finalizer_that_kamaji_forgot_is_named_with_the_command_long_before_the_deadline() {
        let left = list_of("5", &[secret(OF_THE_DATASTORE)]);
        let secrets =
            [on(Method::GET, path(Kind::Secret)).answers(200, &left), on(Method::GET, path(Kind::Secret)).streams(&[])];
        let api = Scripted::new(without_others().into_iter().chain(secrets));
        let begin = Instant::now();
        let error = leave_nothing(&scene(&api)).await.expect_err("the Secret is left");
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
        assert_eq!(error.summary, "Kamaji left a finalizer behind");
        let command = "kubectl -n tenants patch Secret blue-datastore-config --type=merge -p '{\"metadata\":{\"finalizers\":null}}'";
        assert!(error.detail.contains(command), "{}", error.detail);
        api.finish();
    }

    #[rstest]
    #[case::forgotten(200, &list_of("5", &[secret(OF_THE_DATASTORE)]), true)]
    #[case::of_somebody_else(200, &list_of("5", &[secret("example.com/backup")]), false)]
    #[case::nothing(200, &list_of("5", &[]), false)]
    #[case::no_right_to_look(403, &failure(403, "Forbidden", "no right", &json!({})), false)]
    #[tokio::test(start_paused = true)]
    async fn a_refresh_warns_of_what_is_left(#[case] status: u16, #[case] answer: &Json, #[case] warned: bool) {
        let api = Scripted::new([on(Method::GET, path(Kind::Secret)).answers(status, answer)]);
        let said = left_behind(&scene(&api)).await;
        assert!(!said.has_errors());
        let summaries: Vec<_> = said.iter().map(|it| it.summary.as_str()).collect();
        assert_eq!(summaries == ["Kamaji left a finalizer behind"], warned, "{summaries:?}");
        assert!(api.asked()[0].query.contains("labelSelector=kamaji.clastix.io%2Fname%3Dblue"), "{:?}", api.asked());
        api.finish();
    }

    #[tokio::test(start_paused = true)]
    async fn a_finalizer_on_its_way_out_is_waited_for() {
        let secrets = [
            on(Method::GET, path(Kind::Secret)).answers(200, &list_of("5", &[secret(OF_THE_DATASTORE)])),
            on(Method::GET, path(Kind::Secret)).streams(&[event("DELETED", &secret(OF_THE_DATASTORE))]),
        ];
        let gone = crate::management_cluster::scripted::not_found("secrets", "x");
        let rest = [
            none_of(Kind::ConfigMap),
            on(Method::GET, "/api/v1/namespaces/tenants/secrets/blue-datastore-certificate").answers(404, &gone),
            on(Method::GET, "/apis/batch/v1/jobs").answers(200, &list_of("5", &[])),
        ];
        let api = Scripted::new(without_others().into_iter().chain(secrets).chain(rest));
        assert_eq!(leave_nothing(&scene(&api)).await, Ok(()));
        api.finish();
    }

    #[tokio::test(start_paused = true)]
    async fn the_finalizer_of_somebody_else_is_waited_for_until_the_deadline() {
        let left = list_of("5", &[secret("example.com/backup")]);
        let secrets = [
            on(Method::GET, path(Kind::Secret)).answers(200, &left),
            on(Method::GET, path(Kind::Secret)).streams(&[]).always(),
        ];
        let api = Scripted::new(without_others().into_iter().chain(secrets));
        let begin = Instant::now();
        let error = leave_nothing(&scene(&api)).await.expect_err("the Secret is left");
        assert!(begin.elapsed() >= Duration::from_secs(290), "{:?}", begin.elapsed());
        assert!(error.detail.contains("example.com/backup"), "{}", error.detail);
    }
}
