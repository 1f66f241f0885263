//! Create: never adopts by accident, never loses what it made.

use kube::api::DynamicObject;
use serde_json::{Value as Json, json};
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Checkpoint, Context};
use tfplugin::schema::{Attribute, Kind};
use tfplugin::{Diagnostic, Diagnostics, Severity, Value};

use super::adoption::take_over;
use super::locate;
use super::memory::{Memory, NONCE};
use super::owned::is_controlled;
use super::ownership::{Apply, apply};
use super::read::is_going;
use super::{Applying, Managed, ManagedResource, Scene};
use crate::management_cluster::ApiError::{self, NamespaceMissing};
use crate::management_cluster::{Kind as CoreKind, json_of};

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
            Ok(Some(found)) if Self::adopts(&request.planned) && !memory.replacing => {
                return self.adopt_object(&scene, &request, &memory, found).await.unwrap_or_else(nothing);
            }
            Ok(Some(_)) => return nothing(self.foreign(&request.planned).into()),
            Err(error) => return nothing(error.to_diagnostic(&doing).into()),
        }
        if let Err(another) = self.check_cluster(&scene, &mut memory).await {
            return nothing((*another).into());
        }
        let mut said = match self.managed.before_write(&scene, &Applying::of(&request)).await {
            Ok(said) => said,
            Err(diagnostics) => return nothing(diagnostics),
        };
        let manifest = Json::Object(self.intent(&request.planned, &memory).manifest);
        memory.applied = manifest.as_object().cloned().unwrap_or_default();
        let write = Apply { manifest: &manifest, memory: &memory, force: false, dry_run: false, prior: None };
        let mut applied = apply(&scene, self.managed.schema(), &write, &doing).await;
        let missing =
            applied.as_ref().err().is_some_and(|failed| matches!(failed.error, Some(NamespaceMissing { .. })));
        if missing && Self::makes_namespace(&request.planned) {
            if let Err(error) = make_namespace(&scene).await {
                return nothing(error.to_diagnostic(&doing).at(tfplugin::Path::of("create_namespace")).into());
            }
            applied = apply(&scene, self.managed.schema(), &write, &doing).await;
        }
        match applied {
            Ok(written) => {
                let live = json_of(&written.object);
                said.extend(locate::warnings(written.warnings));
                let written = Step { planned: &request.planned, live, more: false };
                self.finish(&scene, written, memory, said, &request.checkpoint).await
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
            Err(failed) => {
                self.managed.after_failed_create(&scene, &request.planned).await;
                said.extend(failed.diagnostics);
                nothing(said)
            }
        }
    }

    /// True if a create may make its namespace.
    pub(super) fn makes_namespace(planned: &Value) -> bool {
        planned.get("create_namespace").as_bool().unwrap_or(false)
    }

    /// True if a create may take over what exists.
    pub(super) fn adopts(planned: &Value) -> bool {
        planned.get("adopt_existing").as_bool().unwrap_or(false)
    }

    /// The memory of an object that exists: what an import would remember.
    pub(super) fn adopted(&self, scene: &Scene, found: &DynamicObject, planned: &Value, memory: &Memory) -> Memory {
        let mut memory = Memory { nonce: String::new(), was_ready: true, ..memory.clone() };
        self.take(scene, (found, &json_of(found)), &mut memory, &self.rules(planned));
        memory
    }

    /// Makes an object that exists ours and what is configured.
    async fn adopt_object(
        &self,
        scene: &Scene,
        request: &ApplyRequest,
        memory: &Memory,
        found: DynamicObject,
    ) -> Result<ApplyResponse, Diagnostics> {
        let doing = format!("adopt {}", scene.object);
        let mut memory = self.adopted(scene, &found, &request.planned, memory);
        self.check_cluster(scene, &mut memory).await.map_err(|another| Diagnostics::from(*another))?;
        let mut said = self.managed.before_write(scene, &Applying::of(request)).await?;
        let uid = found.metadata.uid.clone();
        let manifest = self.intent(&request.planned, &memory).manifest;
        // What the controller of an owner has set is not ours, also where it is configured otherwise.
        let controlled = is_controlled(&found);
        if !controlled {
            memory.applied = manifest.clone();
        }
        if memory.has_adopted() {
            let taken = take_over(scene, found, &memory).await;
            taken.map_err(|error| Diagnostics::from(error.to_diagnostic(&doing)))?;
        }
        // With the uid the API server refuses to write another object, or to make one.
        let mut sent = Json::Object(manifest.clone());
        sent["metadata"]["uid"] = uid.into();
        let force = request.planned.get("force_conflicts").as_bool().unwrap_or(false);
        let write = Apply { manifest: &sent, memory: &memory, force, dry_run: false, prior: None };
        let written = apply(scene, self.managed.schema(), &write, &doing).await.map_err(|failed| failed.diagnostics)?;
        memory.applied = manifest;
        said.extend(locate::warnings(written.warnings));
        let step = Step { planned: &request.planned, live: json_of(&written.object), more: false };
        let mut response = self.finish(scene, step, memory, said, &request.checkpoint).await;
        // An error would taint the object, and the next apply delete what somebody else made. The next plan goes on waiting.
        let softened = response.diagnostics.iter().cloned().map(|it| Diagnostic { severity: Severity::Warning, ..it });
        response.diagnostics = softened.collect::<Vec<_>>().into();
        Ok(response)
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
        memory.settle_in();
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
        memory.owned_by = self.owning(&live);
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

async fn make_namespace(scene: &Scene) -> Result<(), ApiError> {
    let manifest = json!({"metadata": {"name": scene.object.namespace,
        "labels": {"app.kubernetes.io/managed-by": "terraform-provider-kamaji"}}});
    let made = scene.cluster.create(&scene.operation, CoreKind::Namespace, None, &manifest, &scene.field_manager).await;
    match made {
        // Another control plane of the same apply was faster.
        Ok(_) | Err(ApiError::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error),
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
