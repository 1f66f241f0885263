//! What a plan says about an object that goes: protection, what is lost with it, who still uses it, and objects that are
//! left where they are.

use std::time::Duration;

use tfplugin::private::Private;
use tfplugin::resource::{Context, Plan, PlanRequest};
use tfplugin::{Diagnostic, Path, Severity, Value};

use super::memory::Memory;
use super::owned::{owner_may_lose, refusal};
use super::plan::protected;
use super::{Loss, Managed, ManagedResource};
use crate::management_cluster::Operation;

/// How long a plan looks for what is lost, requests to the management cluster included.
const PATIENCE: Duration = Duration::from_secs(8);

/// `on_destroy`
pub(super) const ON_DESTROY: &str = "on_destroy";
/// The value of it that leaves the object on the cluster.
pub(super) const ORPHAN: &str = "orphan";
/// The attribute that lets an object go although it is used.
pub(super) const DESTROY_WITH_NODES: &str = "destroy_with_nodes";

/// True if a destroy only forgets the object.
pub(super) fn is_orphaned(state: &Value) -> bool {
    state.str_at(ON_DESTROY) == Some(ORPHAN)
}

/// True if the user has said that what uses the object may be lost.
pub(super) fn nodes_may_go(value: &Value) -> bool {
    value.get(DESTROY_WITH_NODES).as_bool().unwrap_or(false)
}

impl<M: Managed> ManagedResource<M> {
    /// A destroy.
    pub(super) async fn plan_delete(&self, cx: &Context, prior: &Value, mut memory: Memory, plan: &mut Plan) {
        let object = self.object(prior);
        let worked = memory.was_ready || self.managed.is_protected(prior);
        if !is_orphaned(prior) {
            self.shared.will_go(object.clone());
        }
        if is_orphaned(prior) {
            plan.say(
                Diagnostic::warning(
                    "Object stays on the cluster",
                    format!(
                        "`on_destroy = \"orphan\"`: {object} goes on as it is, and Terraform forgets it. To manage it again, \
                         import it:\n\n  {}",
                        self.import_command(prior)
                    ),
                )
                .at(Path::of(ON_DESTROY)),
            );
        } else if worked && self.deletion_protection(prior) {
            plan.say(protected(
                &format!("delete {object}"),
                "Set `deletion_protection = false`, apply, and destroy again.",
            ));
        } else if !memory.owned_by.is_empty() && !owner_may_lose(prior) {
            plan.say(refusal(&object.to_string(), &memory.owned_by));
        } else if worked && !nodes_may_go(prior) {
            let loss = self.look_at_loss(cx, prior, false).await;
            plan.diagnostics.extend(loss.warnings);
            plan.diagnostics.extend(loss.refusal);
        }
        memory.may_delete = !plan.diagnostics.has_errors();
        plan.private = Private::write(&memory);
    }

    /// Both plans of a replace: the one that finds that the object cannot change in place, and the one of the new object,
    /// which is the only one that knows of a `-replace`. Core shows warnings of the first alone, so the second looks for
    /// what refuses it.
    pub(super) async fn plan_replace(&self, cx: &Context, request: &PlanRequest, memory: &mut Memory, plan: &mut Plan) {
        let second = request.prior.is_null() && !request.private.is_empty();
        let first = !plan.requires_replace.is_empty();
        if !request.prior.is_null() {
            memory.orphan_in_state = is_orphaned(&request.prior);
        }
        memory.may_lose_nodes = nodes_may_go(&request.config);
        memory.may_take_owned = owner_may_lose(&request.config);
        let before = if second { &request.config } else { &request.prior };
        let worked = memory.was_ready || (first && self.managed.is_protected(before));
        let told = std::mem::replace(&mut memory.loss_said, first);
        if !first && (!second || told) {
            return;
        }
        let moves = ["name", "namespace"].iter().any(|name| plan.requires_replace.contains(&Path::of(name)));
        if memory.orphan_in_state && !moves {
            plan.say(cannot_replace_orphan(&self.object(before).to_string()));
            return;
        }
        if !memory.orphan_in_state && !memory.owned_by.is_empty() && !memory.may_take_owned {
            plan.say(refusal(&self.object(before).to_string(), &memory.owned_by));
            return;
        }
        if !worked || memory.orphan_in_state {
            return;
        }
        if second && memory.may_lose_nodes {
            return;
        }
        let loss = self.look_at_loss(cx, before, memory.may_lose_nodes).await;
        if first && !loss.what.is_empty() {
            let said = std::mem::take(&mut plan.diagnostics).into_iter().map(|mut said| {
                if said.severity == Severity::Warning && plan.requires_replace.contains(&said.path) {
                    said.detail.push_str(&format!("\n\nLost with it: {}.", loss.what));
                }
                said
            });
            plan.diagnostics = said.collect::<Vec<_>>().into();
        }
        plan.diagnostics.extend(loss.warnings);
        plan.diagnostics.extend(loss.refusal);
    }

    /// What goes with the object, as far as a plan can see.
    async fn look_at_loss(&self, cx: &Context, value: &Value, nodes_may_go: bool) -> Loss {
        let scene = if self.shared.offline_reason().is_some() { None } else { self.scene(cx, value, "read").ok() };
        let scene = scene.map(|mut scene| {
            scene.operation = Operation::new(PATIENCE, &cx.stop).patience(Duration::ZERO);
            scene
        });
        self.managed.loss(scene.as_ref(), value, nodes_may_go).await
    }
}

fn cannot_replace_orphan(object: &str) -> Diagnostic {
    Diagnostic::error(
        "An object that stays cannot be replaced",
        format!(
            "The plan would replace {object}, but `on_destroy = \"orphan\"` leaves it where it is, and its name is taken then. \
             Set `on_destroy = \"wait\"` and apply that first, or give the new object another name."
        ),
    )
    .at(Path::of(ON_DESTROY))
}
