//! Which objects of a kind there are in the management cluster, each as an import and a read of it would show it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use kube::api::DynamicObject;
use serde_json::Value as Json;
use tfplugin::list_resource::{ListRequest, ListResource, Listed, Results};
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostics, Severity, Value};

use super::memory::Memory;
use super::selectors::{chosen_namespaces, refused, selectors};
use super::{Managed, ManagedResource, Scene, schema};
use crate::configured::Configured;
use crate::management_cluster::{ManagementCluster, ObjectRef, Operation, PAGE, REFRESH_PATIENCE, json_of};

/// How long one page may take.
const LIMIT: Duration = Duration::from_secs(120);
/// Objects that are looked at at once: some show themselves only together with their Secrets.
const AT_ONCE: usize = 8;
/// The part of a configuration that the API server knows how to choose by.
const SELECTED: [&str; 3] = ["namespaces", "label_selector", "field_selector"];

/// A kind whose objects can be listed.
pub trait Listable: Managed {
    /// The content of the `config` block: `label_selector`, `field_selector`, for a namespaced kind `namespaces`, and what
    /// [`Listable::is_wanted`] knows.
    fn list_schema(&self) -> &'static Schema;

    /// Whether an object passes the filters that the API server does not know.
    fn is_wanted(&self, _config: &Value, _live: &Json) -> bool {
        true
    }
}

/// The list resource of a kind.
pub struct ManagedList<M>(ManagedResource<M>);

impl<M: Listable> ManagedList<M> {
    /// The list resource of this kind in a provider.
    pub fn new(managed: M, shared: Arc<Configured>) -> Self {
        Self(ManagedResource::new(managed, shared))
    }

    /// What is shown of an object. What could not be found out about it is a warning: the others are listed all the same.
    async fn listed(
        &self,
        cx: &Context,
        cluster: &ManagementCluster,
        found: DynamicObject,
        include_object: bool,
    ) -> Listed {
        let Self(resource) = self;
        let (name, namespace) = (found.metadata.name.clone().unwrap_or_default(), found.metadata.namespace.clone());
        let identity =
            Value::object([("namespace", Value::from(namespace.as_deref())), ("name", name.as_str().into())]);
        let object = ObjectRef { kind: resource.managed.kind(), namespace, name };
        let display_name = object.id();
        if !include_object {
            return Listed { display_name, identity, object: None, diagnostics: Diagnostics::new() };
        }
        let state = resource.stub(&identity).state;
        let limit = schema::timeout(resource.managed.schema(), &state, "read");
        let scene = Scene {
            cluster: cluster.clone(),
            operation: Operation::new(limit, &cx.stop).patience(REFRESH_PATIENCE),
            object,
            field_manager: resource.shared.field_manager(),
        };
        let (state, said) =
            resource.state_of(&scene, &state, (&found, &json_of(&found)), &mut Memory::default(), true).await;
        let said: Vec<_> = said
            .into_iter()
            .map(|mut diagnostic| {
                diagnostic.severity = Severity::Warning;
                // It speaks of an attribute of the object, which core would look for in the configuration of the list.
                if !diagnostic.path.is_root() {
                    diagnostic.detail = format!("{display_name}, `{}`: {}", diagnostic.path, diagnostic.detail);
                    diagnostic.path = tfplugin::Path::root();
                }
                diagnostic
            })
            .collect();
        Listed { display_name, identity, object: Some(state), diagnostics: said.into() }
    }
}

#[async_trait]
impl<M: Listable> ListResource for ManagedList<M> {
    fn type_name(&self) -> &'static str {
        self.0.managed.type_name()
    }

    fn schema(&self) -> &Schema {
        self.0.managed.list_schema()
    }

    async fn list(&self, cx: &Context, request: ListRequest, results: &mut Results) -> Result<(), Diagnostics> {
        let ListRequest { config, include_object, limit } = request;
        let managed = &self.0.managed;
        let cluster = self.0.shared.cluster()?;
        let places =
            chosen_namespaces(&config).map_or_else(|| vec![None], |given| given.into_iter().map(Some).collect());
        // Where the API server chooses, no page is larger than what is wanted.
        let filters = config
            .as_object()
            .into_iter()
            .flatten()
            .any(|(name, value)| value.is_set() && !SELECTED.contains(&name.as_str()));
        let size = limit.filter(|_| !filters).and_then(|limit| u32::try_from(limit).ok()).unwrap_or(PAGE);
        let selectors = selectors(&config);
        let doing = format!("list the objects of the kind {}", managed.kind());
        let mut shown = BTreeSet::new();
        for namespace in places {
            let pages = cluster.pages(managed.kind(), namespace.as_deref(), selectors, size);
            let mut pages = pages.map_err(|error| refused(&error, &doing))?;
            loop {
                let operation = Operation::new(LIMIT, &cx.stop).patience(REFRESH_PATIENCE);
                let page = pages.next(&operation, |object: DynamicObject| object).await;
                let Some(page) = page.map_err(|error| refused(&error, &doing))? else { break };
                let mut wanted = page.items;
                wanted.retain(|object| {
                    let id = (object.metadata.namespace.clone(), object.metadata.name.clone());
                    (!filters || managed.is_wanted(&config, &json_of(object))) && shown.insert(id)
                });
                if let Some(left) = results.left().and_then(|left| usize::try_from(left).ok()) {
                    wanted.truncate(left);
                }
                let looked_at: Vec<_> =
                    wanted.into_iter().map(|object| self.listed(cx, &cluster, object, include_object)).collect();
                let mut looked_at = stream::iter(looked_at).buffered(AT_ONCE);
                while let Some(listed) = looked_at.next().await {
                    results.push(listed).await;
                }
            }
        }
        Ok(())
    }
}
