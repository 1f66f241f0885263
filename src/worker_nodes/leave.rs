//! Destroy: drains the nodes and deletes them, while their machines still run.

use tfplugin::resource::{Context, DeleteRequest};
use tfplugin::{Diagnostic, Diagnostics};

use super::selection::Selection;
use super::{Memory, Scene, WorkerNodes};
use crate::kamaji::tenant_control_plane::View;
use crate::tenant_cluster::drain::Drain;
use crate::tenant_cluster::reach::{For, Sight};

impl WorkerNodes {
    pub(super) async fn leave(&self, cx: &Context, request: &DeleteRequest) -> Result<Diagnostics, Diagnostic> {
        let Some(selection) = Selection::of(&request.prior) else { return Ok(Diagnostics::new()) };
        let scene = self.scene(cx, &request.prior, "delete")?;
        let memory: Memory = request.private.read();
        let drain = Drain::of(&request.prior);
        let silence = match scene.reach.seek(&scene.operation, &scene.object, For::Api).await? {
            Sight::Missing => return Ok(Diagnostics::new()),
            Sight::Answers(tenant) => {
                let view = View::new(&tenant.live);
                if view.deleting() || memory.is_of_another(view.uid()) {
                    return Ok(Diagnostics::new());
                }
                return Ok(scene.take_out(&tenant, &selection, &drain, &self.shared.field_manager()).await);
            }
            Sight::Silent(silence) => silence,
        };
        let view = View::new(&silence.live);
        if view.deleting() || memory.is_of_another(view.uid()) {
            return Ok(Diagnostics::new());
        }
        if drain.enabled {
            return Err(not_drained(&scene, &selection, &silence.why));
        }
        Ok(left(&scene, &selection, &silence.why).into())
    }
}

fn not_drained(scene: &Scene, selection: &Selection, why: &str) -> Diagnostic {
    Diagnostic::error(
        "Nodes cannot be drained now",
        format!(
            "The nodes {} cannot be taken out of {}. {why}\n\nDestroy again when the tenant answers. If its pods may end with the \
             machines, set `drain = {{ enabled = false }}` and apply that first.",
            selection.words(),
            scene.object
        ),
    )
}

fn left(scene: &Scene, selection: &Selection, why: &str) -> Diagnostic {
    Diagnostic::warning(
        "Nodes stay in the tenant",
        format!(
            "The nodes {} cannot be deleted from {}. {why} Once their machines are gone, delete them in the tenant (`kubectl \
             delete node`).",
            selection.words(),
            scene.object
        ),
    )
}
