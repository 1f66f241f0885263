//! `kamaji_kubeconfig_generator`.

mod list;
pub mod schema;
mod secrets;
#[cfg(test)]
mod tests;
mod validate;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};
use tokio::time::Instant;

use crate::kamaji::tenant_control_plane::is_paused;
use crate::managed_object::memory::Memory;
use crate::managed_object::{Managed, Scene, Settled, Unsettled};
use crate::management_cluster::watch::{EndReason, wait_until};
use crate::management_cluster::{Kind, json_of};

/// How long a controller may take to look at the object. One that runs takes a second.
const ANSWER: Duration = Duration::from_secs(15);

/// The kind behind `kamaji_kubeconfig_generator`.
pub struct KubeconfigGenerator;

#[async_trait]
impl Managed for KubeconfigGenerator {
    fn type_name(&self) -> &'static str {
        "kamaji_kubeconfig_generator"
    }

    fn kind(&self) -> Kind {
        Kind::KubeconfigGenerator
    }

    fn schema(&self) -> &'static Schema {
        &schema::SCHEMA
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate::validate(config)
    }

    async fn observe(&self, _scene: &Scene, live: &Json, state: &mut Value, _memory: &mut Memory) -> Diagnostics {
        let status = &live["status"];
        state.set("id", live["metadata"]["name"].as_str().into());
        state.set("uid", live["metadata"]["uid"].as_str().into());
        for (name, key) in [("resources", "resources"), ("available_resources", "availableResources")] {
            state.set(name, status[key].as_i64().map_or(Value::Null, Value::from));
        }
        let errors = status["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let shown = errors
            .iter()
            .map(|error| Value::object(["resource", "message"].map(|key| (key, Value::from(error[key].as_str())))));
        state.set("errors", Value::List(shown.collect()));
        failures(live)
    }

    /// Waits until the generator has worked for all control planes. What it cannot do for some of them is a warning:
    /// they may not be the user's.
    async fn settle(
        &self,
        scene: &Scene,
        _planned: &Value,
        written: Json,
        _more: bool,
    ) -> Result<Settled, Box<Unsettled>> {
        let begin = Instant::now();
        let tick = Some(Duration::from_secs(1));
        let settled = wait_until(&scene.cluster, &scene.operation, &scene.object, tick, |seen| {
            let live = seen.map(json_of)?;
            let without_answer = !is_seen(&live) && begin.elapsed() >= ANSWER;
            (is_complete(&live) || without_answer || is_paused(&live)).then_some(live)
        });
        match settled.await {
            Ok(live) if is_seen(&live) => Ok(Settled::quietly(live)),
            Ok(live) => Ok(Settled { warnings: unanswered(scene, &live).into(), live }),
            Err(ended) => {
                let last = ended.last().map_or(written, json_of);
                match &ended.reason {
                    // What is missing is said of each control plane.
                    EndReason::Timeout(_) => Ok(Settled::quietly(last)),
                    EndReason::Failed(error) => {
                        let why = error.to_diagnostic(&format!("wait for {}", scene.object));
                        Err(Box::new(Unsettled { last, why }))
                    }
                    EndReason::Stopped => {
                        let why = Diagnostic::error(
                            "Interrupted while waiting",
                            format!("{} exists and is in the state; apply again to go on.", scene.object),
                        );
                        Err(Box::new(Unsettled { last, why }))
                    }
                }
            }
        }
    }

    fn settles(&self) -> &'static str {
        "available_resources"
    }

    fn is_protected(&self, _state: &Value) -> bool {
        false
    }

    async fn leave_nothing(&self, scene: &Scene, prior: &Value) -> Result<Diagnostics, Diagnostic> {
        secrets::after_the_generator(scene, prior).await
    }

    async fn explain_stuck_delete(&self, _scene: &Scene, last: &Json) -> String {
        let finalizers = last["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Json::as_str);
        format!(
            "It waits for the finalizers {}; whoever put them there has to remove them.",
            finalizers.collect::<Vec<_>>().join(", ")
        )
    }
}

/// True if the controller has looked at this generation.
fn is_seen(live: &Json) -> bool {
    live["status"]["observedGeneration"].is_i64()
        && live["status"]["observedGeneration"] == live["metadata"]["generation"]
}

fn is_complete(live: &Json) -> bool {
    let status = &live["status"];
    is_seen(live)
        && status["availableResources"] == status["resources"]
        && status["errors"].as_array().is_none_or(Vec::is_empty)
}

/// One warning for each control plane without its kubeconfig.
fn failures(live: &Json) -> Diagnostics {
    let errors = live["status"]["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |error: &Json, key: &str| error[key].as_str().unwrap_or_default().to_owned();
    let warning = |error: &Json| {
        Diagnostic::warning(
            "Kubeconfig not generated",
            format!("{}: {}", text(error, "resource"), text(error, "message")),
        )
    };
    errors.iter().map(warning).collect::<Vec<_>>().into()
}

fn unanswered(scene: &Scene, live: &Json) -> Diagnostic {
    if is_paused(live) {
        let detail =
            format!("{} has the annotation that pauses it: no kubeconfig is generated until it is gone.", scene.object);
        return Diagnostic::warning("Generator is paused", detail);
    }
    Diagnostic::warning(
        "No controller answers",
        format!(
            "{} exists, but nobody has looked at it for {} seconds. Kubeconfigs are generated by a process of its own, which the \
             chart of Kamaji starts only with `kubeconfigGenerator.enabled=true`.",
            scene.object,
            ANSWER.as_secs()
        ),
    )
}
