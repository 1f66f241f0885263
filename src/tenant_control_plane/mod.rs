//! `kamaji_tenant_control_plane`.

mod leftovers;
mod loss;
mod migration;
mod observe;
mod public_token;
mod remove;
mod review;
pub mod schema;
mod settle;
mod surroundings;
mod upgrade;
mod validate;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use tfplugin::resource::Plan;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::configured::{Configured, Settings};
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::memory::Memory;
use crate::managed_object::{Loss, Managed, Now, Scene, Settled, Unsettled};
use crate::management_cluster::Kind;
use crate::tenant_cluster::public_token::is_unwanted;
use crate::tenant_cluster::reach::Reach;
use crate::tenant_cluster::{Connect, over_the_network};
pub(crate) use settle::{knows_pauses, settle};

/// Fills the computed attributes that a control plane itself shows, without a request.
pub fn show(live: &Json, state: &mut Value) {
    observe::show(&View::new(live), state);
}

/// The kind behind `kamaji_tenant_control_plane`.
pub struct TenantControlPlane {
    connect: Connect,
    run: surroundings::Run,
    shared: Arc<Configured>,
}

impl TenantControlPlane {
    /// The kind in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { connect: over_the_network(), run: surroundings::Run::default(), shared }
    }

    /// With tenants reached in another way than over the network.
    #[cfg(test)]
    pub(crate) fn with(connect: Connect, shared: Arc<Configured>) -> Self {
        Self { connect, ..Self::new(shared) }
    }

    fn reach(&self, scene: &Scene) -> Reach {
        Reach { cluster: scene.cluster.clone(), connect: self.connect.clone() }
    }
}

impl Default for TenantControlPlane {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

#[async_trait]
impl Managed for TenantControlPlane {
    fn type_name(&self) -> &'static str {
        "kamaji_tenant_control_plane"
    }

    fn kind(&self) -> Kind {
        Kind::TenantControlPlane
    }

    fn schema(&self) -> &'static Schema {
        &schema::SCHEMA
    }

    /// The webhook fills these on create only; an apply that drops them loses them, or is denied.
    fn kept(&self) -> &'static [&'static str] {
        &[
            "spec.dataStore",
            "spec.dataStoreSchema",
            "spec.dataStoreUsername",
            "spec.networkProfile.serviceCidr",
            "spec.networkProfile.serviceCidrs",
            "spec.networkProfile.podCidr",
            "spec.networkProfile.podCidrs",
            "spec.networkProfile.dnsServiceIPs",
        ]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate::validate(config)
    }

    fn review(&self, prior: &Value, config: &Value, plan: &mut Plan) {
        review::review(prior, config, plan);
    }

    async fn stages(&self, scene: &Scene, now: Now<'_>, planned: &Value) -> Result<Vec<Value>, Diagnostic> {
        upgrade::stages(scene, now, planned).await
    }

    async fn surroundings(&self, scene: &Scene, settings: &Settings, prior: &Value, planned: &Value) -> Diagnostics {
        surroundings::check(&self.run, scene, settings.check_overlaps, prior, planned).await
    }

    async fn survey(&self, scene: &Scene, prior: &Value, planned: &Value, would_be: &Json) -> Diagnostics {
        upgrade::survey(&self.reach(scene), scene, prior, planned, would_be).await
    }

    async fn loss(&self, scene: Option<&Scene>, object: &Value, nodes_may_go: bool) -> Loss {
        let reach = scene.map(|scene| self.reach(scene));
        let stays = |scene: &Scene, node: &str| !self.shared.is_leaving(&scene.object, node);
        loss::loss(reach.as_ref(), scene, object, nodes_may_go, stays).await
    }

    async fn observe(&self, scene: &Scene, live: &Json, state: &mut Value, memory: &mut Memory) -> Diagnostics {
        observe::observe(scene, live, state, memory).await
    }

    /// What was kept by wish, and is not any more, is looked for when a write has settled.
    fn needs_write_beside(&self, prior: &Value, planned: &Value) -> bool {
        !is_unwanted(prior) && is_unwanted(planned)
    }

    async fn settle(
        &self,
        scene: &Scene,
        planned: &Value,
        written: Json,
        more: bool,
    ) -> Result<Settled, Box<Unsettled>> {
        let (reach, level, before) = (self.reach(scene), settle::level(planned, more), written.clone());
        let mut settled = settle::settle(&reach, scene, level, written, &|_| {}).await?;
        if !more {
            let said = public_token::remove(&reach, scene, planned, level, &before, &settled.live).await;
            settled.warnings.extend(said);
        }
        Ok(settled)
    }

    fn settles(&self) -> &'static str {
        "status"
    }

    fn is_protected(&self, state: &Value) -> bool {
        state.get("installed_version").is_set()
    }

    async fn leave_nothing(&self, scene: &Scene, _prior: &Value) -> Result<Diagnostics, Diagnostic> {
        remove::leave_nothing(scene).await?;
        Ok(Diagnostics::new())
    }

    async fn left_behind(&self, scene: &Scene) -> Diagnostics {
        remove::left_behind(scene).await
    }

    async fn explain_stuck_delete(&self, scene: &Scene, last: &Json) -> String {
        remove::explain(scene, last).await
    }
}

#[cfg(test)]
mod tests;
