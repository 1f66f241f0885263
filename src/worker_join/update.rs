//! Update: a longer life of the token, other terms, payloads rendered anew; a new token only where the plan says so.

use jiff::Timestamp;
use tfplugin::plan::without_unknowns;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Context, DeleteRequest};
use tfplugin::{Diagnostic, Diagnostics, Severity, Value};

use super::payload::{OF_THE_TENANT, OF_THE_TOKEN, expiration, fill_tenant, render, render_nothing, token};
use super::payload::{diagnostic, tenant_warnings};
use super::plan::Effects;
use super::renewal::{Status, stores, ttl};
use super::secret::{end, given, revoke, terms};
use super::{Memory, Rendered, Scene, WorkerJoin, subject};
use crate::kamaji::bootstrap_token::expiration_text;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::json_of;
use crate::tenant_cluster::bootstrap_token::Owner;
use crate::tenant_cluster::reach::{For, Tenant};

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
        let ApplyRequest { prior, planned, config, private, .. } = request;
        let effects = Effects::of(prior, planned, config, &private.read());
        // Unknown with no effect to explain it: the control plane was not known in the plan, and may be another one.
        let wants = planned.get("token_id").is_unknown();
        if wants && (effects.new_token.is_some() || self.is_new_tenant(cx, planned, private).await?) {
            return self.replace_token(cx, request, &effects).await;
        }
        let mut memory: Memory = private.read();
        let mut state = planned.clone();
        for attribute in OF_THE_TOKEN.iter().chain(OF_THE_TENANT) {
            if state.get(attribute).is_unknown() {
                state.set(attribute, prior.get(attribute).clone());
            }
        }
        let mut diagnostics = Diagnostics::new();
        memory.own_endpoint = !config.get("endpoint").is_null();
        if effects.prolongs || effects.terms || effects.forgets_endpoint {
            let scene = self.scene(cx, planned, "update")?;
            let tenant = scene.reach.wait(&scene.operation, &scene.object, For::Api).await?;
            if effects.forgets_endpoint {
                fill_tenant(&mut state, &prior_as_config(prior, config), &tenant).map_err(diagnostic)?;
            }
            self.change_secret(&scene, &tenant, &mut state, config, &effects, memory.own_endpoint).await?;
            diagnostics.extend(tenant_warnings(&state, &tenant, None));
        }
        if effects.renders {
            match token(&state).filter(|_| stores(&state)) {
                Some(token) => diagnostics.extend(render(&mut state, &token, memory.own_endpoint)?),
                None => render_nothing(&mut state),
            }
            memory.rendered = Some(Rendered::of(&state));
        }
        Ok(ApplyResponse {
            state: without_unknowns(&filled(state, prior)),
            private: Private::write(&memory),
            diagnostics,
        })
    }

    /// Makes the Secret say what `state` says, with a new end if the token is to live longer. One that the tenant has
    /// removed after its end is made again; one that was removed before is left so.
    async fn change_secret(
        &self,
        scene: &Scene,
        tenant: &Tenant,
        state: &mut Value,
        config: &Value,
        effects: &Effects,
        own_endpoint: bool,
    ) -> Result<(), Diagnostic> {
        let known = match given(config)? {
            Some(given) => Some(given),
            None => token(state),
        };
        let join_id = state.str_at("join_id").map(str::to_owned);
        let owner = Owner { token: known.as_ref(), join_id: join_id.as_deref() };
        let id = state.str_at("token_id").unwrap_or_default().to_owned();
        let old_end = expiration(state);
        let end = if effects.prolongs { Some(end(ttl(state).unwrap_or_default())?) } else { old_end };
        let terms = terms(state, end, own_endpoint, &scene.object);
        let manager = self.shared.field_manager();
        let doing = format!("change the bootstrap token {id} of {}", scene.object);
        let failed = |error| tenant.api.diagnostic(&error, &doing);
        match tenant.api.find_token(&scene.operation, &id).await.map_err(failed)? {
            Some(stored) if stored.is_of(&owner) => {
                tenant.api.change_token(&scene.operation, &stored, &terms, &manager).await.map_err(failed)?;
            }
            None if !effects.prolongs => return Ok(()),
            None if old_end.is_some_and(|end| end <= Timestamp::now()) => match &known {
                Some(token) => {
                    tenant.api.make_token(&scene.operation, token, &terms, &manager).await.map_err(failed)?;
                }
                None => return Err(gone(state, "it has expired, and is not in the state to be made valid again")),
            },
            None => return Err(gone(state, "it was removed from the tenant before its end, which revoked it")),
            Some(_) => return Err(gone(state, "another token has its id")),
        }
        state.set("expiration", end.map(expiration_text).into());
        if effects.prolongs {
            state.set("status", Status::Valid.word().into());
        }
        Ok(())
    }

    async fn replace_token(
        &self,
        cx: &Context,
        request: &ApplyRequest,
        effects: &Effects,
    ) -> Result<ApplyResponse, Diagnostic> {
        let ApplyRequest { prior, planned, config, private, checkpoint } = request;
        let scene = self.scene(cx, planned, "create")?;
        match self.make_token(&scene, planned, config, checkpoint).await {
            Ok(mut response) => {
                let left = if prior.str_at("tenant_control_plane_id") != planned.str_at("tenant_control_plane_id") {
                    self.leave(cx, prior, private).await
                } else if effects.keeps_old {
                    Diagnostics::new()
                } else {
                    self.drop_old(&scene, prior, &response.state).await
                };
                response.diagnostics.extend(left);
                Ok(response)
            }
            // The old state says more than none.
            Err(failed) if failed.state.is_null() => {
                Ok(ApplyResponse { state: prior.clone(), private: private.clone(), diagnostics: failed.diagnostics })
            }
            Err(failed) => Ok(*failed),
        }
    }

    /// Revokes the token that has a successor in the same tenant.
    async fn drop_old(&self, scene: &Scene, prior: &Value, state: &Value) -> Diagnostics {
        let dropped = async {
            let tenant = scene.reach.wait(&scene.operation, &scene.object, For::Api).await?;
            let revoked = revoke(&tenant.api, &scene.operation, prior, state.str_at("token_id")).await;
            revoked.map_err(|error| tenant.api.diagnostic(&error, "revoke the old bootstrap token"))
        };
        match dropped.await {
            Ok(()) => Diagnostics::new(),
            Err(error) => Diagnostic { severity: Severity::Warning, ..error }.into(),
        }
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

/// The configuration, with the version of the state: that of the tenant is no reason to render another one.
fn prior_as_config(prior: &Value, config: &Value) -> Value {
    let mut config = config.clone();
    if config.get("kubernetes_version").is_null() {
        config.set("kubernetes_version", prior.get("kubernetes_version").clone());
    }
    config
}

/// What was rendered before, where the plan left it open and nothing made it anew.
fn filled(mut state: Value, prior: &Value) -> Value {
    for attribute in super::payload::RENDERED {
        if !state.get(attribute).is_wholly_known() {
            state.set(attribute, prior.get(attribute).clone());
        }
    }
    state
}

fn gone(state: &Value, why: &str) -> Diagnostic {
    Diagnostic::error(
        "Token cannot be changed",
        format!("The token of {} cannot be changed: {why}. Plan again: a refresh shows it.", subject(state)),
    )
}
