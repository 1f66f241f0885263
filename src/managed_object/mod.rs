//! The life of a Terraform resource that is one object of the management cluster: what `kamaji_tenant_control_plane`
//! and `kamaji_datastore` have in common.
//!
//! Writes are server-side applies of what the user wrote, and nothing else; what is ours is what was applied last (see
//! [`memory::Memory`]). A kind adds its table and what is particular to it through [`Managed`].

mod adoption;
#[cfg(test)]
mod conformance;
mod create;
pub mod data_source;
mod delete;
mod destroy;
mod emptied;
mod fence;
mod import;
mod intent;
pub mod list;
pub mod locate;
pub mod mapping;
pub mod memory;
mod metadata;
mod moved;
mod owned;
mod ownership;
mod plan;
mod read;
pub mod schema;
pub mod selectors;
mod unseen;
mod update;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value as Json};
use tfplugin::identity::IdentitySchema;
use tfplugin::plan::{Change, changes};
use tfplugin::resource::{
    ApplyRequest, ApplyResponse, Context, DeleteRequest, ImportResponse, MoveRequest, Plan, PlanRequest, ReadRequest,
    ReadResponse, Resource, ValidateRequest,
};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::configured::{Configured, Settings};
use crate::management_cluster::{ApiError, Kind, ManagementCluster, ObjectRef, Operation};
use memory::Memory;
use metadata::{ObjectRules, defaults_change};

/// What differs from kind to kind.
#[async_trait]
pub trait Managed: Send + Sync + 'static {
    /// The Terraform type.
    fn type_name(&self) -> &'static str;

    /// The Kubernetes kind.
    fn kind(&self) -> Kind;

    /// The table.
    fn schema(&self) -> &'static Schema;

    /// API paths (dotted) that the server would lose, or refuse to lose, when they are dropped from the intent. Once
    /// applied they go on being sent.
    fn kept(&self) -> &'static [&'static str] {
        &[]
    }

    /// Rules across attributes, offline.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// Rules about a change, offline: what a new object costs, what the API would refuse.
    fn review(&self, _prior: &Value, _config: &Value, _plan: &mut Plan) {}

    /// The writes that a change needs, one after the other: the planned object as each of them has it, the last one as it
    /// is planned. What a write before the last asks for has to work before the next; see [`Managed::settle`].
    ///
    /// Asked by the plan, whose dry-run is of the first, and by the apply. An error refuses the change.
    async fn stages(&self, _scene: &Scene, _now: Now<'_>, planned: &Value) -> Result<Vec<Value>, Diagnostic> {
        Ok(vec![planned.clone()])
    }

    /// What the management cluster says against a change beyond the object itself, which admission does not look at.
    /// `prior` is null for a create. Makes requests only for what changes, and never waits.
    async fn surroundings(
        &self,
        _scene: &Scene,
        _settings: &Settings,
        _prior: &Value,
        _planned: &Value,
    ) -> Diagnostics {
        Diagnostics::new()
    }

    /// What a plan should say about a change that the API server takes: `would_be` is its answer to the dry-run. Makes
    /// requests only for what is worth them, and never waits.
    async fn survey(&self, _scene: &Scene, _prior: &Value, _planned: &Value, _would_be: &Json) -> Diagnostics {
        Diagnostics::new()
    }

    /// What goes with an object that is deleted or replaced. Without a scene the cluster is not asked. `nodes_may_go`: the
    /// user has said that what uses the object may be lost.
    async fn loss(&self, _scene: Option<&Scene>, _object: &Value, _nodes_may_go: bool) -> Loss {
        Loss::default()
    }

    /// Fills the computed attributes of `state` from a live object. Requests are made only for what the object itself
    /// does not show and what moved since `memory`.
    async fn observe(&self, scene: &Scene, live: &Json, state: &mut Value, memory: &mut Memory) -> Diagnostics;

    /// Adds to what is sent what no attribute says by itself. `value` is a state, plan or configuration.
    fn complete(&self, _value: &Value, _manifest: &mut Map<String, Json>) {}

    /// True if a change needs a write although no attribute of the object itself changes.
    fn needs_write_beside(&self, _prior: &Value, _planned: &Value) -> bool {
        false
    }

    /// What has to be done right before the object is written: checks that need write-only values, objects that it refers
    /// to. An error ends the apply with nothing written.
    async fn before_write(&self, _scene: &Scene, _applying: &Applying<'_>) -> Result<Diagnostics, Diagnostics> {
        Ok(Diagnostics::new())
    }

    /// True if a dry-run was refused for want of something that [`Managed::before_write`] will make.
    fn will_make(&self, _planned: &Value, _refusal: &ApiError) -> bool {
        false
    }

    /// Undoes [`Managed::before_write`] after a create that certainly failed.
    async fn after_failed_create(&self, _scene: &Scene, _planned: &Value) {}

    /// What has to be waited for or done when an update has been written and has settled. `resumed`: the last one was not
    /// waited for to its end.
    async fn after_update(
        &self,
        _scene: &Scene,
        _applying: &Applying<'_>,
        _live: &Json,
        _resumed: bool,
    ) -> Result<Diagnostics, Diagnostic> {
        Ok(Diagnostics::new())
    }

    /// Waits until a write has taken effect, as far as the configuration asks for; if there is `more` to be written, until
    /// it works, whatever the configuration says. Returns the object as it is then, or as it was last seen and why the
    /// wait ended.
    async fn settle(
        &self,
        scene: &Scene,
        planned: &Value,
        written: Json,
        more: bool,
    ) -> Result<Settled, Box<Unsettled>>;

    /// The computed attribute that shows whether a write has taken effect: unknown in a plan that only goes on waiting.
    fn settles(&self) -> &'static str;

    /// True if the kind's settled objects are protected against deletion; false for one that never worked.
    fn is_protected(&self, state: &Value) -> bool;

    /// Waits until what belonged to a deleted object is gone too. `prior` is its state. Says what stays.
    async fn leave_nothing(&self, _scene: &Scene, _prior: &Value) -> Result<Diagnostics, Diagnostic> {
        Ok(Diagnostics::new())
    }

    /// What a refresh that no longer finds the object says of what is left of it.
    async fn left_behind(&self, _scene: &Scene) -> Diagnostics {
        Diagnostics::new()
    }

    /// Why a deleted object does not go away.
    async fn explain_stuck_delete(&self, scene: &Scene, last: &Json) -> String;
}

