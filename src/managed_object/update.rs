//! Update: what the plan showed, and nothing that is newer.

use serde_json::Value as Json;
use tfplugin::plan::changes;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Context};
use tfplugin::schema::Kind;
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::adoption::{managed, take_over};
use super::create::Step;
use super::emptied::{self, emptied};
use super::intent::without_unclaimed;
use super::locate;
use super::mapping::to_api;
use super::memory::Memory;
use super::metadata::among_all;
use super::ownership::{Apply, ApplyFailed, apply};
use super::read::{is_going, replaced};
use super::{Applying, Managed, ManagedResource, Now, Scene};
use crate::management_cluster::ApiError;
use crate::management_cluster::error::OwnerOperation;
use crate::management_cluster::field_path;
use crate::management_cluster::json_of;
use crate::management_cluster::managed_fields::{Entry, owners};

impl<M: Managed> ManagedResource<M> {
    pub(super) async fn update_object(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let unchanged =
            |diagnostics| ApplyResponse { state: request.prior.clone(), private: request.private.clone(), diagnostics };
        if let Some(moved) = self.moved_identity(&request) {
            return unchanged(moved.into());
        }
        let memory: Memory = request.private.read();
        let resumed = memory.unsettled;
        let settled = !memory.has_adopted() && !memory.unsettled;
        if settled && !self.needs_write(&request.prior, &request.planned) {
            // Only the provider's own settings: nothing to send, nothing to wait for.
            return self.keep(&request);
        }
        let scene = match self.scene(cx, &request.planned, "update") {
            Ok(scene) => scene,
            Err(diagnostic) => return unchanged(diagnostic.into()),
        };
        let prepared = match self.prepare(&scene, &request, memory).await {
            Ok(prepared) => prepared,
            Err(diagnostics) => return unchanged(diagnostics),
        };
        let applying = Applying::of(&request);
        let before = match self.managed.before_write(&scene, &applying).await {
            Ok(said) => said,
            Err(diagnostics) => return unchanged(diagnostics),
        };
        let (mut response, live) = self.carry_out(&scene, &request, prepared, before).await;
        if let Some(live) = live.filter(|_| !response.diagnostics.has_errors()) {
            match self.managed.after_update(&scene, &applying, &live, resumed).await {
                Ok(said) => response.diagnostics.extend(said),
                Err(diagnostic) => {
                    let memory = Memory { unsettled: true, ..response.private.read() };
                    response.private = Private::write(&memory);
                    response.diagnostics.push(diagnostic);
                }
            }
        }
        response
    }

    /// Looks at the object before anything is written, and takes over what an import has found.
    async fn prepare(
        &self,
        scene: &Scene,
        request: &ApplyRequest,
        mut memory: Memory,
    ) -> Result<Prepared, Diagnostics> {
        let failed = |error: ApiError| Diagnostics::from(error.to_diagnostic(&format!("update {}", scene.object)));
        let found = scene.cluster.get(&scene.operation, &scene.object).await.map_err(failed)?;
        self.check_cluster(scene, &mut memory).await.map_err(|another| Diagnostics::from(*another))?;
        let found = found.ok_or_else(|| failed(ApiError::NotFound(scene.object.clone())))?;
        let live = json_of(&found);
        if is_going(&live) {
            return Err(Diagnostic::error(
                "Object is being deleted",
                format!("{} is marked for deletion and takes no updates. Wait until it is gone.", scene.object),
            )
            .into());
        }
        let uid = found.metadata.uid.clone().unwrap_or_default();
        if let Some(known) = request.prior.str_at("uid").filter(|known| *known != uid) {
            return Err(replaced(scene, known, &uid).into());
        }
        let stages = self.managed.stages(scene, Now::Live(&live), &request.planned).await?;
        let seen = Seen { entries: managed(&found), live };
        if memory.has_adopted() {
            memory.applied = take_over(scene, found, &memory).await.map_err(failed)?;
        }
        Ok(Prepared { uid, stages, memory, seen })
    }

    /// Writes stage by stage. Whatever fails, the state has what was written last, and the next apply goes on from there.
    /// `said` comes first in what it says. Returns the object as it was written last, too.
    async fn carry_out(
        &self,
        scene: &Scene,
        request: &ApplyRequest,
        prepared: Prepared,
        mut said: Diagnostics,
    ) -> (ApplyResponse, Option<Json>) {
        let Prepared { uid, stages, mut memory, seen } = prepared;
        let mut last = None;
        let mut state = request.prior.clone();
        // What the plan came with, until something has been written.
        let mut private = request.private.clone();
        for (done, stage) in stages.iter().enumerate() {
            let more = done + 1 < stages.len();
            let live = match self.write(scene, stage, &state, (&uid, &seen), &mut memory).await {
                Ok((live, warnings)) => {
                    said.extend(warnings);
                    live
                }
                Err(failed) => {
                    if failed.error.as_ref().is_some_and(ApiError::is_in_doubt) {
                        let mut doubtful: Memory = private.read();
                        doubtful.unsettled = true;
                        private = Private::write(&doubtful);
                    }
                    said.extend(half_done(failed.diagnostics, done, stages.len()));
                    return (ApplyResponse { state, private, diagnostics: said }, last);
                }
            };
            last = Some(live.clone());
            if !more {
                said.extend(self.still_shared(request, &live));
            }
            let step = Step { planned: stage, live, more };
            let finished = self.finish(scene, step, memory, Diagnostics::new(), &request.checkpoint).await;
            let failed = finished.diagnostics.has_errors();
            said.extend(if failed {
                half_done(finished.diagnostics, done, stages.len())
            } else {
                finished.diagnostics
            });
            (state, private) = (finished.state, finished.private);
            if failed {
                break;
            }
            memory = private.read();
        }
        (ApplyResponse { state, private, diagnostics: said }, last)
    }

