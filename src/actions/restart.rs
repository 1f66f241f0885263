//! `kamaji_restart`: new pods for a control plane.
//!
//! `kubectl rollout restart` has no effect on a Deployment of Kamaji's: the annotations of the pod template are written
//! as a whole from the control plane (`PodAdditionalMetadata`), at every reconcile, so its annotation is gone at once.
//! Hence the annotation of the restart goes into the control plane, under a field manager of its own.

use std::sync::LazyLock;

use async_trait::async_trait;
use jiff::{Timestamp, Unit};
use serde_json::{Value as Json, json};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::{Invocation, Now, TenantAction, asleep, idle, tenant};
use crate::kamaji::readiness::Level;
use crate::kamaji::tenant_control_plane::{Replicas, View};
use crate::managed_object::schema::timeouts;
use crate::management_cluster::watch::{EndReason, wait_until};
use crate::management_cluster::{ApplyOptions, Kind, ObjectRef, json_of};
use crate::tenant_control_plane::settle;

/// The annotation of the pods: when they were asked for.
pub const RESTARTED_AT: &str = "terraform.kamaji.clastix.io/restarted-at";

/// The end of the field manager's name.
const MANAGER: &str = "restart";

/// The action.
#[derive(Clone, Copy, Debug, Default)]
pub struct Restart;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "Replaces the pods of a tenant control plane by new ones, and waits until those are ready.\n\nKamaji rolls them out by \
         the strategy of the control plane, so that with `RollingUpdate` the tenant's API answers throughout. Nothing else \
         changes.\n\nThe time of the restart stays as an annotation in `pod_additional_metadata`, under a field manager of its \
         own: it is no drift of the `kamaji_tenant_control_plane`. A control plane that is paused, sleeps, is being deleted or \
         moves its data is refused.",
        vec![tenant(), timeouts(&[("invoke", "10m")])],
    )
});

#[async_trait]
impl TenantAction for Restart {
    fn type_name(&self) -> &'static str {
        "kamaji_restart"
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn refusal(&self, now: &Now<'_>, _config: &Value) -> Option<Diagnostic> {
        idle(now).or_else(|| asleep(now))
    }

    async fn carry_out(&self, on: &Invocation<'_>, live: Json, _config: &Value) -> Result<Diagnostics, Diagnostics> {
        let scene = &on.scene;
        let view = View::new(&live);
        let now = Timestamp::now().round(Unit::Second).unwrap_or_else(|_| Timestamp::now()).to_string();
        let annotations = json!({RESTARTED_AT: now});
        // With the UID: an apply would make an object that has gone meanwhile.
        let manifest = json!({"metadata": {"uid": view.uid()},
            "spec": {"controlPlane": {"deployment": {"podAdditionalMetadata": {"annotations": annotations}}}}});
        let options = ApplyOptions { field_manager: on.manager(MANAGER), force: false, dry_run: false };
        let written = scene.cluster.apply(&scene.operation, &scene.object, &manifest, &options).await;
        let written = written.map_err(|error| error.to_diagnostic(&format!("restart {}", scene.object)))?;
        on.progress.say(format!("Kamaji is asked for new pods of {}, as of {now}.", scene.object));
        rolled_out(on, &now, view.wanted_replicas()).await?;
        let tell = |reason: &str| on.progress.say(reason);
        let settled = settle(&on.reach, scene, Level::Ready, json_of(&written.object), &tell).await;
        let settled = settled.map_err(|unsettled| unsettled.why)?;
        on.progress.say(format!(
            "{} runs in {} new pods, of {now} and later, all of them ready.",
            scene.object,
            View::new(&settled.live).wanted_replicas()
        ));
        Ok(settled.warnings)
    }
}

/// Waits until the Deployment has pods of this restart, and no others.
async fn rolled_out(on: &Invocation<'_>, restarted_at: &str, wanted: i64) -> Result<(), Diagnostic> {
    let scene = &on.scene;
    let namespace = scene.object.namespace.clone().unwrap_or_default();
    let deployment = ObjectRef::namespaced(Kind::Deployment, namespace, scene.object.name.clone());
    let mut told = String::new();
    let mut state = String::new();
    let waited = wait_until(&scene.cluster, &scene.operation, &deployment, None, |seen| {
        match how_far(seen.map(json_of).as_ref(), restarted_at, wanted) {
            None => Some(()),
            Some(now) => {
                if now != told {
                    on.progress.say(now.as_str());
                    told.clone_from(&now);
                }
                state = now;
                None
            }
        }
    });
    let Err(ended) = waited.await else { return Ok(()) };
    Err(match ended.reason {
        EndReason::Stopped => Diagnostic::error(
            "Interrupted while waiting",
            format!("Kamaji goes on with the restart of {}. {state}", scene.object),
        ),
        EndReason::Timeout(trouble) => {
            let trouble = trouble.map(|error| format!(" The API server had trouble: {error}.")).unwrap_or_default();
            Diagnostic::error(
                "Pods not replaced in time",
                format!(
                    "{} has not got its new pods in time. {state}{trouble}\n\nKamaji goes on. Look at the pods (`kubectl -n {} \
                     get pods -l kamaji.clastix.io/name={}`); more time is given in `timeouts.invoke`.",
                    scene.object,
                    scene.object.namespace.as_deref().unwrap_or_default(),
                    scene.object.name
                ),
            )
        }
        EndReason::Failed(error) => error.to_diagnostic(&format!("wait for {deployment}")),
    })
}

/// What is missing until a Deployment has rolled out a restart; [`None`] if nothing is.
fn how_far(deployment: Option<&Json>, restarted_at: &str, wanted: i64) -> Option<String> {
    let Some(deployment) = deployment else { return Some("The Deployment does not exist.".to_owned()) };
    let annotations = deployment.pointer("/spec/template/metadata/annotations");
    if annotations.and_then(|all| all.get(RESTARTED_AT)?.as_str()).is_none_or(|at| at < restarted_at) {
        return Some("Waiting for Kamaji to change the Deployment.".to_owned());
    }
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Json::as_i64);
    if number("/metadata/generation") != number("/status/observedGeneration") {
        return Some("The Deployment has changed and its roll-out has not started.".to_owned());
    }
    let replicas = deployment.get("status").map(Replicas::of).unwrap_or_default();
    (!replicas.rolled_out(wanted)).then(|| {
        format!("{} of {wanted} pods are new; {} of {} are ready.", replicas.updated, replicas.ready, replicas.total)
    })
}
