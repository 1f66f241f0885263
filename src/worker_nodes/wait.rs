//! Create and update: wait for the nodes; an update takes out those that are named no more.

use std::time::Duration;

use serde_json::Value as Json;
use tfplugin::plan::without_unknowns;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Context};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::schema::FOUND;
use super::selection::{Selection, wanted};
use super::{Memory, Scene, WorkerNodes, counted, fill, has_to_be_ready, shown};
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::selectors::bad_selector;
use crate::management_cluster::watch::{EndReason, WaitEnded};
use crate::management_cluster::{ApiError, Operation, json_of};
use crate::tenant_cluster::drain::{Drain, Leaving};
use crate::tenant_cluster::nodes::Request;
use crate::tenant_cluster::reach::{For, Tenant};

/// The longest that an error asks for more about itself.
const DIAGNOSIS: Duration = Duration::from_secs(10);
/// How many nodes a message names.
const NAMED: usize = 10;

impl WorkerNodes {
    /// Waits until the nodes of `planned` are there. Returns the state, what to remember, and the tenant.
    pub(super) async fn wait(
        &self,
        cx: &Context,
        planned: &Value,
        operation: &str,
    ) -> Result<(Value, Memory, Tenant), Diagnostic> {
        let scene = self.scene(cx, planned, operation)?;
        let mut state = planned.clone();
        let tenant = scene.reach.wait(&scene.operation, &scene.object, For::Api).await?;
        // Known at apply, as the table demands one of the three.
        let (Some(selection), Some(wanted)) = (Selection::of(planned), wanted(planned)) else {
            return Err(Diagnostic::error("Nodes are not named", "Nothing says which nodes are to be waited for."));
        };
        let (labels, mut before) = (selection.labels(), None);
        let waiting = tenant.api.wait_until_nodes(&scene.operation, &labels, |nodes| {
            let nodes = shown(nodes.iter().filter(|node| selection.takes(node)));
            let count = counted(planned, &nodes);
            if before.replace((nodes.len(), count)) != Some((nodes.len(), count)) {
                tracing::info!(tenant = %scene.object, wanted, joined = nodes.len(), counted = count, "waiting for nodes");
            }
            (count >= wanted).then_some(nodes)
        });
        match waiting.await {
            Ok(nodes) => {
                fill(&mut state, nodes);
                let tenant_uid = View::new(&tenant.live).uid().unwrap_or_default().to_owned();
                Ok((without_unknowns(&state), Memory { tenant_uid, silent: false }, tenant))
            }
            Err(ended) => Err(scene.not_there(&tenant, planned, &selection, wanted, &ended).await),
        }
    }

    pub(super) async fn change(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let ApplyRequest { prior, planned, private, .. } = request;
        // Settings alone need no tenant, which may sleep.
        if FOUND.iter().all(|attribute| !planned.get(attribute).is_unknown()) {
            return ApplyResponse { state: without_unknowns(&planned), private, diagnostics: Diagnostics::new() };
        }
        match self.wait(cx, &planned, "update").await {
            Ok((state, memory, tenant)) => {
                let old: Memory = private.read();
                let said = if old.is_of_another(Some(&memory.tenant_uid)) {
                    Diagnostics::new()
                } else {
                    self.take_out(cx, &prior, &planned, &tenant).await
                };
                // What is not out yet is named in the old state, so that the next apply goes on.
                let state = if said.has_errors() { prior } else { state };
                ApplyResponse { state, private: Private::write(&memory), diagnostics: said }
            }
            Err(error) => ApplyResponse { state: prior, private, diagnostics: error.into() },
        }
    }

    /// Drains and deletes the nodes that the old state names and the new one does not.
    async fn take_out(&self, cx: &Context, prior: &Value, planned: &Value, tenant: &Tenant) -> Diagnostics {
        let (Some(before), Some(after)) = (Selection::of(prior), Selection::of(planned)) else {
            return Diagnostics::new();
        };
        let Some(gone) = before.without(&after) else { return Diagnostics::new() };
        match self.scene(cx, planned, "update") {
            Ok(scene) => scene.take_out(tenant, &gone, &Drain::of(planned), &self.shared.field_manager()).await,
            Err(error) => error.into(),
        }
    }
}

