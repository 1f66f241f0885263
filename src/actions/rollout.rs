//! Following the Deployment of a control plane until its pods are new.

use serde_json::Value as Json;

use super::Invocation;
use crate::kamaji::tenant_control_plane::Replicas;
use crate::management_cluster::watch::{WaitEnded, wait_until};
use crate::management_cluster::{Kind, ObjectRef, json_of};

/// A wait that ended too early, and what was missing then.
pub(super) struct Unfinished {
    pub(super) ended: WaitEnded,
    pub(super) missing: String,
}

/// The Deployment of the control plane.
pub(super) fn deployment(on: &Invocation<'_>) -> ObjectRef {
    let object = &on.scene.object;
    ObjectRef::namespaced(Kind::Deployment, object.namespace.clone().unwrap_or_default(), object.name.clone())
}

/// Waits until nothing is `missing` in the Deployment, and says what is whenever that changes.
pub(super) async fn follow(
    on: &Invocation<'_>,
    mut missing: impl FnMut(&Json) -> Option<String>,
) -> Result<(), Unfinished> {
    let (scene, deployment) = (&on.scene, deployment(on));
    let mut told = String::new();
    let waited = wait_until(&scene.cluster, &scene.operation, &deployment, None, |seen| {
        let now = match seen.map(json_of) {
            None => "The Deployment does not exist.".to_owned(),
            Some(deployment) => match missing(&deployment) {
                None => return Some(()),
                Some(now) => now,
            },
        };
        if now != told {
            on.progress.say(now.as_str());
            told = now;
        }
        None
    });
    waited.await.map_err(|ended| Unfinished { ended, missing: told })
}

/// What is missing until a Deployment that was changed has its pods, so many of them; [`None`] if nothing is.
pub(super) fn left(deployment: &Json, wanted: i64) -> Option<String> {
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Json::as_i64);
    if number("/metadata/generation") != number("/status/observedGeneration") {
        return Some("The Deployment has changed and its roll-out has not started.".to_owned());
    }
    let replicas = deployment.get("status").map(Replicas::of).unwrap_or_default();
    (!replicas.rolled_out(wanted)).then(|| {
        format!("{} of {wanted} pods are new; {} of {} are ready.", replicas.updated, replicas.ready, replicas.total)
    })
}
