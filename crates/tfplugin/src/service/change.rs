//! Changes of managed resources: plan and apply.

use std::sync::Arc;

use tonic::{Response, Status};
use tracing::Instrument as _;

use super::guard::{Fallible as _, ended, panicked, span};
use super::managed::resolved;
use super::{Inner, dynamic, identity};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::plan::propose;
use crate::private::Private;
use crate::proto::tfplugin6 as wire;
use crate::resource::{ApplyRequest, ApplyResponse, Checkpoint, DeleteRequest, Plan, PlanRequest, Resource};
use crate::value::Value;

pub(super) async fn plan_resource_change(
    inner: Arc<Inner>,
    request: wire::plan_resource_change::Request,
) -> wire::plan_resource_change::Response {
    type PlanResponse = wire::plan_resource_change::Response;
    let plan = async {
        let resource = inner.resource(&request.type_name)?;
        let schema = resource.schema();
        let prior = dynamic::read("prior state", request.prior_state.as_ref(), schema)?;
        let config = dynamic::read("configuration", request.config.as_ref(), schema)?;
        let proposed = dynamic::read("proposed state", request.proposed_new_state.as_ref(), schema)?;
        let private = Private::from_bytes(request.prior_private.clone());
        let mut plan = Plan {
            planned: Value::Null,
            requires_replace: Vec::new(),
            private: private.clone(),
            diagnostics: Diagnostics::new(),
        };
        if !proposed.is_null() {
            let proposal = propose(schema, &prior, &config, &proposed);
            for (path, reason) in &proposal.replaced {
                plan.say(replace_warning(path, reason));
            }
            plan.planned = proposal.planned;
            plan.requires_replace = proposal.replaced.into_iter().map(|(path, _)| path).collect();
        }
        let plan = resource.plan(&inner.context(), PlanRequest { prior: prior.clone(), config, private }, plan).await;
        let replaced = !plan.requires_replace.is_empty();
        Ok(PlanResponse {
            planned_state: Some(dynamic::write(&plan.planned, schema)),
            requires_replace: plan.requires_replace.iter().map(Path::to_proto).collect(),
            planned_private: plan.private.into_bytes(),
            diagnostics: plan.diagnostics.to_proto(),
            planned_identity: identity::planned(resource, &prior, &plan.planned, replaced)
                .or_else(|| request.prior_identity.clone()),
            // What is planned offline stands for what will be planned.
            deferred: inner.deferral(request.client_capabilities),
            ..PlanResponse::default()
        })
    };
    plan.await.unwrap_or_else(|diagnostics: Diagnostics| PlanResponse::failed(&diagnostics))
}

fn replace_warning(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::warning("The object will be replaced", format!("A changed {path} needs a new object: {reason}."))
        .at(path.clone())
}

/// Not guarded like the others: after a panic the answer must hold what was saved so far, or core forgets the object.
pub(super) async fn apply_resource_change(
    inner: Arc<Inner>,
    request: wire::apply_resource_change::Request,
) -> Result<Response<wire::apply_resource_change::Response>, Status> {
    let rpc = "apply_resource_change";
    let checkpoint = Checkpoint::default();
    let span = span(rpc);
    let call = apply(Arc::clone(&inner), request.clone(), checkpoint.clone()).instrument(span.clone());
    let response = match tokio::spawn(call).await {
        Ok(response) => response,
        Err(error) => {
            let diagnostics = Diagnostics::from(panicked(rpc, error));
            match (checkpoint.last(), inner.resource(&request.type_name)) {
                (Some((state, private)), Ok(resource)) => {
                    answer(resource, ApplyResponse { state, private, diagnostics }, None)
                }
                _ => unchanged(&inner, &request, &diagnostics),
            }
        }
    };
    ended(&span, &response);
    Ok(Response::new(response))
}

async fn apply(
    inner: Arc<Inner>,
    request: wire::apply_resource_change::Request,
    checkpoint: Checkpoint,
) -> wire::apply_resource_change::Response {
    let decode = || {
        let resource = inner.resource(&request.type_name)?;
        let schema = resource.schema();
        let prior = dynamic::read("prior state", request.prior_state.as_ref(), schema)?;
        let planned = dynamic::read("planned state", request.planned_state.as_ref(), schema)?;
        let config = dynamic::read("configuration", request.config.as_ref(), schema)?;
        Ok((resource, prior, planned, config))
    };
    let (resource, prior, planned, config) = match decode() {
        Ok(decoded) => decoded,
        Err(diagnostics) => return unchanged(&inner, &request, &diagnostics),
    };
    let cx = inner.context();
    let private = Private::from_bytes(request.planned_private.clone());
    if planned.is_null() {
        let diagnostics = resource.delete(&cx, DeleteRequest { prior, private }).await;
        if diagnostics.has_errors() {
            return kept(&diagnostics);
        }
        let gone = ApplyResponse { state: Value::Null, private: Private::default(), diagnostics };
        return answer(resource, gone, None);
    }
    let creating = prior.is_null();
    let apply = ApplyRequest { prior, planned, config, private, checkpoint };
    let applied = if creating { resource.create(&cx, apply).await } else { resource.update(&cx, apply).await };
    answer(resource, applied, request.planned_identity)
}

fn answer(
    resource: &dyn Resource,
    mut applied: ApplyResponse,
    identity: Option<wire::ResourceIdentityData>,
) -> wire::apply_resource_change::Response {
    let state = resolved(applied.state, &mut applied.diagnostics);
    wire::apply_resource_change::Response {
        new_state: Some(dynamic::write(&state, resource.schema())),
        private: applied.private.into_bytes(),
        diagnostics: applied.diagnostics.to_proto(),
        new_identity: identity::of(resource, &state).or_else(|| identity::known(resource, identity.as_ref())),
        ..wire::apply_resource_change::Response::default()
    }
}

/// The answer of a delete that failed: without a state core keeps the object as it was, its private state included. What
/// came with the request may be that of a replacement.
fn kept(diagnostics: &Diagnostics) -> wire::apply_resource_change::Response {
    wire::apply_resource_change::Response::failed(diagnostics)
}

/// The prior object as it came, with what went wrong: nothing was done that the state should know of.
fn unchanged(
    inner: &Inner,
    request: &wire::apply_resource_change::Request,
    diagnostics: &Diagnostics,
) -> wire::apply_resource_change::Response {
    wire::apply_resource_change::Response {
        new_state: request.prior_state.clone(),
        private: request.planned_private.clone(),
        diagnostics: diagnostics.to_proto(),
        new_identity: inner
            .resource(&request.type_name)
            .ok()
            .and_then(|resource| identity::known(resource, request.planned_identity.as_ref())),
        ..wire::apply_resource_change::Response::default()
    }
}
