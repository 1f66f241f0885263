//! Upgrades: what the plan says about a change of the version, and the writes that it takes.

use serde_json::Value as Json;
use tfplugin::resource::Plan;
use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::kamaji::tenant_control_plane::{PAUSED_ANNOTATION, View};
use crate::kamaji::upgrade::{self, Policy, Standing, Supported};
use crate::kamaji::version::KubernetesVersion;
use crate::managed_object::{Now, Scene};
use crate::tenant_cluster::reach::Reach;
use crate::versions::ask::refused_as_too_new;

const VERSION: &str = "kubernetes.version";

fn parsed(text: Option<&str>) -> Option<KubernetesVersion> {
    text.and_then(|text| text.parse().ok())
}

fn refusal(problem: Problem) -> Diagnostic {
    Diagnostic::error(problem.summary, problem.detail).at(Path::of(VERSION))
}

/// Where the state says that a tenant is.
fn standing(state: &Value) -> Option<Standing> {
    let installed = parsed(state.str_at("installed_version"));
    Some(Standing { requested: parsed(state.str_at(VERSION))?, installed })
}

/// The steps that a configuration asks for; [`None`] while its settings are not known.
fn steps(standing: &Standing, config: &Value) -> Option<Result<Vec<KubernetesVersion>, Problem>> {
    let target = parsed(config.str_at(VERSION))?;
    let (policy, patches) = (config.get("upgrade_policy"), config.get("upgrade_steps"));
    if policy.is_unknown() || !patches.is_wholly_known() {
        return None;
    }
    let patches: Vec<_> =
        patches.as_list().unwrap_or_default().iter().filter_map(|patch| parsed(patch.as_str())).collect();
    Some(upgrade::steps(standing, &target, Policy::named(policy.as_str()), &patches))
}

/// What can be said about a change of the version without asking anybody.
pub(super) fn review(prior: &Value, config: &Value, plan: &mut Plan) {
    let Some(standing) = standing(prior) else { return };
    let changes = parsed(config.str_at(VERSION)).is_some_and(|target| target != standing.requested);
    if !changes {
        return;
    }
    match steps(&standing, config) {
        None => {}
        Some(Err(problem)) => plan.say(refusal(problem)),
        Some(Ok(steps)) => match obstacle(prior, config) {
            Some(problem) => plan.say(refusal(problem)),
            None if steps.len() > 1 => plan.say(announcement(&standing, &steps)),
            None => {}
        },
    }
}

fn announcement(standing: &Standing, steps: &[KubernetesVersion]) -> Diagnostic {
    let from = standing.installed.as_ref().unwrap_or(&standing.requested);
    let path: Vec<String> = std::iter::once(from).chain(steps).map(ToString::to_string).collect();
    Diagnostic::warning(
        format!("Upgrade in {} steps", steps.len()),
        format!(
            "{}. Each step has to be ready before the next, within `timeouts.update` for all of them together. If one fails, \
             the state has the version applied last, and the next apply goes on from there.",
            path.join(" -> ")
        ),
    )
    .at(Path::of(VERSION))
}

/// Why the state or the configuration forbids an upgrade now.
fn obstacle(prior: &Value, config: &Value) -> Option<Problem> {
    let pauses = |value: &Value| {
        let annotations = value.get("annotations").as_object();
        annotations.is_some_and(|annotations| annotations.get(PAUSED_ANNOTATION).is_some_and(Value::is_set))
    };
    let limits = |value: &Value| {
        ["block_creation", "block_update", "block_deletion"]
            .iter()
            .any(|flag| value.get("write_permissions").get(flag).as_bool() == Some(true))
    };
    let (before, after) = (prior.get("data_store"), config.get("data_store"));
    let moves = before.is_set() && after.is_set() && !after.is_unknown() && before != after;
    if pauses(prior) || pauses(config) {
        return Some(upgrade::paused());
    }
    if limits(prior) || limits(config) || prior.str_at("status") == Some("WriteLimited") {
        return Some(upgrade::write_limited());
    }
    (moves || prior.str_at("status") == Some("Migrating")).then(upgrade::migrating)
}

/// The writes that a change takes: one, or one for each minor version on the way.
pub(super) async fn stages(scene: &Scene, now: Now<'_>, planned: &Value) -> Result<Vec<Value>, Diagnostic> {
    let standing = match now {
        Now::State(state) => standing(state),
        Now::Live(live) => Standing::of(&View::new(live)),
    };
    let (Some(standing), Some(target)) = (standing, parsed(planned.str_at(VERSION))) else {
        return Ok(vec![planned.clone()]);
    };
    if standing.requested == target {
        return Ok(vec![planned.clone()]);
    }
    if let Now::Live(live) = now {
        let view = View::new(live);
        let pauses = view.paused() && super::settle::knows_pauses(scene).await;
        if let Some(problem) = upgrade::obstacle(&view, pauses) {
            return Err(refusal(problem));
        }
    }
    let steps = steps(&standing, planned).unwrap_or_else(|| Ok(vec![target.clone()])).map_err(refusal)?;
    if steps.len() > 1
        && let Some(supported) = too_new(scene, &target).await
    {
        return Err(refusal(upgrade::unsupported(&target.to_string(), supported)));
    }
    let stage = |step: &KubernetesVersion| {
        let mut stage = planned.clone();
        // The last one keeps the user's spelling.
        if *step != target {
            stage.set(VERSION, step.to_string().into());
        }
        stage
    };
    Ok(steps.iter().map(stage).collect())
}

async fn too_new(scene: &Scene, target: &KubernetesVersion) -> Option<Supported> {
    let Scene { cluster, operation, object, field_manager } = scene;
    refused_as_too_new(cluster, operation, object, &target.to_string(), field_manager).await
}

/// What the cluster knows about a change of the version that the API server takes.
pub(super) async fn survey(
    reach: &Reach,
    scene: &Scene,
    prior: &Value,
    planned: &Value,
    would_be: &Json,
) -> Diagnostics {
    let (Some(before), Some(target)) = (standing(prior), parsed(planned.str_at(VERSION))) else {
        return Diagnostics::new();
    };
    if before.requested == target {
        return Diagnostics::new();
    }
    let view = View::new(would_be);
    let pauses = view.paused() && super::settle::knows_pauses(scene).await;
    if let Some(problem) = upgrade::obstacle(&view, pauses) {
        return refusal(problem).into();
    }
    if target.release() == before.requested.release() {
        return Diagnostics::new();
    }
    // Nobody needs to know why a tenant does not answer that is only asked out of courtesy.
    let nodes = reach.census(&scene.operation, &scene.object).await.unwrap_or_default();
    let kubelets: Vec<String> = nodes.into_iter().map(|node| node.kubelet).collect();
    let skew = upgrade::skew(&target, &kubelets);
    skew.map(|skew| Diagnostic::warning("Nodes are not upgraded", skew).at(Path::of(VERSION)).into())
        .unwrap_or_default()
}
