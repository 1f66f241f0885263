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

use super::rollout::{self, Unfinished};
use super::{Invocation, Now, TenantAction, asleep, idle, tenant};
use crate::configured::RESTARTS;
use crate::kamaji::readiness::Level;
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::schema::timeouts;
use crate::management_cluster::json_of;
use crate::management_cluster::watch::EndReason;
use crate::tenant_control_plane::settle;

/// The annotation of the pods: when they were asked for.
pub const RESTARTED_AT: &str = "terraform.kamaji.clastix.io/restarted-at";

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
        let manifest =
            json!({"spec": {"controlPlane": {"deployment": {"podAdditionalMetadata": {"annotations": annotations}}}}});
        let written = on.apply(&view, RESTARTS, "restart", manifest).await?;
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
    let followed = rollout::follow(on, |deployment| how_far(deployment, restarted_at, wanted)).await;
    let Err(Unfinished { ended, missing: state }) = followed else { return Ok(()) };
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
        EndReason::Failed(error) => error.to_diagnostic(&format!("wait for {}", rollout::deployment(on))),
    })
}

/// What is missing until a Deployment has rolled out a restart; [`None`] if nothing is.
fn how_far(deployment: &Json, restarted_at: &str, wanted: i64) -> Option<String> {
    let annotations = deployment.pointer("/spec/template/metadata/annotations");
    if annotations.and_then(|all| all.get(RESTARTED_AT)?.as_str()).is_none_or(|at| at < restarted_at) {
        return Some("Waiting for Kamaji to change the Deployment.".to_owned());
    }
    rollout::left(deployment, wanted)
}
