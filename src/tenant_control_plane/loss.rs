//! What goes with a control plane that is deleted or replaced.

use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::managed_object::{Loss, Scene};
use crate::tenant_cluster::nodes::Node;
use crate::tenant_cluster::reach::Reach;

/// The attribute that lets nodes go.
const PERMISSION: &str = "destroy_with_nodes";

/// The data, the credentials, and the nodes that have joined and stay. Nodes refuse it unless they `may_go`.
pub(super) async fn loss(
    reach: Option<&Reach>,
    scene: Option<&Scene>,
    object: &Value,
    may_go: bool,
    stays: impl Fn(&Scene, &str) -> bool,
) -> Loss {
    let store = object.str_at("effective.data_store").or(object.str_at("data_store"));
    let store = store.map(|name| format!(" in the DataStore {name}")).unwrap_or_default();
    let mut loss = Loss {
        what: format!("everything in the tenant, its data{store} included; its certificates and every kubeconfig"),
        ..Loss::default()
    };
    let (Some(reach), Some(scene)) = (reach, scene) else { return loss };
    let nodes = reach.census(&scene.operation, &scene.object).await;
    let nodes = nodes.map(|nodes| nodes.into_iter().filter(|node| stays(scene, &node.name)).collect::<Vec<_>>());
    match nodes {
        Ok(nodes) if nodes.is_empty() => {}
        Ok(nodes) => {
            loss.what.push_str(&format!("; the control of {}", listed(&nodes)));
            if !may_go {
                loss.refusal = Some(refusal(scene, &nodes));
            }
        }
        Err(_) if may_go => {}
        Err(why) => loss.warnings = unknown(scene, &why),
    }
    loss
}

fn count(nodes: &[Node]) -> String {
    if nodes.len() == 1 { "1 joined node".to_owned() } else { format!("{} joined nodes", nodes.len()) }
}

/// `3 joined nodes (a, b, c)`, with at most three names.
fn listed(nodes: &[Node]) -> String {
    let mut names: Vec<&str> = nodes.iter().take(3).map(|node| node.name.as_str()).collect();
    if nodes.len() > 3 {
        names.push("…");
    }
    format!("{} ({})", count(nodes), names.join(", "))
}

fn refusal(scene: &Scene, nodes: &[Node]) -> Diagnostic {
    let ready = nodes.iter().filter(|node| node.ready).count();
    Diagnostic::error(
        "Nodes are joined",
        format!(
            "{} has {}, {ready} of them Ready. Without the control plane their pods go on for a while, and nobody can manage \
             them any more. Drain the nodes and remove them from the tenant (`kubectl delete node …`), or set \
             `destroy_with_nodes = true`, apply, and try again.",
            scene.object,
            listed(nodes)
        ),
    )
    .at(Path::of(PERMISSION))
}

fn unknown(scene: &Scene, why: &str) -> Diagnostics {
    Diagnostic::warning(
        "Joined nodes not counted",
        format!(
            "Whether nodes have joined {} is not known, since its API cannot be asked: {why} If there are any, they lose \
             their control plane. `destroy_with_nodes = true` says that this is meant.",
            scene.object
        ),
    )
    .at(Path::of(PERMISSION))
    .into()
}
