//! Update: what the plan showed, and nothing that is newer.

use serde_json::Value as Json;
use tfplugin::plan::changes;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Context};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::locate;
use super::memory::Memory;
use super::ownership::{Apply, apply, take_over};
use super::read::{is_going, replaced};
use super::{Managed, ManagedResource, Scene};
use crate::management_cluster::ApiError;
use crate::management_cluster::json_of;

impl<M: Managed> ManagedResource<M> {
    pub(super) async fn update_object(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let unchanged =
            |diagnostics| ApplyResponse { state: request.prior.clone(), private: request.private.clone(), diagnostics };
        if let Some(moved) = self.moved_identity(&request) {
            return unchanged(moved.into());
        }
        let memory: Memory = request.private.read();
        let in_api = |path| self.managed.schema().at(path).is_some_and(|attribute| attribute.api.is_some());
        let differs = changes(&self.managed.schema().attributes, &request.prior, &request.planned);
        let settled = memory.adopted_from.is_empty() && !memory.unsettled;
        if !differs.iter().any(|change| in_api(&change.path)) && settled {
            // Only the provider's own settings: nothing to send, nothing to wait for.
            return self.keep(&request);
        }
        let scene = match self.scene(cx, &request.planned, "update") {
            Ok(scene) => scene,
            Err(diagnostic) => return unchanged(diagnostic.into()),
        };
        match self.write(&scene, &request, memory).await {
            Ok((live, memory, diagnostics)) => {
                self.finish(&scene, &request.planned, live, memory, diagnostics, &request.checkpoint).await
            }
            Err(diagnostics) => unchanged(diagnostics),
        }
    }

    async fn write(
        &self,
        scene: &Scene,
        request: &ApplyRequest,
        mut memory: Memory,
    ) -> Result<(Json, Memory, Diagnostics), Diagnostics> {
        let doing = format!("update {}", scene.object);
        let failed = |error: ApiError| Diagnostics::from(error.to_diagnostic(&doing));
        let found = scene.cluster.get(&scene.operation, &scene.object).await.map_err(failed)?;
        let found = found.ok_or_else(|| failed(ApiError::NotFound(scene.object.clone())))?;
        if is_going(&json_of(&found)) {
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
        if !memory.adopted_from.is_empty() {
            memory.applied = take_over(scene, found, &memory).await.map_err(failed)?;
        }
        let manifest = Json::Object(self.intent(&request.planned, &memory).manifest);
        // With the uid the API server refuses to write another object, or to make one.
        let mut sent = manifest.clone();
        sent["metadata"]["uid"] = uid.into();
        let force = request.planned.get("force_conflicts").as_bool().unwrap_or(false);
        let write = Apply { manifest: &sent, memory: &memory, force, dry_run: false, prior: Some(&request.prior) };
        let written = apply(scene, self.managed.schema(), &write, &doing).await.map_err(|failed| failed.diagnostics)?;
        memory.applied = manifest.as_object().cloned().unwrap_or_default();
        let live = json_of(&written.object);
        let mut diagnostics = locate::warnings(written.warnings);
        diagnostics.extend(self.still_shared(request, &live));
        Ok((live, memory, diagnostics))
    }

    /// What was dropped from the configuration but is still there: another manager shares it.
    fn still_shared(&self, request: &ApplyRequest, live: &Json) -> Diagnostics {
        let schema = self.managed.schema();
        let now = super::mapping::refresh(&schema.attributes, &request.prior, live);
        let dropped = changes(&schema.attributes, &request.prior, &request.planned);
        let mut warnings = Diagnostics::new();
        for change in dropped.iter().filter(|change| change.old.is_set() && change.new.is_null()) {
            let default =
                schema.at(&change.path).and_then(|attribute| attribute.api.as_ref()?.server_default()).is_some();
            if !default && now.at(&change.path).is_some_and(|value| *value == change.old) {
                warnings.push(
                    Diagnostic::warning(
                        "Value is still there",
                        format!("{} was given up, but another manager shares it or the server keeps it.", change.path),
                    )
                    .at(change.path.clone()),
                );
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
        memory.may_delete = false;
        ApplyResponse { state, private: Private::write(&memory), diagnostics: Diagnostics::new() }
    }
}
