//! Create: wait for the tenant, make the token, render.

use std::time::Duration;

use tfplugin::plan::without_unknowns;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Checkpoint, Context};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::payload::{diagnostic, fill_tenant, render, render_nothing, tenant_warnings};
use super::renewal::{Status, stores, ttl};
use super::secret::{draw_join_id, end, given, terms};
use super::{Memory, Rendered, Scene, WorkerJoin};
use crate::kamaji::bootstrap_token::{BootstrapToken, expiration_text};
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::watch::EndReason;
use crate::management_cluster::{ApiError, Operation};
use crate::tenant_cluster::reach::{For, Tenant};
use crate::tenant_cluster::{public_token, random};
use secrecy::ExposeSecret as _;

/// How often a token is drawn whose id is taken already: one of two thousand million is.
pub(super) const DRAWS: usize = 5;

impl WorkerJoin {
    pub(super) async fn make(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let made = match self.scene(cx, &request.planned, "create") {
            Ok(scene) => self.make_token(&scene, &request.planned, &request.config, &request.checkpoint).await,
            Err(diagnostic) => Err(Box::new(nothing(diagnostic))),
        };
        made.unwrap_or_else(|failed| *failed)
    }

    /// Makes a token for `planned` and everything that follows from it. The error says what there is to keep.
    pub(super) async fn make_token(
        &self,
        scene: &Scene,
        planned: &Value,
        config: &Value,
        checkpoint: &Checkpoint,
    ) -> Result<ApplyResponse, Box<ApplyResponse>> {
        let fail = |diagnostic| Box::new(nothing(diagnostic));
        let given = given(config).map_err(fail)?;
        let tenant = scene.reach.wait(&scene.operation, &scene.object, For::Nodes).await.map_err(fail)?;
        let own_endpoint = !config.get("endpoint").is_null();
        let mut taken = None;
        for _ in 0..if given.is_some() { 1 } else { DRAWS } {
            let token = given.clone().map_or_else(random::token, Ok).map_err(fail)?;
            let mut state = planned.clone();
            if !state.get("join_id").is_set() {
                state.set("join_id", draw_join_id().map_err(fail)?.into());
            }
            fill_tenant(&mut state, config, &tenant).map_err(|problem| fail(diagnostic(problem)))?;
            let expiration = end(ttl(planned).unwrap_or_default()).map_err(fail)?;
            fill_token(&mut state, &token);
            state.set("expiration", expiration_text(expiration).into());
            let said = if stores(&state) {
                render(&mut state, &token, own_endpoint).map_err(fail)?
            } else {
                // What cannot be rendered is found now all the same.
                let mut tried = state.clone();
                let said = render(&mut tried, &token, own_endpoint).map_err(fail)?;
                render_nothing(&mut state);
                said
            };
            let uid = View::new(&tenant.live).uid().unwrap_or_default().to_owned();
            let memory = Memory { tenant_uid: uid, own_endpoint, rendered: Some(Rendered::of(&state)) };
            let (state, private) = (without_unknowns(&state), Private::write(&memory));
            // Whatever comes after: a token that may have been made is in the state, and so is revoked one day.
            checkpoint.save(&state, &private);
            let terms = terms(&state, Some(expiration), own_endpoint, &scene.object);
            let manager = self.shared.field_manager();
            match tenant.api.make_token(&scene.operation, &token, &terms, &manager).await {
                Ok(_) => {
                    let mut diagnostics = said;
                    let signs = !terms.without_signing;
                    diagnostics.extend(after(scene, &tenant, &token, &state, signs).await);
                    return Ok(ApplyResponse { state, private, diagnostics });
                }
                Err(error @ ApiError::AlreadyExists { .. }) => taken = Some(error),
                Err(error) => {
                    let diagnostic =
                        tenant.api.diagnostic(&error, &format!("make a bootstrap token in {}", scene.object));
                    let in_doubt = ApplyResponse { state, private, diagnostics: diagnostic.clone().into() };
                    return Err(if error.is_in_doubt() { Box::new(in_doubt) } else { fail(diagnostic) });
                }
            }
        }
        let why = taken.map(|error| error.to_string()).unwrap_or_default();
        let advice = if given.is_some() { "Give another token_wo." } else { "Apply again." };
        Err(fail(Diagnostic::error(
            "No free bootstrap token found",
            format!("A token of this id exists in {} already, with another secret: {why}. {advice}", scene.object),
        )))
    }
}

fn nothing(diagnostic: Diagnostic) -> ApplyResponse {
    ApplyResponse { state: Value::Null, private: Private::default(), diagnostics: diagnostic.into() }
}

/// Fills what a token decides but its end.
fn fill_token(state: &mut Value, token: &BootstrapToken) {
    let tenant = state.str_at("tenant_control_plane_id").unwrap_or_default();
    let id = format!("{tenant}/{}", state.str_at("join_id").unwrap_or_default());
    let stored = stores(state).then(|| token.token().expose_secret().to_owned());
    state.set("id", id.into());
    state.set("token_id", token.id().into());
    state.set("token", stored.into());
    state.set("status", Status::Valid.word().into());
}

/// What is worth knowing about a tenant that has a new token. The token is made, so nothing here is an error.
pub(super) async fn after(
    scene: &Scene,
    tenant: &Tenant,
    token: &BootstrapToken,
    state: &Value,
    signs: bool,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if signs && let Err(ended) = tenant.api.wait_until_signed(&scene.operation, token).await {
        let why = match ended.reason {
            EndReason::Stopped => "the wait for it was interrupted".to_owned(),
            EndReason::Timeout(None) => "it did not come in time".to_owned(),
            EndReason::Timeout(Some(error)) | EndReason::Failed(error) => error.to_string(),
        };
        diagnostics.push(Diagnostic::warning(
            "Token not signed yet",
            format!(
                "Token {} exists, but the signature by which machines recognise {} is not seen yet: {why}. Machines wait for \
                 it for five minutes. If it never comes, check the tenant's controller manager.",
                token.id(),
                scene.object
            ),
        ));
    }
    let question = Operation::new(scene.operation.remaining().min(public_token::QUESTION), &scene.operation.stop);
    let question = question.patience(Duration::ZERO);
    if public_token::is_unwanted(state) {
        diagnostics.extend(tenant.api.without_public_token(&question, &scene.object).await);
    }
    let kubelet_config = tenant.api.kubelet_config(&question).await.ok().flatten();
    diagnostics.extend(tenant_warnings(state, tenant, kubelet_config.as_deref()));
    diagnostics
}
