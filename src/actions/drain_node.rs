//! `kamaji_drain_node`: takes the pods off nodes of a tenant, as `kubectl drain` does.

use std::sync::LazyLock;

use async_trait::async_trait;
use serde_json::Value as Json;
use tfplugin::schema::{Schema, Validator, boolean, string_list};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::{Invocation, Now, TenantAction, asleep, going, name, refused, tenant};
use crate::kamaji::names;
use crate::managed_object::schema::{not_empty, timeouts};
use crate::tenant_cluster::drain::{Drain, Leaving, options};
use crate::tenant_cluster::reach::For;

/// The action.
#[derive(Clone, Copy, Debug, Default)]
pub struct DrainNode;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut attributes = vec![
        tenant(),
        string_list("node_names")
            .required()
            .rule(Validator::each(names::dns1123_subdomain()))
            .rule(not_empty("no node is drained"))
            .doc(
                "The nodes. All of them are cordoned before the first pod is evicted, so that no pod moves to a node that is \
                 drained, too.",
            ),
        boolean("delete_nodes").default("false").doc(
            "Whether each Node is deleted once it is drained. One that is gone already is no error then. By default it stays, \
             cordoned; `kubectl uncordon` lets pods on it again.",
        ),
    ];
    attributes.extend(options());
    attributes.push(timeouts(&[("invoke", "15m")]));
    Schema::new(
        0,
        "Drains nodes of a tenant: cordons them and evicts their pods, as far as PodDisruptionBudgets allow.\n\nPods of \
         DaemonSets and static pods stay. Pods that would be lost are an error before anything is changed, unless `force` or \
         `delete_emptydir_data` says otherwise. A drain that was interrupted goes on when it is invoked again.\n\nThe tenant's \
         API has to answer. A tenant that sleeps, is being deleted or whose writes are limited is refused.",
        attributes,
    )
});

#[async_trait]
impl TenantAction for DrainNode {
    fn type_name(&self) -> &'static str {
        "kamaji_drain_node"
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn refusal(&self, now: &Now<'_>, _config: &Value) -> Option<Diagnostic> {
        let limited = || {
            now.view.write_limited().then(|| {
                let detail = format!(
                    "`write_permissions` of {} keeps nodes from being cordoned and pods from going or coming elsewhere. Lift \
                     it and apply that first.",
                    name(now)
                );
                refused("Writes in the tenant are limited", detail)
            })
        };
        going(now).or_else(limited).or_else(|| asleep(now))
    }

    async fn carry_out(&self, on: &Invocation<'_>, _live: Json, config: &Value) -> Result<Diagnostics, Diagnostics> {
        let scene = &on.scene;
        on.progress.say(format!("Waiting for the API of {}.", scene.object));
        let tenant = on.reach.wait(&scene.operation, &scene.object, For::Api).await?;
        let keep_nodes = config.get("delete_nodes").as_bool() != Some(true);
        let drain = Drain { keep_nodes, by_action: true, ..Drain::with(config) };
        let nodes = tenant
            .api
            .nodes(&scene.operation)
            .await
            .map_err(|error| tenant.api.diagnostic(&error, &format!("list the nodes of {}", scene.object)))?;
        let exists = |name: &str| nodes.iter().any(|node| node.name == name);
        let (mut leaving, mut absent) = (Vec::new(), Diagnostics::new());
        for (index, name) in config.get("node_names").as_list().unwrap_or_default().iter().enumerate() {
            let name = name.as_str().unwrap_or_default();
            if exists(name) {
                leaving.push(Leaving { name: name.to_owned(), uid: None });
            } else if drain.keep_nodes {
                let there = nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
                let detail = format!("{} has no node {name:?}. Its nodes: {}.", scene.object, or_none(&there));
                absent.push(Diagnostic::error("Node does not exist", detail).at(Path::of("node_names").index(index)));
            } else {
                on.progress.say(format!("Node {name} is gone already."));
            }
        }
        if absent.has_errors() {
            return Err(absent);
        }
        let tell = |message: String| on.progress.say(message);
        let said = tenant.api.take_out(&scene.operation, &leaving, &drain, &on.manager("drain"), &tell).await;
        if !said.has_errors() {
            let done = if drain.keep_nodes { "cordoned, and no pod that had to go is left on them" } else { "deleted" };
            let names = leaving.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
            on.progress.say(format!("Nodes of {}: {}: {done}.", scene.object, or_none(&names)));
        }
        Ok(said)
    }
}

fn or_none(names: &str) -> &str {
    if names.is_empty() { "none" } else { names }
}