impl Scene {
    /// Drains and deletes nodes.
    pub(super) async fn take_out(
        &self,
        tenant: &Tenant,
        selection: &Selection,
        drain: &Drain,
        field_manager: &str,
    ) -> Diagnostics {
        let of = |node: &Json| {
            let text = |field: &str| node["metadata"][field].as_str().map(str::to_owned);
            selection.takes(node).then(|| Leaving { name: text("name").unwrap_or_default(), uid: text("uid") })
        };
        match tenant.api.nodes_as(&self.operation, &selection.labels(), of).await {
            Ok(found) => {
                let found: Vec<Leaving> = found.into_iter().flatten().collect();
                tenant.api.remove_nodes(&self.operation, &found, drain, field_manager).await
            }
            Err(error) => refused(tenant, &error, &format!("list the nodes of {}", self.object)).into(),
        }
    }

    /// Why a wait for nodes has ended without them.
    async fn not_there(
        &self,
        tenant: &Tenant,
        planned: &Value,
        selection: &Selection,
        wanted: usize,
        ended: &WaitEnded,
    ) -> Diagnostic {
        let seen: Vec<Json> = ended.seen.values().map(json_of).filter(|node| selection.takes(node)).collect();
        let nodes = shown(&seen);
        let count = counted(planned, &nodes);
        let state = if has_to_be_ready(planned) { "Ready" } else { "there" };
        let tally = format!(
            "{count} of {wanted} nodes {} are {state} in {}.{}",
            selection.words(),
            self.object,
            not_ready(&nodes)
        );
        match &ended.reason {
            EndReason::Failed(error) => refused(tenant, error, &format!("wait for the nodes of {}", self.object)),
            EndReason::Stopped => {
                Diagnostic::error("Interrupted while waiting", format!("{tally}\n\nThe next apply waits again."))
            }
            EndReason::Timeout(Some(error)) if error.is_unreachable() => {
                tenant.api.diagnostic(error, &format!("wait for the nodes of {}", self.object))
            }
            EndReason::Timeout(_) => {
                let advice = if nodes.len() < wanted { self.missing_machines(tenant).await } else { String::new() };
                Diagnostic::error(
                    "Nodes are not there in time",
                    format!("{tally}\n\n{advice}More time is given in `timeouts`. The next apply waits again."),
                )
            }
        }
    }

    /// How far machines have come that are no nodes.
    async fn missing_machines(&self, tenant: &Tenant) -> String {
        let bounded = Operation::new(DIAGNOSIS, &self.operation.stop).patience(Duration::ZERO);
        let requests = match tenant.api.join_requests(&bounded).await {
            Ok(requests) => requests,
            Err(error) => {
                tracing::info!(%error, "requests for certificates were not looked at");
                return String::new();
            }
        };
        let pending = requests.iter().filter(|request: &&Request| request.pending).count();
        if requests.is_empty() {
            let endpoint = tenant.admin.parsed.endpoint().map(|endpoint| endpoint.to_string()).unwrap_or_default();
            return format!(
                "No machine has asked the tenant to join within the last hour: either none reached its API at {endpoint}, or their \
                 token has expired or was revoked, or they are still booting. Look at the log of cloud-init on a machine. "
            );
        }
        if pending > 0 {
            return format!(
                "{pending} machines have asked for a certificate and got none: the tenant's controller manager approves and \
                 signs them. "
            );
        }
        "Machines have got their certificates within the last hour. If they are those waited for, their kubelet does not \
         register: look at its log. Nodes that joined by `join_command` do not carry the label of the join: name them with \
         node_names. "
            .to_owned()
    }
}

/// A request that the tenant did not carry out; a selector that cannot be read is the configuration's fault.
fn refused(tenant: &Tenant, error: &ApiError, doing: &str) -> Diagnostic {
    bad_selector(error).unwrap_or_else(|| tenant.api.diagnostic(error, doing))
}

/// The nodes that are not ready, and why; the first few.
fn not_ready(nodes: &[Value]) -> String {
    let lines = nodes
        .iter()
        .filter_map(|node| Some(format!("\n- {}: {}", node.str_at("name")?, node.str_at("not_ready_reason")?)));
    lines.take(NAMED).collect()
}
