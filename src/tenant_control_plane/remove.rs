//! The end of a control plane: what belonged to it is waited for, and what keeps it is named.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::Value as Json;
use tfplugin::Diagnostic;

use crate::kamaji::diagnosis::{self, Evidence};
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::Scene;
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{EndReason, wait_until_selected};
use crate::management_cluster::{ApiError, Kind, ObjectRef};

/// The kinds of objects that Kamaji makes for a control plane, in the order in which they go.
const CHILDREN: [Kind; 6] = [Kind::Deployment, Kind::Pod, Kind::Service, Kind::Ingress, Kind::Secret, Kind::ConfigMap];

/// Waits for the garbage collector. A control plane of the same name that is made before it is done would adopt
/// leftovers, the old CA among them.
pub(super) async fn leave_nothing(scene: &Scene) -> Result<(), Diagnostic> {
    let namespace = scene.object.namespace.as_deref().unwrap_or_default();
    let labels = format!("kamaji.clastix.io/name={}", scene.object.name);
    for kind in CHILDREN {
        let gone = wait_until_selected(&scene.cluster, &scene.operation, kind, namespace, &labels, None, |seen| {
            seen.is_empty().then_some(())
        });
        if let Err(ended) = gone.await {
            return Err(match &ended.reason {
                // Without the right to look, the word of the API server that the owner is gone has to do.
                EndReason::Failed(ApiError::Forbidden { .. } | ApiError::NoSuchApi { .. }) => {
                    tracing::info!(%kind, "what is left of this kind cannot be seen");
                    continue;
                }
                EndReason::Stopped => Diagnostic::error(
                    "Interrupted while deleting",
                    format!("{} is gone; what belonged to it is still being removed.", scene.object),
                ),
                EndReason::Failed(error) => {
                    error.to_diagnostic(&format!("wait until nothing of {} is left", scene.object))
                }
                EndReason::Timeout(_) => left(scene, kind, &ended.seen),
            });
        }
    }
    Ok(())
}

fn left(scene: &Scene, kind: Kind, seen: &BTreeMap<String, DynamicObject>) -> Diagnostic {
    let names: Vec<&str> = seen.keys().map(String::as_str).collect();
    let finalizers: Vec<String> =
        seen.values().flat_map(|object| object.metadata.finalizers.clone().unwrap_or_default()).collect();
    let kept = if finalizers.is_empty() {
        "The garbage collector of the management cluster has not removed it.".to_owned()
    } else {
        format!(
            "It waits for the finalizers {}. If Kamaji can no longer reach the datastore, it never removes them: check \
             the data there, then remove the finalizer by hand.",
            finalizers.join(", ")
        )
    };
    Diagnostic::error(
        "Something of the object is left",
        format!("{} is gone, but {kind} {} still exists. {kept}", scene.object, names.join(", ")),
    )
}

/// Reads what surrounds a control plane. What cannot be read is left out: a diagnosis with less is better than none.
pub(super) async fn gather(scene: &Scene, last: &Json) -> Evidence {
    let namespace = scene.object.namespace.clone().unwrap_or_default();
    let (cluster, operation, name) = (&scene.cluster, &scene.operation, &scene.object.name);
    let one = async |object: ObjectRef| cluster.get(operation, &object).await.ok().flatten().as_ref().map(json_of);
    let labels = format!("kamaji.clastix.io/name={name}");
    let pods = cluster.list(operation, Kind::Pod, Some(&namespace), &labels).await.unwrap_or_default();
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
    }
}

/// Why a control plane that is marked for deletion does not go away.
pub(super) async fn explain(scene: &Scene, last: &Json) -> String {
    let gathered = gather(&scene.for_diagnosis(), last).await;
    diagnosis::not_deleted(&gathered).join("\n")
}
