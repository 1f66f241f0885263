//! `kamaji_datastore`.

mod connection;
mod credentials;
mod material;
mod observe;
mod part;
mod rollout;
pub mod schema;
mod secret;
mod users;
mod validate;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value as Json};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::configured::{Configured, Settings};
use crate::kamaji::datastore as rules;
use crate::managed_object::memory::Memory;
use crate::managed_object::{Applying, Loss, Managed, Scene, Settled, Unsettled};
use crate::management_cluster::watch::{EndReason, wait_until};
use crate::management_cluster::{ApiError, Kind, ObjectRef};

pub use observe::show;
pub use secret::CREDENTIALS;

/// The kind behind `kamaji_datastore`.
#[derive(Default)]
pub struct DataStore {
    shared: Arc<Configured>,
}

impl DataStore {
    /// The kind in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared }
    }
}

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
        validate::validate(config)
    }

    /// The references to the Secret that the provider keeps.
    fn complete(&self, value: &Value, manifest: &mut Map<String, Json>) {
        secret::complete(value, manifest);
    }

    fn needs_write_beside(&self, prior: &Value, planned: &Value) -> bool {
        secret::changes(prior, planned)
    }

    async fn surroundings(&self, scene: &Scene, _settings: &Settings, prior: &Value, planned: &Value) -> Diagnostics {
        credentials::look(scene, prior, planned).await
    }

    async fn before_write(&self, scene: &Scene, applying: &Applying<'_>) -> Result<Diagnostics, Diagnostics> {
        credentials::prepare(scene, applying).await
    }

    /// Kamaji v1.0.0 looks for the Secrets at admission, also for the one that the provider makes.
    fn will_make(&self, planned: &Value, refusal: &ApiError) -> bool {
        let kept = part::kept(planned).next().is_some();
        kept && matches!(refusal, ApiError::WebhookDenied { message, .. } if message.contains(&part::kept_in(planned).id()))
    }

    async fn after_failed_create(&self, scene: &Scene, planned: &Value) {
        if let Err(diagnostic) = secret::remove(scene, planned).await {
            tracing::warn!(object = %scene.object, problem = diagnostic.detail, "a Secret is left of the create");
        }
    }

    async fn after_update(
        &self,
        scene: &Scene,
        applying: &Applying<'_>,
        _live: &Json,
        resumed: bool,
    ) -> Result<Diagnostics, Diagnostic> {
        let Applying { prior, planned, .. } = *applying;
        credentials::remove_unused(scene, applying).await?;
        if (resumed || credentials::access_changes(prior, planned)) && rollout::is_wanted(planned) {
            let material = secret::gather(scene, applying).await.material;
            rollout::wait(scene, planned.str_at("driver").unwrap_or_default(), &material).await?;
        }
        Ok(Diagnostics::new())
    }

    /// A datastore with users stays; those that the same plan deletes do not count.
    async fn loss(&self, scene: Option<&Scene>, object: &Value, _nodes_may_go: bool) -> Loss {
        let name = object.str_at("name").unwrap_or_default();
        let remembered = || {
            let ids = object.get("used_by").as_list().unwrap_or_default();
            users::named(ids.iter().filter_map(Value::as_str))
        };
        let mut warnings = Diagnostics::new();
        let users = match scene {
            None => remembered(),
            Some(scene) => users::users(scene).await.unwrap_or_else(|error| {
                let detail = format!(
                    "{error}. Only the control planes are known that used the datastore at the last refresh, and none that has \
                     it as an override."
                );
                warnings.push(Diagnostic::warning("Users of the datastore not known", detail).at(Path::of("name")));
                remembered()
            }),
        };
        let tenants: Vec<ObjectRef> = users.iter().map(|user| user.tenant.clone()).collect();
        let staying = if tenants.is_empty() { tenants } else { self.shared.staying(&tenants).await };
        let users: Vec<_> = users.into_iter().filter(|user| staying.contains(&user.tenant)).collect();
        Loss {
            what: "Kamaji's access to the data in it; the database itself is not touched".to_owned(),
            refusal: users::refusal(&ObjectRef::cluster(Kind::DataStore, name), &users),
            warnings,
        }
    }

    async fn observe(&self, scene: &Scene, live: &Json, state: &mut Value, _memory: &mut Memory) -> Diagnostics {
        observe::observe(scene, live, state).await
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

    /// The Secret that the provider keeps goes last: until then Kamaji needs it to let go of the datastore.
    async fn leave_nothing(&self, scene: &Scene, prior: &Value) -> Result<Diagnostics, Diagnostic> {
        secret::remove(scene, prior).await?;
        Ok(Diagnostics::new())
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

#[cfg(test)]
mod tests;
