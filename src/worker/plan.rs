//! Plans: which change costs a new join.

use tfplugin::resource::{Context, Plan, PlanRequest};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::schema::REJOINED;
use super::{Memory, Worker};
use crate::tenant_cluster::reference;

/// What is wrong with a configuration, as far as it is known.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let (host, bastion) = (config.str_at("host"), config.str_at("bastion.host"));
    let port = |at: &str| config.get(at).as_i64().unwrap_or(22);
    if host.is_some() && host == bastion && port("port") == port("bastion.port") {
        let detail =
            "The machine is its own bastion. Remove `bastion`, or name the host from which the machine is reached.";
        found.push(Diagnostic::error("Bastion is the machine itself", detail).at(Path::of("bastion.host")));
    }
    let without_pods = config.get("drain.enabled").as_bool() == Some(false);
    for name in ["force", "delete_emptydir_data", "grace_period"] {
        let path = format!("drain.{name}");
        if without_pods && config.get(&path).is_set() && config.get(&path).as_bool() != Some(false) {
            let detail =
                format!("With `enabled = false` no pod is evicted, so `{name}` has no effect. Remove one of the two.");
            found.push(Diagnostic::error("Nothing is drained", detail).at(Path::of(&path)));
        }
    }
    found
}

impl Worker {
    pub(super) async fn refine(&self, cx: &Context, request: PlanRequest, mut plan: Plan) -> Plan {
        let PlanRequest { prior, private, .. } = request;
        if plan.planned.is_null() {
            self.announce(&prior);
            return plan;
        }
        if prior.is_null() {
            return plan;
        }
        let replace = |name: &str, plan: &mut Plan| {
            let path = Path::of(name);
            if !plan.requires_replace.contains(&path) {
                plan.requires_replace.push(path);
            }
        };
        for name in ["tenant_control_plane_id", "host"] {
            // Another machine or another tenant is coming, under whatever name.
            if plan.planned.get(name).is_unknown() && prior.get(name).is_set() {
                replace(name, &mut plan);
            }
        }
        // Also where there was nothing before, or is nothing now. What was imported says nothing of how the machine joined.
        let imported = prior.get("host").is_null();
        for name in REJOINED {
            let (old, new) = (prior.get(name), plan.planned.get(name));
            if !imported && old != new && new.is_wholly_known() {
                replace(name, &mut plan);
            }
        }
        if plan.requires_replace.is_empty() && self.is_made_anew(cx, &plan.planned, &private.read()).await {
            plan.say(Diagnostic::warning(
                "Tenant is another one",
                format!(
                    "{} was made anew, so the machine is no node of it. It is reset, and joins again.",
                    prior.str_at("tenant_control_plane_id").unwrap_or_default()
                ),
            ));
            plan.planned.set("node_uid", Value::Unknown);
            replace("node_uid", &mut plan);
        }
        plan
    }

    /// A destroy: the control plane may go after this node.
    fn announce(&self, prior: &Value) {
        let tenant = prior.str_at("tenant_control_plane_id").and_then(|id| reference::parse(id).ok());
        if let (Some(tenant), Some(name)) = (tenant, prior.str_at("node_name")) {
            self.shared.will_leave(&tenant, name);
        }
    }

    /// True if the control plane is known not to be the one that the machine has joined.
    async fn is_made_anew(&self, cx: &Context, planned: &Value, memory: &Memory) -> bool {
        let Ok(scene) = self.scene(cx, planned, "read") else { return false };
        scene.reach.is_made_anew(&scene.operation, &scene.object, &memory.tenant_uid).await
    }
}
