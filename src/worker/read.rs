//! Refresh: what the tenant says of the node. The machine is not asked.

use std::time::Duration;

use serde_json::Value as Json;
use tfplugin::private::Private;
use tfplugin::resource::{Context, ReadRequest, ReadResponse};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::{Memory, Scene, Worker, is_of_machine, is_taint, note};
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::Operation;
use crate::tenant_cluster::reach::Sight;

/// The longest a refresh asks a tenant: a tenant that cannot be reached must not make every plan slow.
const QUESTION: Duration = Duration::from_secs(5);

impl Worker {
    pub(super) async fn refresh(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        let ReadRequest { mut state, mut private } = request;
        let diagnostics = if let Some(said) = self.shared.not_refreshed() {
            said
        } else {
            match self.scene(cx, &state, "read") {
                Ok(scene) => self.look(&scene, &mut state, &mut private).await.unwrap_or_else(Diagnostics::from),
                Err(diagnostic) => diagnostic.into(),
            }
        };
        ReadResponse { state, private, diagnostics }
    }

    async fn look(&self, scene: &Scene, state: &mut Value, private: &mut Private) -> Result<Diagnostics, Diagnostic> {
        let Some(name) = state.str_at("node_name").map(str::to_owned) else { return Ok(Diagnostics::new()) };
        // The management cluster is asked with patience; the tenant is not.
        let found = scene.reach.cluster.get(&scene.operation, &scene.object).await;
        let Some(found) = found.map_err(|error| error.to_diagnostic(&format!("read {}", scene.object)))? else {
            return Ok(orphaned(scene, &name).into());
        };
        let mut memory: Memory = private.read();
        // Made anew: the plan says so itself.
        if memory.is_of_another(found.metadata.uid.as_deref()) {
            return Ok(Diagnostics::new());
        }
        // An import has nothing but the names, and cannot go on without an answer.
        let imports = state.get("machine_id").is_null() && state.get("host").is_null();
        let limit = if imports { scene.operation.remaining() } else { scene.operation.remaining().min(QUESTION) };
        let question = Operation::new(limit, &scene.operation.stop).patience(Duration::ZERO);
        let sight = tokio::time::timeout(limit, scene.reach.look(&question, &scene.object)).await;
        let why = match sight {
            Ok(Ok(Sight::Answers(tenant))) if View::new(&tenant.live).deleting() => return Ok(Diagnostics::new()),
            Ok(Ok(Sight::Answers(tenant))) => match tenant.api.node(&question, &name).await {
                Ok(Some(live)) if is_of_machine(&live, state.str_at("machine_id")) => {
                    seen(state, &live);
                    memory.tenant_uid = View::new(&tenant.live).uid().unwrap_or_default().to_owned();
                    *private = Private::write(&memory);
                    return Ok(Diagnostics::new());
                }
                // Gone, or another machine has its name: it has to join again.
                Ok(_) => {
                    *state = Value::Null;
                    return Ok(Diagnostics::new());
                }
                Err(error) => format!("{error}."),
            },
            Ok(Ok(Sight::Silent(silence))) => silence.why,
            Ok(Ok(Sight::Missing)) => return Ok(orphaned(scene, &name).into()),
            Ok(Err(diagnostic)) => diagnostic.detail,
            Err(_) => format!("It did not answer within {} seconds.", limit.as_secs()),
        };
        if imports {
            let detail = format!("{} cannot be asked about its node {name}. {why}", scene.object);
            return Err(Diagnostic::error("Tenant does not answer", detail));
        }
        // Asleep, not reachable from here: nothing is known to be wrong.
        tracing::info!(node = name, why, "the node was not looked at");
        Ok(Diagnostics::new())
    }
}

/// Notes what a Node says, and which of its labels and taints that are ours are still there.
fn seen(state: &mut Value, live: &Json) {
    note(state, live);
    if let Some(labels) = state.get("node_labels").as_object() {
        let found =
            labels.keys().filter_map(|key| Some((key.clone(), live["metadata"]["labels"][key].as_str()?.into())));
        let found = Value::object(found.collect::<Vec<(String, Value)>>());
        state.set("node_labels", found);
    }
    if let Some(taints) = state.get("node_taints").as_list() {
        let there = live["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let found = taints.iter().filter_map(|taint| {
            let other = there.iter().find(|other| is_taint(taint, other))?;
            let mut taint = taint.clone();
            let value = other["value"].as_str().unwrap_or_default();
            if taint.str_at("value").unwrap_or_default() != value {
                taint.set("value", value.into());
            }
            Some(taint)
        });
        let found = Value::List(found.collect());
        state.set("node_taints", found);
    }
}

fn orphaned(scene: &Scene, name: &str) -> Diagnostic {
    Diagnostic::warning(
        "Tenant of a worker is gone",
        format!(
            "{} does not exist any more, so {name} is a node of nothing. The machine is not touched by that. A destroy of this \
             resource resets it; once the tenant is made anew, a plan has it join again.",
            scene.object
        ),
    )
}
