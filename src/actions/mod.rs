//! Actions: what is done to a tenant once, when Terraform says so. Nothing of it is in the state.
//!
//! Each action is a [`TenantAction`]; [`OnTenant`] finds the control plane for it, refuses what cannot work, and looks at
//! plan whether it would be.

pub mod drain_node;
pub mod pause;
pub mod restart;
mod rollout;
pub mod rotate_certificates;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use tfplugin::action::{Action, Progress};
use tfplugin::resource::Context;
use tfplugin::schema::{Attribute, Schema};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::configured::Configured;
use crate::kamaji::tenant_control_plane::{Status, View};
use crate::managed_object::Scene;
use crate::managed_object::schema::timeout;
use crate::management_cluster::{ApplyOptions, Operation, Written, json_of};
use crate::tenant_cluster::reach::{Reach, missing};
use crate::tenant_cluster::{Connect, over_the_network, reference};
use crate::tenant_control_plane::knows_pauses;

/// The longest that a plan looks at a control plane.
const LOOK: Duration = Duration::from_secs(10);

/// What differs from action to action.
#[async_trait]
pub trait TenantAction: Send + Sync + 'static {
    /// The Terraform type.
    fn type_name(&self) -> &'static str;

    /// The table: `tenant_control_plane_id`, `timeouts.invoke`, and what the action needs.
    fn schema(&self) -> &'static Schema;

    /// What a plan says of it, whatever the control plane is like. Anything may be unknown.
    fn foretell(&self, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Why it cannot be carried out on the control plane as it is, however long one waits.
    fn refusal(&self, now: &Now<'_>, config: &Value) -> Option<Diagnostic>;

    /// Carries it out on a control plane that exists, and says what came of it.
    async fn carry_out(&self, on: &Invocation<'_>, live: Json, config: &Value) -> Result<Diagnostics, Diagnostics>;
}

/// A control plane before an action.
pub struct Now<'a> {
    /// The object.
    pub view: View<'a>,
    /// True if this Kamaji knows the annotation that pauses an object.
    pub knows_pauses: bool,
}

/// An action that is being carried out.
pub struct Invocation<'a> {
    /// The control plane, and the bounds of the action.
    pub scene: Scene,
    /// The way to the tenant.
    pub reach: Reach,
    /// Where it says what it does.
    pub progress: &'a Progress,
}

impl Invocation<'_> {
    /// A field manager of the action's own: what it writes stays apart from what the resource of the object owns.
    pub fn manager(&self, word: &str) -> String {
        format!("{}-{word}", self.scene.field_manager)
    }

    /// Writes fields of the control plane `live` as the manager of this word. `doing` completes "Failed to …".
    async fn apply(&self, live: &View<'_>, word: &str, doing: &str, mut manifest: Json) -> Result<Written, Diagnostic> {
        let Scene { cluster, operation, object, .. } = &self.scene;
        // With the UID: an apply would make an object that has gone meanwhile.
        manifest["metadata"]["uid"] = live.uid().into();
        let options = ApplyOptions { field_manager: self.manager(word), force: false, dry_run: false };
        let written = cluster.apply(operation, object, &manifest, &options).await;
        written.map_err(|error| error.to_diagnostic(&format!("{doing} {object}")))
    }
}

/// An action of the provider.
pub struct OnTenant<A> {
    action: A,
    shared: Arc<Configured>,
    connect: Connect,
}

impl<A> OnTenant<A> {
    /// The action in a provider.
    pub fn new(action: A, shared: Arc<Configured>) -> Self {
        Self { action, shared, connect: over_the_network() }
    }

    /// With tenants reached in another way than over the network.
    #[cfg(test)]
    pub(crate) fn with(action: A, shared: Arc<Configured>, connect: Connect) -> Self {
        Self { action, shared, connect }
    }
}

impl<A: TenantAction> OnTenant<A> {
    fn scene(&self, operation: Operation, config: &Value) -> Result<Scene, Diagnostic> {
        Ok(Scene {
            cluster: self.shared.cluster()?,
            operation,
            object: reference::of(config)?,
            field_manager: self.shared.field_manager(),
        })
    }