/// A change that is being applied.
#[derive(Clone, Copy, Debug)]
pub struct Applying<'a> {
    /// The state; null for a create and an adoption.
    pub prior: &'a Value,
    /// What the state will be.
    pub planned: &'a Value,
    /// The configuration with write-only values.
    pub config: &'a Value,
}

impl<'a> Applying<'a> {
    fn of(request: &'a ApplyRequest) -> Self {
        Self { prior: &request.prior, planned: &request.planned, config: &request.config }
    }
}

/// An object before a change.
#[derive(Clone, Copy, Debug)]
pub enum Now<'a> {
    /// As the state has it, for a plan.
    State(&'a Value),
    /// As the API server has it, for an apply.
    Live(&'a Json),
}

/// What goes with an object.
#[derive(Clone, Debug, Default)]
pub struct Loss {
    /// As the end of "Lost with it: …"; empty if there is nothing to say.
    pub what: String,
    /// Why the object must not go.
    pub refusal: Option<Diagnostic>,
    /// What the user should know all the same.
    pub warnings: Diagnostics,
}

/// A wait that ended well.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The object as it is then.
    pub live: Json,
    /// What the user should know all the same.
    pub warnings: Diagnostics,
}

impl Settled {
    /// Without a word.
    pub fn quietly(live: Json) -> Self {
        Self { live, warnings: Diagnostics::new() }
    }
}

/// A wait that did not end well.
#[derive(Clone, Debug)]
pub struct Unsettled {
    /// The object as it was last seen.
    pub last: Json,
    /// Why.
    pub why: Diagnostic,
}

/// One object and the means to work on it.
#[derive(Clone)]
pub struct Scene {
    /// The management cluster.
    pub cluster: ManagementCluster,
    /// The bounds of the operation.
    pub operation: Operation,
    /// The object.
    pub object: ObjectRef,
    /// Our field manager.
    pub field_manager: String,
}

