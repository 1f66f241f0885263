//! `kamaji_datastore`.

pub mod schema;

use async_trait::async_trait;
use serde_json::Value as Json;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::kamaji::datastore as rules;
use crate::managed_object::memory::Memory;
use crate::managed_object::{Managed, Scene, Settled, Unsettled};
use crate::management_cluster::Kind;
use crate::management_cluster::watch::{EndReason, wait_until};

/// The kind behind `kamaji_datastore`.
pub struct DataStore;

#[async_trait]
impl Managed for DataStore {
    fn type_name(&self) -> &'static str {
        "kamaji_datastore"
    }

    fn kind(&self) -> Kind {
        Kind::DataStore
    }

    fn schema(&self) -> &'static Schema {
        &schema::SCHEMA
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn observe(&self, _scene: &Scene, live: &Json, state: &mut Value, _memory: &mut Memory) -> Diagnostics {
        state.set("id", live["metadata"]["name"].as_str().into());
        state.set("uid", live["metadata"]["uid"].as_str().into());
        let users = live["status"]["usedBy"].as_array().map(Vec::as_slice).unwrap_or_default();
        state.set("used_by", Value::strings(users.iter().filter_map(Json::as_str)));
        Diagnostics::new()
    }

    /// Newer Kamaji says whether it accepts the datastore; without that status an accepted object is all there is to
    /// wait for (Kamaji before edge-26.2.5).
    async fn settle(
        &self,
        scene: &Scene,
        _planned: &Value,
        written: Json,
        _more: bool,
    ) -> Result<Settled, Box<Unsettled>> {
        if !reports_ready(scene, &written).await {
            return Ok(Settled::quietly(written));
        }
        let settled = wait_until(&scene.cluster, &scene.operation, &scene.object, None, |seen| {
            seen.map(crate::management_cluster::json_of).filter(is_ready)
        });
        settled.await.map(Settled::quietly).map_err(|ended| {
            let last = ended.last().map_or(written, crate::management_cluster::json_of);
            let why = match &ended.reason {
                EndReason::Failed(error) => error.to_diagnostic(&format!("wait for {}", scene.object)),
                EndReason::Stopped => Diagnostic::error(
                    "Interrupted while waiting",
                    format!("{} exists and is in the state; apply again to go on.", scene.object),
                ),
                EndReason::Timeout(_) => not_ready(scene, &last),
            };
            Box::new(Unsettled { last, why })
        })
    }

    fn settles(&self) -> &'static str {
        "used_by"
    }

    /// An accepted datastore may hold data at once.
    fn is_protected(&self, state: &Value) -> bool {
        !state.get("uid").is_null()
    }

    async fn explain_stuck_delete(&self, _scene: &Scene, last: &Json) -> String {
        rules::explain_stuck_delete(last)
    }
}

/// True if this Kamaji writes `status.ready`. The CRD knows; asking it needs a right that a user may lack, so without an
/// answer the object itself decides: a status that has the field.
async fn reports_ready(scene: &Scene, written: &Json) -> bool {
    if written["status"]["ready"].is_boolean() {
        return true;
    }
    let declared = scene.cluster.declares(&scene.operation, Kind::DataStore, "/properties/status/properties/ready");
    declared.await.unwrap_or(false)
}

fn is_ready(live: &Json) -> bool {
    live["status"]["ready"] == true && live["status"]["observedGeneration"] == live["metadata"]["generation"]
}

fn not_ready(scene: &Scene, last: &Json) -> Diagnostic {
    let conditions = last["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let refused = conditions.iter().find(|condition| condition["status"] == "False");
    let why = refused.and_then(|condition| condition["message"].as_str()).unwrap_or("Kamaji gives no reason");
    Diagnostic::error(
        "Datastore not accepted by Kamaji",
        format!(
            "{} did not become ready in time: {why}. Check that the Secrets and keys that it refers to exist.",
            scene.object
        ),
    )
}

/// The rules across attributes, as far as the configuration is known.
fn validate(config: &Value) -> Diagnostics {
    let problems = rules::check(config.str_at("driver"), |attribute| {
        let value = config.get(attribute);
        if value.is_unknown() { None } else { Some(value.is_set()) }
    });
    let mut diagnostics = Diagnostics::new();
    for (attribute, problem) in problems {
        diagnostics.push(Diagnostic::error(problem.summary, problem.detail).at(Path::of(&attribute)));
    }
    diagnostics
}