    /// The control plane; an error at the attribute that names it if there is none, or if the action cannot be carried out.
    async fn look(&self, scene: &Scene, config: &Value) -> Result<Json, Diagnostic> {
        let found = scene.cluster.get(&scene.operation, &scene.object).await;
        let found = found.map_err(|error| error.to_diagnostic(&format!("read {}", scene.object)))?;
        let live = found.as_ref().map(json_of).ok_or_else(|| missing(&scene.object))?;
        let now = Now { view: View::new(&live), knows_pauses: knows_pauses(scene).await };
        match self.action.refusal(&now, config) {
            Some(refusal) => Err(refusal),
            None => Ok(live),
        }
    }
}

#[async_trait]
impl<A: TenantAction> Action for OnTenant<A> {
    fn type_name(&self) -> &'static str {
        self.action.type_name()
    }

    fn schema(&self) -> &Schema {
        self.action.schema()
    }

    /// A control plane may be made, woken or resumed by the same apply, so what would be refused now is a warning.
    async fn plan(&self, cx: &Context, config: &Value) -> Diagnostics {
        let mut said = self.action.foretell(config);
        if !config.is_wholly_known() || self.shared.offline_reason().is_some() {
            return said;
        }
        let operation = Operation::new(LOOK, &cx.stop).patience(Duration::ZERO);
        let Ok(scene) = self.scene(operation, config) else { return said };
        match self.look(&scene, config).await {
            Err(refusal) if !refusal.path.is_root() => said.push(
                Diagnostic::warning(
                    "Action cannot be carried out now",
                    format!("Invoked now, it would fail. {}: {}", refusal.summary, refusal.detail),
                )
                .at(refusal.path),
            ),
            Err(error) => tracing::info!(error = error.detail, "the control plane was not looked at"),
            Ok(_) => {}
        }
        said
    }

    async fn invoke(&self, cx: &Context, config: Value, progress: &Progress) -> Diagnostics {
        let limit = timeout(self.action.schema(), &config, "invoke");
        let invoked = async {
            let scene = self.scene(Operation::new(limit, &cx.stop), &config)?;
            let live = self.look(&scene, &config).await?;
            let reach = Reach { cluster: scene.cluster.clone(), connect: Arc::clone(&self.connect) };
            self.action.carry_out(&Invocation { scene, reach, progress }, live, &config).await
        };
        invoked.await.unwrap_or_else(|diagnostics: Diagnostics| diagnostics)
    }
}

/// `tenant_control_plane_id`
fn tenant() -> Attribute {
    reference::attribute(
        "The tenant: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Where the action is triggered by the \
         resource itself, write `namespace/name`: an action must not refer to what triggers it before that exists.",
    )
}

/// A refusal at the attribute that names the tenant.
fn refused(summary: &str, detail: String) -> Diagnostic {
    Diagnostic::error(summary, detail).at(Path::of(reference::ATTRIBUTE))
}

/// The control plane, as texts name it.
fn name(now: &Now<'_>) -> String {
    format!("TenantControlPlane {}/{}", now.view.namespace(), now.view.name())
}

/// Why the control plane is not worth it any more.
fn going(now: &Now<'_>) -> Option<Diagnostic> {
    let since = now.view.deletion_timestamp()?;
    Some(refused("Control plane is being deleted", format!("{} is being deleted since {since}.", name(now))))
}

/// Why Kamaji would not do anything for the control plane.
fn idle(now: &Now<'_>) -> Option<Diagnostic> {
    let (view, name) = (&now.view, name(now));
    if let Some(going) = going(now) {
        return Some(going);
    }
    if view.paused() && now.knows_pauses {
        return Some(refused(
            "Control plane is paused",
            format!("Kamaji does nothing for {name} while it is paused. Invoke `kamaji_resume` first."),
        ));
    }
    if view.moves_data() || view.status() == Some(Status::Migrating) {
        return Some(refused(
            "Data of the tenant are moving",
            format!(
                "The data of {name} are on their way to another DataStore, and Kamaji does nothing else until they \
                     are there. Try again then."
            ),
        ));
    }
    None
}

/// Why the control plane has no pods, if it has none by wish.
fn asleep(now: &Now<'_>) -> Option<Diagnostic> {
    let view = &now.view;
    let sleeps = view.wanted_replicas() == 0 || view.status() == Some(Status::Sleeping);
    sleeps.then(|| {
        refused(
            "Control plane sleeps",
            format!(
                "{} is scaled to zero, so that its API does not run. Set `control_plane.deployment.replicas` and apply that \
                 first.",
                name(now)
            ),
        )
    })
}
