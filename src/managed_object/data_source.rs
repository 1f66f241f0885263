//! The data source of one object of the management cluster: all that is to be seen of it, whoever set it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tfplugin::data_source::DataSource;
use tfplugin::resource::Context;
use tfplugin::schema::{Attribute, Mode, Schema};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::memory::{Memory, NONCE};
use super::{Managed, Scene, mapping};
use crate::configured::Configured;
use crate::management_cluster::{ObjectRef, Operation, REFRESH_PATIENCE, json_of};

/// How long a read may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Annotations that are an echo of the object, or the provider's own note.
const NOT_SHOWN: [&str; 2] = ["kubectl.kubernetes.io/last-applied-configuration", NONCE];

/// The data source of a kind. Its table is that of the resource, with everything computed but `id`, `name` and
/// `namespace`, which choose the object.
pub struct ManagedDataSource<M> {
    managed: M,
    description: &'static str,
    /// Made when it is first needed: a start of the provider does not wait for it.
    schema: OnceLock<Schema>,
    shared: Arc<Configured>,
}

impl<M: Managed> ManagedDataSource<M> {
    /// The data source of this kind in a provider.
    pub fn new(managed: M, description: &'static str, shared: Arc<Configured>) -> Self {
        Self { managed, description, schema: OnceLock::new(), shared }
    }

    /// The object that a configuration chooses.
    fn object(&self, config: &Value) -> Result<ObjectRef, Diagnostic> {
        let kind = self.managed.kind();
        let (namespace, name) = match config.str_at("id") {
            Some(id) if kind.is_namespaced() => id.split_once('/').map(|(namespace, name)| (Some(namespace), name)),
            Some(id) => Some((None, id)),
            None => Some((config.str_at("namespace"), config.str_at("name").unwrap_or_default())),
        }
        .ok_or_else(|| unreadable(config.str_at("id").unwrap_or_default()))?;
        Ok(ObjectRef { kind, namespace: namespace.map(str::to_owned), name: name.to_owned() })
    }
}

/// The table of a resource as that of a data source. What only the provider knows of a resource (`wait_for`,
/// `timeouts`) is left out.
fn schema(of: &Schema, description: &'static str) -> Schema {
    let shown = of.attributes.iter().filter(|attribute| attribute.api.is_some() == attribute.is_configurable());
    let attributes = shown.map(|attribute| {
        let observed = attribute.observed();
        let chooses = |doc| Attribute { mode: Mode::OptionalComputed, description: doc, ..observed.clone() };
        match attribute.name {
            "id" => chooses("The object as the `id` of its resource names it. Instead of `name`."),
            "name" => Attribute { validators: attribute.validators.clone(), ..chooses("Name of the object.") },
            "namespace" => {
                Attribute { validators: attribute.validators.clone(), ..chooses("Namespace of the object.") }
            }
            _ => observed,
        }
    });
    Schema::new(0, description, attributes.collect())
}

fn unreadable(id: &str) -> Diagnostic {
    Diagnostic::error("Id not readable", format!("{id:?} is not of the form `namespace/name`.")).at(Path::of("id"))
}

#[async_trait]
impl<M: Managed> DataSource for ManagedDataSource<M> {
    fn type_name(&self) -> &'static str {
        self.managed.type_name()
    }

    fn schema(&self) -> &Schema {
        self.schema.get_or_init(|| schema(self.managed.schema(), self.description))
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let given = |name: &str| !config.get(name).is_null();
        let parts: &[&str] = if self.managed.kind().is_namespaced() { &["name", "namespace"] } else { &["name"] };
        let mut found = Diagnostics::new();
        let (all, form) = (parts.join(" and "), if parts.len() > 1 { "namespace/name" } else { "name" });
        for part in parts {
            if given("id") && given(part) {
                let detail = format!("The object is chosen by `id`, or by {all}. Remove one of the two.");
                found.push(Diagnostic::error("Object chosen twice", detail).at(Path::of(part)));
            }
            if !given("id") && !given(part) {
                let detail = format!("`{part}` is missing. Give {all}, or `id` (`{form}`).");
                found.push(Diagnostic::error("Object not chosen", detail).at(Path::of(part)));
            }
        }
        if let Some(id) = config.str_at("id")
            && (id.split('/').count() != parts.len() || id.split('/').any(str::is_empty))
        {
            found.push(unreadable(id));
        }
        found
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let scene = Scene {
            cluster: self.shared.cluster()?,
            operation: Operation::new(LIMIT, &cx.stop).patience(REFRESH_PATIENCE),
            object: self.object(&config)?,
            field_manager: self.shared.field_manager(),
        };
        // Read by itself: a data source may be read in an apply, after something else has changed the object.
        let found = scene.cluster.get(&scene.operation, &scene.object).await;
        let found = found.map_err(|error| error.to_diagnostic(&format!("read {}", scene.object)))?;
        let Some(found) = found else { return Err(missing(&scene, &config).into()) };
        let live = json_of(&found);
        let mut shown = mapping::show(&self.schema().attributes, &live);
        if let Some(Value::Object(annotations)) = shown.as_object_mut().and_then(|all| all.get_mut("annotations")) {
            annotations.retain(|key, _| !NOT_SHOWN.contains(&key.as_str()));
        }
        let diagnostics = self.managed.observe(&scene, &live, &mut shown, &mut Memory::default()).await;
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok((shown, diagnostics)) }
    }
}

fn missing(scene: &Scene, config: &Value) -> Diagnostic {
    let chosen_by = if config.get("id").is_set() { "id" } else { "name" };
    Diagnostic::error(
        "Object does not exist",
        format!(
            "There is no {} in the management cluster at {}. Check name and namespace. If it is made in the same \
             configuration, use its resource, or refer to it here (`id = <resource>.id`), so that Terraform makes it \
             first.",
            scene.object,
            scene.cluster.host()
        ),
    )
    .at(Path::of(chosen_by))
}

#[cfg(test)]
mod tests;
