//! Create: never adopts by accident, never loses what it made.

use serde_json::Value as Json;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Checkpoint, Context};
use tfplugin::schema::{Attribute, Kind};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::locate;
use super::memory::{Memory, NONCE};
use super::ownership::{Apply, apply};
use super::read::is_going;
use super::{Managed, ManagedResource, Scene};
use crate::management_cluster::json_of;

impl<M: Managed> ManagedResource<M> {
    pub(super) async fn create_object(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let mut memory: Memory = request.private.read();
        if memory.nonce.is_empty() {
            memory.nonce = self.shared.nonce(&self.object(&request.planned));
        }
        let nothing = |diagnostics| ApplyResponse { state: Value::Null, private: Private::default(), diagnostics };
        let scene = match self.scene(cx, &request.planned, "create") {
            Ok(scene) => scene,
            Err(diagnostic) => return nothing(diagnostic.into()),
        };
        let doing = format!("create {}", scene.object);
        // A server-side apply is an upsert: what exists and does not carry this create's nonce is somebody else's.
        match scene.cluster.get(&scene.operation, &scene.object).await {
            Ok(None) => {}
            Ok(Some(found)) if carries(&json_of(&found), &memory.nonce) => {}
            Ok(Some(found)) if is_going(&json_of(&found)) => return nothing(still_going(&scene).into()),
            Ok(Some(_)) => return nothing(self.foreign(&request.planned).into()),
            Err(error) => return nothing(error.to_diagnostic(&doing).into()),
        }
        let manifest = Json::Object(self.intent(&request.planned, &memory).manifest);
        memory.applied = manifest.as_object().cloned().unwrap_or_default();
        let write = Apply { manifest: &manifest, memory: &memory, force: false, dry_run: false, prior: None };
        let applied = apply(&scene, self.managed.schema(), &write, &doing).await;
        match applied {
            Ok(written) => {
                let live = json_of(&written.object);
                let diagnostics = locate::warnings(written.warnings);
                let written = Step { planned: &request.planned, live, more: false };
                self.finish(&scene, written, memory, diagnostics, &request.checkpoint).await
            }
            // It may have arrived: the object goes into the state, tainted, and the nonce tells the next refresh
            // whether it is there.
            Err(failed) if failed.error.as_ref().is_some_and(crate::management_cluster::ApiError::is_in_doubt) => {
                ApplyResponse {
                    state: tfplugin::plan::without_unknowns(&request.planned),
                    private: Private::write(&memory),
                    diagnostics: failed.diagnostics,
                }
            }
            Err(failed) => nothing(failed.diagnostics),
        }
    }

    /// After a write: saves the state, waits, saves again.
    pub(super) async fn finish(
        &self,
        scene: &Scene,
        Step { planned, live: written, more }: Step<'_>,
        mut memory: Memory,
        mut diagnostics: Diagnostics,
        checkpoint: &Checkpoint,
    ) -> ApplyResponse {
        memory.adopted_from.clear();
        memory.forget_plan();
        let mut state = planned.clone();
        // The identity is known from the answer, whatever comes after.
        let mut known = tfplugin::plan::without_unknowns(planned);
        known.set("uid", written["metadata"]["uid"].as_str().into());
        checkpoint.save(&known, &Private::write(&memory));
        let live = match self.managed.settle(scene, planned, written, more).await {
            Ok(settled) => {
                memory.unsettled = false;
                diagnostics.extend(settled.warnings);
                settled.live
            }
            Err(unsettled) => {
                memory.unsettled = true;
                diagnostics.push(unsettled.why.clone());
                unsettled.last
            }
        };
        let mut observed = planned.clone();
        diagnostics.extend(self.managed.observe(scene, &live, &mut observed, &mut memory).await);
        memory.was_ready |= self.managed.is_protected(&observed);
        fill_unknown(&self.managed.schema().attributes, &mut state, &observed);
        ApplyResponse { state, private: Private::write(&memory), diagnostics }
    }
}

/// A write that the API server has taken.
pub(super) struct Step<'a> {
    /// The object as this write has it.
    pub planned: &'a Value,
    /// The answer.
    pub live: Json,
    /// True if another write follows.
    pub more: bool,
}

/// Takes over what a plan left unknown. What it promised stays: the next refresh shows what moved.
fn fill_unknown(attributes: &[Attribute], state: &mut Value, observed: &Value) {
    let Some(members) = state.as_object_mut() else { return };
    for attribute in attributes.iter().filter(|attribute| attribute.is_computed()) {
        let Some(value) = members.get_mut(attribute.name) else { continue };
        let seen = observed.get(attribute.name);
        match (&attribute.kind, &value) {
            (_, Value::Unknown) => *value = tfplugin::plan::without_unknowns(seen),
            (Kind::Object(inner), Value::Object(_)) => fill_unknown(inner, value, seen),
            _ => {}
        }
    }
}

fn carries(live: &Json, nonce: &str) -> bool {
    live["metadata"]["annotations"][NONCE] == nonce && !is_going(live)
}

fn still_going(scene: &Scene) -> Diagnostic {
    Diagnostic::error(
        "Object is being deleted",
        format!(
            "{} still exists, marked for deletion. Apply again when it is gone; `kubectl get` shows the finalizers that it \
             waits for. With `create_before_destroy` a replacement needs another name.",
            scene.object
        ),
    )
}
