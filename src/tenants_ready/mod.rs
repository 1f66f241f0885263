//! The data source `kamaji_tenants_ready`: one slot of Terraform waits for a whole fleet.

mod fleet;
pub mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use tfplugin::data_source::DataSource;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::configured::Configured;
use crate::kamaji::duration;
use crate::kamaji::readiness::Level;
use crate::managed_object::selectors::chosen_namespaces;
use crate::management_cluster::{ManagementCluster, ObjectRef, Operation};
use crate::tenant_cluster::{reference, wait_until_answers};
use crate::tenant_control_planes::summary::summary;
use fleet::{Choice, Fleet};
use schema::SCHEMA;

/// Tenants whose API is asked at the same time.
const ASKED_AT_ONCE: usize = 16;
/// Tenants that a text names; of the others it says how many they are.
const NAMED: usize = 20;
const TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// The data source.
pub struct TenantsReady {
    shared: Arc<Configured>,
}

impl TenantsReady {
    /// The data source in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared }
    }
}

#[async_trait]
impl DataSource for TenantsReady {
    fn type_name(&self) -> &'static str {
        "kamaji_tenants_ready"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let given = |name: &str| !config.get(name).is_null();
        let selector = ["namespaces", "label_selector"].into_iter().find(|name| given(name));
        match selector {
            Some(name) if given("ids") => Diagnostic::error(
                "Control planes chosen twice",
                format!("`ids` names the control planes already. Remove `{name}` or `ids`."),
            )
            .at(Path::of(name))
            .into(),
            None if !given("ids") => Diagnostic::error(
                "Control planes not chosen",
                "Give `ids`, or `label_selector` or `namespaces`. `label_selector = \"\"` means all that there are.",
            )
            .at(Path::of("ids"))
            .into(),
            _ => Diagnostics::new(),
        }
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let cluster = self.shared.cluster()?;
        let level = config.str_at("level").and_then(|word| word.parse().ok()).unwrap_or_default();
        let limit = config.str_at("timeout").and_then(|text| duration::parse(text).ok()).unwrap_or(TIMEOUT);
        let operation = Operation::new(limit, &cx.stop);
        let fleet = Fleet::new(choice(&config)?, level);
        let found = fleet.wait(&cluster, &operation).await?;
        if level == Level::Reachable {
            all_answer(&cluster, &operation, found.keys()).await?;
        }
        let mut result = config;
        if result.get("ids").is_null() {
            result.set("ids", Value::strings(found.keys().map(String::as_str)));
        }
        result.set("tenant_control_planes", Value::List(found.values().map(summary).collect()));
        Ok((result, Diagnostics::new()))
    }
}

fn choice(config: &Value) -> Result<Choice, Diagnostic> {
    let Some(ids) = config.get("ids").as_list() else {
        let labels = config.str_at("label_selector").unwrap_or_default().to_owned();
        return Ok(Choice::Selected { namespaces: chosen_namespaces(config), labels });
    };
    let mut objects = BTreeMap::new();
    for (index, id) in ids.iter().enumerate() {
        let id = id.as_str().unwrap_or_default();
        let object = reference::parse(id)
            .map_err(|problem| Diagnostic::error(problem.summary, problem.detail).at(Path::of("ids").index(index)))?;
        objects.insert(id.to_owned(), object);
    }
    Ok(Choice::Named(objects))
}

/// Waits until the API of every tenant answers from here.
async fn all_answer(
    cluster: &ManagementCluster,
    operation: &Operation,
    ids: impl Iterator<Item = &String>,
) -> Result<(), Diagnostic> {
    let objects: Vec<(String, ObjectRef)> =
        ids.filter_map(|id| Some((id.clone(), reference::parse(id).ok()?))).collect();
    let total = objects.len();
    let asked = futures::stream::iter(objects).map(|(id, object)| async move {
        wait_until_answers(cluster, operation, &object).await.err().map(|silent| (id, silent.detail))
    });
    let silent: BTreeMap<String, String> =
        asked.buffer_unordered(ASKED_AT_ONCE).filter_map(futures::future::ready).collect().await;
    if silent.is_empty() {
        return Ok(());
    }
    if operation.is_stopped() {
        return Err(interrupted(&silent, total));
    }
    let text =
        format!("{} of {total} tenants do not answer from where Terraform runs:\n{}", silent.len(), lines(&silent));
    Err(Diagnostic::error("Tenants not reachable", text))
}

fn interrupted(missing: &BTreeMap<String, String>, total: usize) -> Diagnostic {
    let text = format!(
        "{} of {total} control planes were not there yet. Apply again to go on.\n{}",
        missing.len(),
        lines(missing)
    );
    Diagnostic::error("Interrupted while waiting", text)
}

/// One line for each tenant that is not there yet, with the reason.
fn lines(missing: &BTreeMap<String, String>) -> String {
    let mut lines: Vec<String> =
        missing.iter().take(NAMED).map(|(id, why)| format!("  - {id}: {}", why.replace('\n', " "))).collect();
    if missing.len() > NAMED {
        lines.push(format!("  and {} more", missing.len() - NAMED));
    }
    lines.join("\n")
}
