//! Destroy: reach the machine, drain the node and delete it, reset the machine.

use std::time::Duration;

use tfplugin::resource::{Context, DeleteRequest};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::machine::{is_it, reset};
use super::schema::ON_DESTROY;
use super::{Memory, Scene, Worker, is_of_machine};
use crate::kamaji::tenant_control_plane::View;
use crate::ssh::Session;
use crate::tenant_cluster::drain::{Drain, Leaving};
use crate::tenant_cluster::reach::{Sight, Tenant};

/// How long a machine is tried that is not reached.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a tenant is asked again that does not answer.
const AGAIN: Duration = Duration::from_secs(2);

impl Worker {
    pub(super) async fn remove(&self, cx: &Context, request: &DeleteRequest) -> Result<Diagnostics, Diagnostic> {
        let prior = &request.prior;
        let Some(name) = prior.str_at("node_name") else { return Ok(Diagnostics::new()) };
        let scene = self.scene(cx, prior, "delete")?;
        let mut said = Diagnostics::new();
        // First of all: a node must not be drained that cannot be reset then.
        let session = scene.reach_machine(prior, name, &mut said).await?;
        let memory: Memory = request.private.read();
        if let Some(tenant) = scene.tenant(&memory, name, &mut said).await? {
            scene.drain(&tenant, prior, name).await?;
        }
        if let Some(session) = session {
            reset(&session, &scene.operation, prior.str_at("machine_id"), prior.str_at("cri_socket")).await?;
        }
        Ok(said)
    }
}

impl Scene {
    /// A session on the machine; [`None`] if it is to be left as it is.
    async fn reach_machine(
        &self,
        prior: &Value,
        name: &str,
        said: &mut Diagnostics,
    ) -> Result<Option<Session>, Diagnostic> {
        let wish = prior.str_at("on_destroy").unwrap_or(ON_DESTROY);
        if wish == "leave" {
            return Ok(None);
        }
        let error = match self.log_in(prior, PATIENCE).await {
            Ok((session, _)) => {
                is_it(&session, &self.operation, prior.str_at("machine_id")).await?;
                return Ok(Some(session));
            }
            Err(error) => error,
        };
        if wish == "reset_if_reachable" && error.is_passing() {
            let warning = Diagnostic::warning(
                "Machine was not reset",
                format!(
                    "{error}. Its node {name} is deleted; the machine itself is as it was. If it lives, run `kubeadm reset` on it."
                ),
            );
            said.push(warning);
            return Ok(None);
        }
        let mut diagnostic = error.diagnostic(&format!("log in on the machine of node {name}"));
        if error.is_passing() {
            diagnostic.detail.push_str(
                " Nothing was drained. If the machine is gone, set on_destroy = \"leave\" or \"reset_if_reachable\", apply, and \
                 destroy then.",
            );
        }
        Err(diagnostic)
    }

    /// The tenant, with a node to be drained; [`None`] if there is none to be asked.
    async fn tenant(&self, memory: &Memory, name: &str, said: &mut Diagnostics) -> Result<Option<Tenant>, Diagnostic> {
        loop {
            let silence = match self.reach.look(&self.operation, &self.object).await? {
                Sight::Missing => return Ok(None),
                Sight::Answers(tenant) if memory.is_of_another(View::new(&tenant.live).uid()) => return Ok(None),
                Sight::Answers(tenant) => return Ok(Some(*tenant)),
                Sight::Silent(silence) => silence,
            };
            let view = View::new(&silence.live);
            if view.deleting() || memory.is_of_another(view.uid()) {
                return Ok(None);
            }
            if silence.by_wish {
                let detail = format!(
                    "{} cannot be asked to drain and delete the node {name}. {} The machine is reset; its Node stays in the tenant \
                     until it is deleted there.",
                    self.object, silence.why
                );
                said.push(Diagnostic::warning("Node is left in the tenant", detail));
                return Ok(None);
            }
            if self.operation.remaining() <= AGAIN || !self.operation.pause(AGAIN).await {
                let detail = format!(
                    "{} cannot be asked to drain the node {name}. {} Nothing was done. Destroy again when the tenant answers.",
                    self.object, silence.why
                );
                return Err(Diagnostic::error("Tenant does not answer", detail));
            }
        }
    }

    /// Takes the node of the machine out of the tenant. One of another machine is left alone.
    async fn drain(&self, tenant: &Tenant, prior: &Value, name: &str) -> Result<(), Diagnostic> {
        let found = tenant.api.node(&self.operation, name).await;
        let found = found.map_err(|error| tenant.api.diagnostic(&error, &format!("read the node {name}")))?;
        let Some(live) = found.filter(|live| is_of_machine(live, prior.str_at("machine_id"))) else { return Ok(()) };
        let uid = live["metadata"]["uid"].as_str().map(str::to_owned);
        let leaving = [Leaving { name: name.to_owned(), uid }];
        let failed = tenant.api.remove_nodes(&self.operation, &leaving, &Drain::of(prior), &self.field_manager).await;
        failed.into_iter().next().map_or(Ok(()), Err)
    }
}
