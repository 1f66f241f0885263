//! The provider as Terraform sees it: its block, and the objects that it offers.

mod configure;
pub mod schema;
mod settings;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tfplugin::action::Action;
use tfplugin::data_source::DataSource;
use tfplugin::ephemeral::EphemeralResource;
use tfplugin::function::Function;
use tfplugin::list_resource::ListResource;
use tfplugin::provider::{Identity, Provider};
use tfplugin::resource::Resource;
use tfplugin::schema::Schema;
use tfplugin::traces::{Collector, Post};
use tfplugin::{Diagnostics, Value};

use crate::actions::OnTenant;
use crate::actions::drain_node::DrainNode;
use crate::actions::pause::{Pause, Resume};
use crate::actions::restart::Restart;
use crate::actions::rotate_certificates::RotateCertificates;
use crate::bootstrap_tokens::BootstrapTokens;
use crate::configured::Configured;
use crate::datastore::DataStore;
use crate::datastores::DataStores;
use crate::functions;
use crate::kubeconfig::{Kubeconfig, KubeconfigInState};
use crate::kubeconfig_generator::KubeconfigGenerator;
use crate::managed_object::ManagedResource;
use crate::managed_object::data_source::ManagedDataSource;
use crate::managed_object::list::ManagedList;
use crate::management_cluster;
use crate::nodes::Nodes;
use crate::tenant_control_plane::TenantControlPlane;
use crate::tenant_control_planes::TenantControlPlanes;
use crate::tenants_ready::TenantsReady;
use crate::versions::Versions;
use crate::worker::Worker;
use crate::worker_join::{EphemeralWorkerJoin, WorkerJoin};
use crate::worker_nodes::WorkerNodes;

/// The source address; written here and nowhere else.
pub const ADDRESS: &str = "registry.terraform.io/clastix/kamaji";

/// What the data source of a control plane is for.
const TENANT_CONTROL_PLANE: &str = "A tenant control plane that exists, whoever made it: what is configured and what is in \
     force.\n\nAll attributes are those of the resource `kamaji_tenant_control_plane`. An object that does not exist is an \
     error. No secret is read into the state.";

/// What the data source of a datastore is for.
const DATA_STORE: &str = "A datastore that exists, whoever made it.\n\nAll attributes are those of the resource \
     `kamaji_datastore`. An object that does not exist is an error. No secret is read into the state.";

/// The provider.
pub struct KamajiProvider {
    shared: Arc<Configured>,
    resources: Vec<Box<dyn Resource>>,
    data_sources: Vec<Box<dyn DataSource>>,
    ephemeral_resources: Vec<Box<dyn EphemeralResource>>,
    list_resources: Vec<Box<dyn ListResource>>,
    actions: Vec<Box<dyn Action>>,
}

impl KamajiProvider {
    /// A provider that is not configured yet.
    pub fn new() -> Self {
        let shared = Arc::new(Configured::default());
        let resources: Vec<Box<dyn Resource>> = vec![
            Box::new(ManagedResource::new(DataStore::new(Arc::clone(&shared)), Arc::clone(&shared))),
            Box::new(ManagedResource::new(KubeconfigGenerator, Arc::clone(&shared))),
            Box::new(ManagedResource::new(TenantControlPlane::new(Arc::clone(&shared)), Arc::clone(&shared))),
            Box::new(Worker::new(Arc::clone(&shared))),
            Box::new(WorkerJoin::new(Arc::clone(&shared))),
            Box::new(WorkerNodes::new(Arc::clone(&shared))),
        ];
        let data_sources: Vec<Box<dyn DataSource>> = vec![
            Box::new(ManagedDataSource::new(TenantControlPlane::default(), TENANT_CONTROL_PLANE, Arc::clone(&shared))),
            Box::new(ManagedDataSource::new(DataStore::new(Arc::clone(&shared)), DATA_STORE, Arc::clone(&shared))),
            Box::new(BootstrapTokens::new(Arc::clone(&shared))),
            Box::new(DataStores::new(Arc::clone(&shared))),
            Box::new(KubeconfigInState::new(Arc::clone(&shared))),
            Box::new(Nodes::new(Arc::clone(&shared))),
            Box::new(TenantControlPlanes::new(Arc::clone(&shared))),
            Box::new(TenantsReady::new(Arc::clone(&shared))),
            Box::new(Versions::new(Arc::clone(&shared))),
        ];
        let ephemeral_resources: Vec<Box<dyn EphemeralResource>> = vec![
            Box::new(Kubeconfig::new(Arc::clone(&shared))),
            Box::new(EphemeralWorkerJoin::new(Arc::clone(&shared))),
        ];
        // What machines are to a tenant is no object that could be listed: a node does not say how its machine is reached
        // (kamaji_worker), any choice of nodes is one (kamaji_worker_nodes), and a token is never taken over
        // (kamaji_worker_join).
        let list_resources: Vec<Box<dyn ListResource>> = vec![
            Box::new(ManagedList::new(DataStore::new(Arc::clone(&shared)), Arc::clone(&shared))),
            Box::new(ManagedList::new(KubeconfigGenerator, Arc::clone(&shared))),
            Box::new(ManagedList::new(TenantControlPlane::new(Arc::clone(&shared)), Arc::clone(&shared))),
        ];
        let actions: Vec<Box<dyn Action>> = vec![
            Box::new(OnTenant::new(DrainNode, Arc::clone(&shared))),
            Box::new(OnTenant::new(Pause, Arc::clone(&shared))),
            Box::new(OnTenant::new(Restart, Arc::clone(&shared))),
            Box::new(OnTenant::new(Resume, Arc::clone(&shared))),
            Box::new(OnTenant::new(RotateCertificates, Arc::clone(&shared))),
        ];
        Self { shared, resources, data_sources, ephemeral_resources, list_resources, actions }
    }
}

