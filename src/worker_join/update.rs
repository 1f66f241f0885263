//! Update: new labels and taints in the user data; a new token only where the control plane is a new one.

use tfplugin::plan::without_unknowns;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Context, DeleteRequest};
use tfplugin::{Diagnostic, Diagnostics, Severity, Value};

use super::payload::{OF_THE_TOKEN, RENDERED, diagnostic, render};
use super::{Memory, WorkerJoin};
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::json_of;

impl WorkerJoin {
    pub(super) async fn change(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        match self.try_change(cx, &request).await {
            Ok(response) => response,
            Err(diagnostic) => {
                ApplyResponse { state: request.prior, private: request.private, diagnostics: diagnostic.into() }
            }
        }
    }

    async fn try_change(&self, cx: &Context, request: &ApplyRequest) -> Result<ApplyResponse, Diagnostic> {
        let ApplyRequest { prior, planned, private, checkpoint, .. } = request;
        if planned.get("token").is_unknown() && self.is_new_tenant(cx, planned, private).await? {
            let scene = self.scene(cx, planned, "create")?;
            return match self.make_token(&scene, planned, checkpoint).await {
                Ok(mut response) => {
                    if prior.str_at("tenant_control_plane_id") != planned.str_at("tenant_control_plane_id") {
                        response.diagnostics.extend(self.leave(cx, prior, private).await);
                    }
                    Ok(response)
                }
                // The old state says more than none.
                Err(failed) if failed.state.is_null() => Ok(ApplyResponse {
                    state: prior.clone(),
                    private: private.clone(),
                    diagnostics: failed.diagnostics,
                }),
                Err(failed) => Ok(*failed),
            };
        }
        let mut state = planned.clone();
        for attribute in OF_THE_TOKEN {
            if state.get(attribute).is_unknown() {
                state.set(attribute, prior.get(attribute).clone());
            }
        }
        if RENDERED.iter().any(|attribute| !state.get(attribute).is_wholly_known()) {
            render(&mut state).map_err(diagnostic)?;
        }
        Ok(ApplyResponse { state: without_unknowns(&state), private: private.clone(), diagnostics: Diagnostics::new() })
    }

    /// Revokes the token of a tenant that was left for another one, if that is possible.
    async fn leave(&self, cx: &Context, prior: &Value, private: &Private) -> Diagnostics {
        let request = DeleteRequest { prior: prior.clone(), private: private.clone() };
        match self.revoke(cx, &request).await {
            Ok(diagnostics) => diagnostics,
            Err(error) => Diagnostic { severity: Severity::Warning, ..error }.into(),
        }
    }

    /// True if the control plane is not the one that the token was made in.
    async fn is_new_tenant(&self, cx: &Context, planned: &Value, private: &Private) -> Result<bool, Diagnostic> {
        let scene = self.scene(cx, planned, "create")?;
        let found = scene.reach.cluster.get(&scene.operation, &scene.object).await;
        let found = found.map_err(|error| error.to_diagnostic(&format!("read {}", scene.object)))?;
        let live = found.as_ref().map(json_of).unwrap_or_default();
        let memory: Memory = private.read();
        // Without a memory nothing says that it is the old one.
        Ok(memory.tenant_uid.is_empty() || memory.is_of_another(View::new(&live).uid()))
    }
}
