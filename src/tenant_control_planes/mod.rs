//! The data source `kamaji_tenant_control_planes`: which control planes there are, and how they are.

mod list;
pub mod schema;
pub mod summary;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use tfplugin::data_source::DataSource;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::configured::Configured;
use crate::managed_object::selectors::{chosen_namespaces, refused, selectors};
use crate::management_cluster::{Kind, Operation, REFRESH_PATIENCE, json_of};
use schema::SCHEMA;
use summary::{id_of, summary};

/// How long the lists may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The data source.
pub struct TenantControlPlanes {
    shared: Arc<Configured>,
}

impl TenantControlPlanes {
    /// The data source in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared }
    }

    /// The control planes of a configuration, by namespace and name.
    async fn find(&self, cx: &Context, config: &Value) -> Result<Vec<Value>, Diagnostic> {
        let cluster = self.shared.cluster()?;
        let operation = Operation::new(LIMIT, &cx.stop).patience(REFRESH_PATIENCE);
        let selectors = selectors(config);
        let list = |namespace: Option<String>| {
            let (cluster, operation) = (cluster.clone(), operation.clone());
            async move {
                let keep = |object| summary(&json_of(&object));
                cluster.list_selected(&operation, Kind::TenantControlPlane, namespace.as_deref(), selectors, keep).await
            }
        };
        let listed = match chosen_namespaces(config) {
            None => list(None).await,
            Some(namespaces) => try_join_all(namespaces.into_iter().map(|namespace| list(Some(namespace))))
                .await
                .map(|lists| lists.into_iter().flatten().collect()),
        };
        let mut found = listed.map_err(|error| refused(&error, "list the tenant control planes"))?;
        found.retain(|summary| is_wanted(config, summary));
        found.sort_by_cached_key(|summary| {
            let text = |name| summary.str_at(name).unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        });
        Ok(found)
    }
}

/// The filters that the API server does not know.
fn is_wanted(config: &Value, summary: &Value) -> bool {
    let same = |filter: &str, shown: &str| match config.str_at(filter) {
        Some(wanted) => summary.str_at(shown) == Some(wanted),
        None => true,
    };
    let version = config.str_at("installed_version").is_none_or(|wanted| {
        summary.str_at("installed_version").is_some_and(|installed| is_of_version(installed, wanted))
    });
    version && same("status", "status") && same("data_store", "effective.data_store")
}

/// True for the version itself and for one of the release: `v1.30.2` is of `1.30` and of `v1.30.2`, not of `1.3`.
fn is_of_version(installed: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.strip_prefix('v').unwrap_or(text).to_owned();
    let (installed, wanted) = (plain(installed), plain(wanted));
    installed.strip_prefix(&wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[async_trait]
impl DataSource for TenantControlPlanes {
    fn type_name(&self) -> &'static str {
        "kamaji_tenant_control_planes"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let found = self.find(cx, &config).await?;
        let mut result = config;
        result.set("ids", Value::strings(found.iter().map(id_of)));
        result.set("tenant_control_planes", Value::List(found));
        Ok((result, Diagnostics::new()))
    }
}
