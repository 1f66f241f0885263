//! `kamaji_pause` and `kamaji_resume`: Kamaji leaves a control plane alone for a while.
//!
//! The annotation is written by a field manager of its own, so that the resource of the control plane neither owns it nor
//! sees it as drift.

use std::sync::LazyLock;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use tfplugin::schema::{Schema, Validator, string};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::{Invocation, Now, TenantAction, refused, tenant};
use crate::configured::PAUSES;
use crate::kamaji::readiness::Level;
use crate::kamaji::tenant_control_plane::{PAUSED_ANNOTATION, View};
use crate::managed_object::schema::timeouts;
use crate::management_cluster::error::OwnerOperation;
use crate::management_cluster::field_path::Step;
use crate::management_cluster::managed_fields::{Owner, entries, owners};
use crate::management_cluster::{Change, json_of};
use crate::tenant_cluster::reach::missing;
use crate::tenant_control_plane::settle;

/// The action `kamaji_pause`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pause;

/// The action `kamaji_resume`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resume;

static PAUSE: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "Pauses a tenant control plane: Kamaji leaves it as it is until `kamaji_resume`.\n\nThe pods run on and the tenant's API \
         answers; changes of the object are taken and wait. While it is paused, certificates are not renewed, an apply that \
         changes the control plane fails instead of waiting, and a delete does not end. A reconcile that is under way ends \
         within 30 seconds.\n\nThe annotation `kamaji.clastix.io/paused` is written under a field manager of its own: it is no \
         drift of the `kamaji_tenant_control_plane`. A control plane that is paused already stays so. Kamaji v1.0.0 cannot \
         pause and is refused.",
        vec![
            tenant(),
            string("reason")
                .doc("Why it is paused: the value of the annotation, for those who find it. No secret belongs here."),
            timeouts(&[("invoke", "2m")]),
        ],
    )
});

static RESUME: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "Lets Kamaji work on a tenant control plane again that was paused, and waits until it has caught up.\n\nThe annotation \
         `kamaji.clastix.io/paused` is removed, whoever set it by hand. Where it is declared (in `annotations` of a \
         `kamaji_tenant_control_plane`, or by a GitOps tool), it would come back: that is an error that names the owner. A \
         control plane that is not paused is only waited for.",
        vec![
            tenant(),
            string("wait_for").default("ready").rule(Validator::one_of(&["accepted", "ready"])).doc(
                "How far Kamaji has to be: `ready` waits until what was changed meanwhile has taken effect, `accepted` for \
                 nothing.",
            ),
            timeouts(&[("invoke", "10m")]),
        ],
    )
});

fn too_old(now: &Now<'_>) -> Option<Diagnostic> {
    let detail = "This Kamaji does not know the annotation kamaji.clastix.io/paused and would work on: v1.0.0 does not. \
                  Update Kamaji.";
    (!now.knows_pauses).then(|| refused("Kamaji cannot pause", detail.to_owned()))
}

#[async_trait]
impl TenantAction for Pause {
    fn type_name(&self) -> &'static str {
        "kamaji_pause"
    }

    fn schema(&self) -> &'static Schema {
        &PAUSE
    }

    fn refusal(&self, now: &Now<'_>, _config: &Value) -> Option<Diagnostic> {
        let going = now.view.deletion_timestamp().map(|since| {
            let detail = format!("It is being deleted since {since}, and a pause would keep it from going.");
            refused("Control plane is being deleted", detail)
        });
        too_old(now).or(going)
    }

    async fn carry_out(&self, on: &Invocation<'_>, live: Json, config: &Value) -> Result<Diagnostics, Diagnostics> {
        let scene = &on.scene;
        let view = View::new(&live);
        if view.paused() {
            on.progress.say(format!("{} is paused already.", scene.object));
            return Ok(Diagnostics::new());
        }
        let reason = config.str_at("reason").unwrap_or_default();
        let manifest = json!({"metadata": {"annotations": {PAUSED_ANNOTATION: reason}}});
        let written = on.apply(&view, PAUSES, "pause", manifest).await?;
        if !View::new(&json_of(&written.object)).paused() {
            let detail = format!(
                "{} was written, and has no annotation {PAUSED_ANNOTATION:?} after it: an admission \
                                  webhook has removed it.",
                scene.object
            );
            return Err(Diagnostic::error("Control plane is not paused", detail).into());
        }
        on.progress.say(format!(
            "{} is paused at generation {}: Kamaji leaves it as it is. A reconcile that is under way ends within 30 seconds.",
            scene.object,
            view.generation().unwrap_or_default()
        ));
        Ok(Diagnostics::new())
    }
}

#[async_trait]
impl TenantAction for Resume {
    fn type_name(&self) -> &'static str {
        "kamaji_resume"
    }

    fn schema(&self) -> &'static Schema {
        &RESUME
    }

    fn refusal(&self, now: &Now<'_>, _config: &Value) -> Option<Diagnostic> {
        too_old(now)
    }

    async fn carry_out(&self, on: &Invocation<'_>, live: Json, config: &Value) -> Result<Diagnostics, Diagnostics> {
        let scene = &on.scene;
        let mut live = live;
        if View::new(&live).paused() {
            live = remove(on).await?;
            on.progress.say(format!("{} is not paused any more.", scene.object));
        } else {
            on.progress.say(format!("{} is not paused.", scene.object));
        }
        if config.str_at("wait_for") == Some("accepted") || View::new(&live).deleting() {
            return Ok(Diagnostics::new());
        }
        let settled = settle(&on.reach, scene, Level::Ready, live, &|reason| on.progress.say(reason)).await;
        let settled = settled.map_err(|unsettled| unsettled.why)?;
        let view = View::new(&settled.live);
        on.progress.say(format!(
            "Kamaji has caught up: {} is {} at generation {}.",
            scene.object,
            view.status().as_ref().map_or("of no status", |status| status.word()),
            view.generation().unwrap_or_default()
        ));
        Ok(settled.warnings)
    }
}

/// Removes the annotation, unless somebody declares it. Returns the object as it is then.
async fn remove(on: &Invocation<'_>) -> Result<Json, Diagnostic> {
    let scene = &on.scene;
    let doing = format!("resume {}", scene.object);
    let found = scene.cluster.get(&scene.operation, &scene.object).await;
    let found = found.map_err(|error| error.to_diagnostic(&doing))?;
    let found = found.ok_or_else(|| missing(&scene.object))?;
    let managed = entries(found.metadata.managed_fields.as_deref().unwrap_or_default());
    let path = ["metadata", "annotations", PAUSED_ANNOTATION].map(|name| Step::Field(name.to_owned()));
    let own = on.manager(PAUSES);
    let declares = |owner: &&Owner| owner.operation == OwnerOperation::Apply && owner.manager != own;
    if let Some(owner) = owners(&managed, &path).into_iter().find(declares) {
        let out = if owner.manager == scene.field_manager {
            "Remove it from `annotations` of the kamaji_tenant_control_plane and apply that; no action is needed then."
        } else {
            "Remove it where that manager takes it from."
        };
        let detail = format!(
            "The annotation {PAUSED_ANNOTATION:?} of {} is declared by {:?} and would come back. {out}",
            scene.object, owner.manager
        );
        return Err(refused("Pause is declared", detail));
    }
    let uid = found.metadata.uid.as_deref();
    let change = Change::Merge(json!({"metadata": {"uid": uid, "annotations": {PAUSED_ANNOTATION: null}}}));
    let written = scene.cluster.patch(&scene.operation, &scene.object, &change, &own).await;
    Ok(json_of(&written.map_err(|error| error.to_diagnostic(&doing))?.object))
}
