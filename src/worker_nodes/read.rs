//! Refresh: how the nodes are now. A tenant that sleeps or does not answer changes nothing.

use std::time::Duration;

use tfplugin::private::Private;
use tfplugin::resource::{Context, ReadRequest, ReadResponse};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::selection::Selection;
use super::{Memory, Scene, WorkerNodes, fill, shown};
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::Operation;
use crate::tenant_cluster::reach::{Sight, Tenant};

/// The longest a refresh asks a tenant: a tenant that cannot be reached must not make every plan slow.
const QUESTION: Duration = Duration::from_secs(5);

impl WorkerNodes {
    pub(super) async fn refresh(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        let ReadRequest { mut state, mut private } = request;
        let mut memory: Memory = private.read();
        memory.silent = true;
        let diagnostics = if let Some(said) = self.shared.not_refreshed() {
            said
        } else {
            match self.scene(cx, &state, "read") {
                Ok(scene) => self.look(&scene, &mut state, &mut memory).await.unwrap_or_else(Diagnostics::from),
                Err(diagnostic) => diagnostic.into(),
            }
        };
        // After an import nothing is remembered.
        if private.is_empty() || private.read::<Memory>() != memory {
            private = Private::write(&memory);
        }
        ReadResponse { state, private, diagnostics }
    }

    async fn look(&self, scene: &Scene, state: &mut Value, memory: &mut Memory) -> Result<Diagnostics, Diagnostic> {
        // The management cluster is asked with patience; the tenant is not.
        let found = scene.reach.cluster.get(&scene.operation, &scene.object).await;
        if found.map_err(|error| error.to_refresh_diagnostic(&format!("read {}", scene.object)))?.is_none() {
            return Ok(self.silent(scene, "It does not exist any more."));
        }
        let question = Operation::new(scene.operation.remaining().min(QUESTION), &scene.operation.stop);
        let question = question.patience(Duration::ZERO);
        let asking = async {
            match scene.reach.look(&question, &scene.object).await {
                Ok(Sight::Answers(tenant)) if !View::new(&tenant.live).deleting() => {
                    seen(&question, &tenant, state, memory).await
                }
                Ok(Sight::Answers(_) | Sight::Missing) | Err(_) => Err("It is being deleted.".to_owned()),
                Ok(Sight::Silent(silence)) => Err(silence.why),
            }
        };
        match tokio::time::timeout(QUESTION, asking).await {
            Ok(Ok(())) => Ok(Diagnostics::new()),
            Ok(Err(why)) => Ok(self.silent(scene, &why)),
            Err(_) => Ok(self.silent(scene, "It did not answer within 5 seconds.")),
        }
    }

    /// The state stays as it is, so that the plan stays empty.
    fn silent(&self, scene: &Scene, why: &str) -> Diagnostics {
        let warning = Diagnostic::warning(
            "Nodes were not looked at",
            format!("{} is not asked for its nodes. {why} The state stays as it is.", scene.object),
        );
        self.shared.once(format!("the nodes of {} are not seen", scene.object), warning)
    }
}

/// Notes the nodes of a tenant that answers. An error is why they were not seen.
async fn seen(question: &Operation, tenant: &Tenant, state: &mut Value, memory: &mut Memory) -> Result<(), String> {
    let Some(selection) = Selection::of(state) else { return Ok(()) };
    let one = |node: &_| selection.takes(node).then(|| shown([node]));
    let found = tenant.api.nodes_as(question, &selection.labels(), one).await;
    let mut nodes: Vec<Value> = found.map_err(|error| format!("{error}."))?.into_iter().flatten().flatten().collect();
    nodes.sort_by(|one, other| one.str_at("name").cmp(&other.str_at("name")));
    fill(state, nodes);
    memory.silent = false;
    if memory.tenant_uid.is_empty() {
        memory.tenant_uid = View::new(&tenant.live).uid().unwrap_or_default().to_owned();
    }
    Ok(())
}
