//! The data source `kamaji_versions`: the newest Kubernetes that the installed Kamaji takes, and the way there.

pub mod ask;
pub mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tfplugin::data_source::DataSource;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::configured::Configured;
use crate::kamaji::tenant_control_plane::View;
use crate::kamaji::upgrade::{Standing, Supported, onward};
use crate::management_cluster::{Kind, ManagementCluster, ObjectRef, Operation, REFRESH_PATIENCE, json_of};
use crate::tenant_cluster::{reach, reference};
use schema::{SCHEMA, TENANT};

/// How long a read may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Where Kamaji is asked if no control plane is given.
const NAMESPACE: &str = "default";
/// The name of the control plane that is never made.
const QUESTION: &str = "kamaji-versions";

/// The data source.
pub struct Versions {
    shared: Arc<Configured>,
}

impl Versions {
    /// The data source in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared }
    }

    /// The control plane whose way on is asked for, as far as one is given.
    async fn standing(
        &self,
        cluster: &ManagementCluster,
        operation: &Operation,
        config: &Value,
    ) -> Result<(Option<ObjectRef>, Option<Standing>), Diagnostic> {
        let Some(id) = config.str_at(TENANT) else {
            let from = config.str_at("version").and_then(|version| version.parse().ok());
            return Ok((None, from.map(|requested| Standing { requested, installed: None })));
        };
        let object = reference::parse(id)
            .map_err(|problem| Diagnostic::error(problem.summary, problem.detail).at(Path::of(TENANT)))?;
        let found = cluster.get(operation, &object).await;
        let found = found.map_err(|error| error.to_refresh_diagnostic(&format!("read {object}")))?;
        let live = json_of(&found.ok_or_else(|| reach::missing(&object))?);
        Ok((Some(object), Standing::of(&View::new(&live))))
    }
}

#[async_trait]
impl DataSource for Versions {
    fn type_name(&self) -> &'static str {
        "kamaji_versions"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let (tenant, other) = (config.get(TENANT), ["version", "namespace"]);
        let given = other.into_iter().find(|name| tenant.is_set() && config.get(name).is_set());
        given.map_or_else(Diagnostics::new, |name| {
            let detail = format!("`{TENANT}` says where the tenant is; `{name}` is for a question without one.");
            Diagnostic::error("Only one of the two", detail).at(Path::of(name)).into()
        })
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let cluster = self.shared.cluster()?;
        let operation = Operation::new(LIMIT, &cx.stop).patience(REFRESH_PATIENCE);
        let (object, standing) = self.standing(&cluster, &operation, &config).await?;
        let namespace = config.str_at("namespace").unwrap_or(NAMESPACE);
        let object = object.unwrap_or_else(|| ObjectRef::namespaced(Kind::TenantControlPlane, namespace, QUESTION));
        let answer = ask::newest(&cluster, &operation, &object, &self.shared.field_manager()).await;
        let supported =
            answer.map_err(|error| error.to_refresh_diagnostic("ask Kamaji for the versions that it supports"))?;
        let mut warnings = Diagnostics::new();
        if supported.is_none() {
            warnings.push(Diagnostic::warning(
                "Newest supported version not known",
                "Kamaji did not refuse a version that nobody has, or not for being too new: its admission webhook is not \
                 installed, or it says so in words that this provider does not know. `newest_supported` is null, and \
                 `upgrade_steps` goes one minor version up.",
            ));
        }
        let mut state = config;
        fill(&mut state, standing.as_ref(), supported);
        Ok((state, warnings))
    }
}

fn fill(state: &mut Value, standing: Option<&Standing>, supported: Option<Supported>) {
    let text = |version: &dyn ToString| Value::from(version.to_string());
    state.set("newest_supported", supported.as_ref().map_or(Value::Null, |supported| text(supported)));
    let minor = supported.map(|Supported { release: (major, minor), .. }| format!("{major}.{minor}"));
    state.set("newest_supported_minor", minor.into());
    let installed = standing.and_then(|standing| standing.installed.as_ref());
    state.set("requested_version", standing.map_or(Value::Null, |standing| text(&standing.requested)));
    state.set("installed_version", installed.map_or(Value::Null, |installed| text(installed)));
    let steps = standing.map(|standing| onward(standing, supported));
    let next = steps.as_ref().and_then(|steps| steps.first()).map_or(Value::Null, |step| text(step));
    state.set("next_version", next);
    let steps = steps.map_or(Value::Null, |steps| Value::strings(steps.iter().map(ToString::to_string)));
    state.set("upgrade_steps", steps);
}