    async fn write(
        &self,
        scene: &Scene,
        stage: &Value,
        before: &Value,
        (uid, seen): (&str, &Seen),
        memory: &mut Memory,
    ) -> Result<(Json, Diagnostics), ApplyFailed> {
        let mut manifest = self.intent(stage, memory).manifest;
        self.rules(stage).follow(&seen.live, &mut manifest);
        let is_ours = |path: &[field_path::Step]| seen.owns(&scene.field_manager, path);
        let prior = Json::Object(to_api(&self.managed.schema().attributes, before));
        let applied = Json::Object(memory.applied.clone());
        let manifest = Json::Object(without_unclaimed(&manifest, &prior, &applied, &is_ours));
        // With the uid the API server refuses to write another object, or to make one.
        let mut sent = manifest.clone();
        sent["metadata"]["uid"] = uid.into();
        let force = stage.get("force_conflicts").as_bool().unwrap_or(false);
        let write = Apply { manifest: &sent, memory, force, dry_run: false, prior: Some(before) };
        let (schema, doing) = (self.managed.schema(), format!("update {}", scene.object));
        let written = match apply(scene, schema, &write, &doing).await {
            Ok(written) => written,
            Err(failed) => {
                let paths = failed.error.as_ref().and_then(|error| emptied(error, &memory.applied, &manifest));
                let Some(paths) = paths else { return Err(failed) };
                emptied::remove(scene, uid, &paths).await.map_err(|error| ApplyFailed {
                    diagnostics: locate::diagnostics(schema, &error, &doing),
                    error: Some(error),
                })?;
                apply(scene, schema, &write, &doing).await?
            }
        };
        memory.applied = manifest.as_object().cloned().unwrap_or_default();
        Ok((json_of(&written.object), locate::warnings(written.warnings)))
    }

    /// What was dropped from the configuration but is still there: another manager shares it.
    fn still_shared(&self, request: &ApplyRequest, live: &Json) -> Diagnostics {
        let schema = self.managed.schema();
        let now = super::mapping::refresh(&schema.attributes, &request.prior, live);
        let dropped = changes(&schema.attributes, &request.prior, &request.planned);
        let mut given_up = Vec::new();
        for change in dropped {
            let is_map = schema.at(&change.path).is_some_and(|attribute| matches!(attribute.kind, Kind::Value(_)));
            match (&change.old, change.new.as_object()) {
                // Labels and the like are owned key by key.
                (Value::Object(old), new) if is_map => {
                    let gone = old
                        .iter()
                        .filter(|(key, value)| value.is_set() && !new.is_some_and(|new| new.contains_key(*key)));
                    given_up.extend(gone.map(|(key, value)| (change.path.key(key), value.clone())));
                }
                (old, None) if old.is_set() && change.new.is_null() => given_up.push((change.path, change.old)),
                _ => {}
            }
        }
        let mut warnings = Diagnostics::new();
        for (path, old) in given_up {
            let default = schema.at(&path).and_then(|attribute| attribute.api.as_ref()?.server_default()).is_some();
            let by_default = among_all(&path).is_some_and(|all| request.planned.at(&all).is_some_and(Value::is_set));
            if !default && !by_default && now.at(&path).is_some_and(|value| *value == old) {
                let text = format!("{path} was given up, but another manager shares it or the server keeps it.");
                warnings.push(Diagnostic::warning("Value is still there", text).at(path));
            }
        }
        warnings
    }

    /// A name that was unknown at plan may turn out to be another: updating that object would be a mistake.
    fn moved_identity(&self, request: &ApplyRequest) -> Option<Diagnostic> {
        let moved =
            ["name", "namespace"].into_iter().find(|name| request.prior.get(name) != request.planned.get(name))?;
        Some(
            Diagnostic::error(
                "Identity changed at apply",
                format!("{moved} was unknown at plan and is another one now. Apply again: the next plan replaces the object."),
            )
            .at(tfplugin::Path::of(moved)),
        )
    }

    fn keep(&self, request: &ApplyRequest) -> ApplyResponse {
        let mut state = request.planned.clone();
        for attribute in self.managed.schema().attributes.iter().filter(|attribute| !attribute.is_configurable()) {
            if !state.get(attribute.name).is_wholly_known() {
                let prior: Value = request.prior.get(attribute.name).clone();
                state.set(attribute.name, prior);
            }
        }
        let mut memory: Memory = request.private.read();
        memory.forget_plan();
        ApplyResponse { state, private: Private::write(&memory), diagnostics: Diagnostics::new() }
    }
}

/// An object that can be written.
struct Prepared {
    uid: String,
    stages: Vec<Value>,
    memory: Memory,
    seen: Seen,
}

/// The object before the first write.
struct Seen {
    live: Json,
    entries: Vec<Entry>,
}

impl Seen {
    /// True if a field at or below a path was ours.
    fn owns(&self, field_manager: &str, path: &[field_path::Step]) -> bool {
        owners(&self.entries, path)
            .iter()
            .any(|owner| owner.operation == OwnerOperation::Apply && owner.manager == field_manager)
    }
}

/// Errors in the middle of several writes say how far they came.
fn half_done(diagnostics: Diagnostics, done: usize, stages: usize) -> Diagnostics {
    if stages < 2 {
        return diagnostics;
    }
    let told = diagnostics.into_iter().map(|mut diagnostic| {
        if diagnostic.severity == tfplugin::Severity::Error {
            diagnostic.detail.push_str(&format!(
                "\n\nThis was step {} of {stages}. The state has what was applied last; apply again to go on with the rest.",
                done + 1
            ));
        }
        diagnostic
    });
    told.collect::<Vec<_>>().into()
}