impl Scene {
    /// A control plane of the namespace `tenants` behind a scripted API server; the operation may take `limit`.
    #[cfg(test)]
    pub(crate) fn of_tenant(api: &crate::management_cluster::scripted::Scripted, name: &str, limit: Duration) -> Self {
        Self {
            cluster: api.cluster(),
            operation: Operation::new(limit, &tokio_util::sync::CancellationToken::new()),
            object: ObjectRef::namespaced(Kind::TenantControlPlane, "tenants", name),
            field_manager: "m".to_owned(),
        }
    }

    /// A few seconds beyond the deadline, to find out why it was not met.
    pub fn for_diagnosis(&self) -> Self {
        Self { operation: Operation::new(Duration::from_secs(10), &self.operation.stop), ..self.clone() }
    }
}

/// The Terraform resource of a kind.
pub struct ManagedResource<M> {
    managed: M,
    shared: Arc<Configured>,
}

impl<M: Managed> ManagedResource<M> {
    /// The resource of this kind in a provider.
    pub fn new(managed: M, shared: Arc<Configured>) -> Self {
        Self { managed, shared }
    }

    /// The object that a state or plan is about.
    fn object(&self, value: &Value) -> ObjectRef {
        let name = value.str_at("name").unwrap_or_default().to_owned();
        let namespace = value.str_at("namespace").map(str::to_owned);
        ObjectRef { kind: self.managed.kind(), namespace, name }
    }

    /// The means for an operation on the object of `value`; its `timeouts` bound it.
    fn scene(&self, cx: &Context, value: &Value, operation: &str) -> Result<Scene, Diagnostic> {
        Ok(Scene {
            cluster: self.shared.cluster()?,
            operation: Operation::new(schema::timeout(self.managed.schema(), value, operation), &cx.stop),
            object: self.object(value),
            field_manager: self.shared.field_manager(),
        })
    }

    /// What the provider and the resource of `value` say about labels and annotations.
    fn rules(&self, value: &Value) -> ObjectRules {
        ObjectRules::of(self.shared.metadata(), value)
    }

    /// True if a write is needed to get from one to the other. What only the provider knows (`wait_for`, `timeouts`) needs
    /// none.
    fn needs_write(&self, prior: &Value, planned: &Value) -> bool {
        let schema = self.managed.schema();
        let in_api = |change: &Change| schema.at(&change.path).is_some_and(|attribute| attribute.api.is_some());
        defaults_change(prior, planned)
            || self.managed.needs_write_beside(prior, planned)
            || changes(&schema.attributes, prior, planned).iter().any(in_api)
    }

    /// True unless the configuration says otherwise; a kind without the attribute is not protected.
    fn deletion_protection(&self, value: &Value) -> bool {
        let protects = self.managed.schema().attribute("deletion_protection").is_some();
        protects && value.get("deletion_protection").as_bool().unwrap_or(true)
    }
}

#[async_trait]
impl<M: Managed> Resource for ManagedResource<M> {
    fn type_name(&self) -> &'static str {
        self.managed.type_name()
    }

    fn schema(&self) -> &Schema {
        self.managed.schema()
    }

    fn validate(&self, request: &ValidateRequest) -> Diagnostics {
        let mut found = self.managed.validate(&request.config);
        found.extend(self.rules(&request.config).contradictions(&request.config));
        found
    }

    async fn plan(&self, cx: &Context, request: PlanRequest, plan: Plan) -> Plan {
        self.plan_change(cx, request, plan).await
    }

    async fn read(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        self.refresh(cx, request).await
    }

    async fn create(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        self.create_object(cx, request).await
    }

    async fn update(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        self.update_object(cx, request).await
    }

    async fn delete(&self, cx: &Context, request: DeleteRequest) -> Diagnostics {
        self.delete_object(cx, request).await
    }

    async fn import(&self, _cx: &Context, id: &str) -> ImportResponse {
        self.read_import_id(id)
    }

    fn identity(&self) -> Option<&'static IdentitySchema> {
        Some(import::identity(self.managed.kind()))
    }

    async fn import_identity(&self, _cx: &Context, identity: &Value) -> ImportResponse {
        self.stub(identity)
    }

    fn move_from(&self, request: &MoveRequest) -> ImportResponse {
        self.take_from(request)
    }
}

#[cfg(test)]
mod tests;