impl Default for KamajiProvider {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Provider for KamajiProvider {
    fn identity(&self) -> Identity {
        Identity { address: ADDRESS, version: env!("CARGO_PKG_VERSION") }
    }

    fn schema(&self) -> &Schema {
        &schema::SCHEMA
    }

    fn resources(&self) -> Vec<&dyn Resource> {
        self.resources.iter().map(AsRef::as_ref).collect()
    }

    fn data_sources(&self) -> Vec<&dyn DataSource> {
        self.data_sources.iter().map(AsRef::as_ref).collect()
    }

    fn ephemeral_resources(&self) -> Vec<&dyn EphemeralResource> {
        self.ephemeral_resources.iter().map(AsRef::as_ref).collect()
    }

    fn list_resources(&self) -> Vec<&dyn ListResource> {
        self.list_resources.iter().map(AsRef::as_ref).collect()
    }

    fn functions(&self) -> Vec<&dyn Function> {
        functions::ALL.to_vec()
    }

    fn actions(&self) -> Vec<&dyn Action> {
        self.actions.iter().map(AsRef::as_ref).collect()
    }

    fn is_partly_unknown(&self) -> bool {
        self.shared.is_unknown()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate::validate(config)
    }

    async fn configure(&self, config: Value, terraform_version: &str) -> Diagnostics {
        tracing::debug!(terraform_version, "configuring");
        configure::configure(&self.shared, &config, &|name| std::env::var(name).ok())
    }

    async fn connect(&self, collector: &Collector) -> Result<Box<dyn Post>, String> {
        crate::collector::connect(collector, &|name| std::env::var(name).ok()).await
    }

    fn ends(&self, run: Duration) {
        management_cluster::log_summary(run);
    }
}

#[cfg(test)]
mod tests {
    use tfplugin::schema::ObjectKind;
    use tfplugin::schema::check::check;

    use super::*;

    #[test]
    fn core_accepts_every_schema() {
        let provider = KamajiProvider::new();
        let mut schemas = vec![("provider", ObjectKind::Provider, provider.schema())];
        schemas.extend(provider.resources().iter().map(|it| (it.type_name(), ObjectKind::Resource, it.schema())));
        schemas.extend(provider.data_sources().iter().map(|it| (it.type_name(), ObjectKind::DataSource, it.schema())));
        schemas.extend(
            provider.ephemeral_resources().iter().map(|it| (it.type_name(), ObjectKind::Ephemeral, it.schema())),
        );
        schemas.extend(provider.list_resources().iter().map(|it| (it.type_name(), ObjectKind::List, it.schema())));
        schemas.extend(provider.actions().iter().map(|it| (it.type_name(), ObjectKind::Action, it.schema())));
        for (name, kind, schema) in schemas {
            assert_eq!(check(kind, schema), Vec::<String>::new(), "{name}");
        }
    }

    /// Core refuses a list resource without a managed resource of its name that has an identity.
    #[test]
    fn every_object_has_an_identity_and_what_is_listed_is_one() {
        let provider = KamajiProvider::new();
        let resources = provider.resources();
        for resource in &resources {
            let identity = resource.identity().unwrap_or_else(|| panic!("{}", resource.type_name()));
            for attribute in identity.attributes {
                assert!(resource.schema().attribute(attribute.name).is_some(), "{}", attribute.name);
            }
        }
        for list in provider.list_resources() {
            assert!(resources.iter().any(|it| it.type_name() == list.type_name()), "{}", list.type_name());
        }
    }
}
