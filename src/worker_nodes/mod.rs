//! `kamaji_worker_nodes`: the nodes that machines with user data become. A create waits for them, so that what depends on
//! it finds a tenant that runs pods; a destroy drains them while the machines still run.
//!
//! It owns nothing in the tenant until it goes: a create that fails leaves nothing behind, and no state, because the
//! destroy of a tainted one would throw out nodes that have joined.

mod leave;
mod read;
pub mod schema;
mod selection;
#[cfg(test)]
mod tests;
mod validate;
mod wait;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tfplugin::identity::{IdentityAttribute, IdentitySchema};
use tfplugin::private::Private;
use tfplugin::resource::{
    ApplyRequest, ApplyResponse, Context, DeleteRequest, ImportResponse, Plan, PlanRequest, ReadRequest, ReadResponse,
    Resource, ValidateRequest,
};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::configured::Configured;
use crate::managed_object::schema::timeout;
use crate::management_cluster::{ObjectRef, Operation};
use crate::tenant_cluster::reach::{Reach, is_another};
use crate::tenant_cluster::{Connect, over_the_network, reference};
use schema::{FOUND, SCHEMA, SHOWN};
use selection::{Selection, wanted};

/// The resource.
pub struct WorkerNodes {
    shared: Arc<Configured>,
    connect: Connect,
}

/// What is remembered beside the attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
struct Memory {
    /// The UID of the control plane that the nodes are of. Another one under the same name has other nodes.
    #[serde(default)]
    tenant_uid: String,
    /// The last refresh could not ask the tenant: what it did not see is no reason to wait for it.
    #[serde(default)]
    silent: bool,
}

impl Memory {
    fn is_of_another(&self, uid: Option<&str>) -> bool {
        is_another(&self.tenant_uid, uid)
    }
}

/// The means to work on the nodes of one tenant.
struct Scene {
    reach: Reach,
    operation: Operation,
    object: ObjectRef,
}

impl WorkerNodes {
    /// The resource in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared, connect: over_the_network() }
    }

    fn scene(&self, cx: &Context, value: &Value, operation: &str) -> Result<Scene, Diagnostic> {
        Ok(Scene {
            reach: Reach { cluster: self.shared.cluster()?, connect: Arc::clone(&self.connect) },
            operation: Operation::new(timeout(&SCHEMA, value, operation), &cx.stop),
            object: reference::of(value)?,
        })
    }

    /// True if the control plane is another one, or may be.
    async fn is_of_another_tenant(&self, cx: &Context, planned: &Value, memory: &Memory) -> bool {
        if planned.get("tenant_control_plane_id").is_unknown() {
            return true;
        }
        let Ok(scene) = self.scene(cx, planned, "read") else { return false };
        scene.reach.is_made_anew(&scene.operation, &scene.object, &memory.tenant_uid).await
    }

    /// A destroy: the control plane may go after these nodes.
    fn announce(&self, prior: &Value) {
        let Ok(tenant) = reference::of(prior) else { return };
        for name in prior.get("names").as_list().unwrap_or_default().iter().filter_map(Value::as_str) {
            self.shared.will_leave(&tenant, name);
        }
    }
}

#[async_trait]
impl Resource for WorkerNodes {
    fn type_name(&self) -> &'static str {
        "kamaji_worker_nodes"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    fn validate(&self, request: &ValidateRequest) -> Diagnostics {
        validate::problems(&request.config)
    }

    async fn plan(&self, cx: &Context, request: PlanRequest, mut plan: Plan) -> Plan {
        if plan.planned.is_null() {
            self.announce(&request.prior);
            return plan;
        }
        if request.prior.is_null() {
            return plan;
        }
        let memory: Memory = request.private.read();
        let lacks_nodes = !memory.silent && lacks_nodes(&request.prior, &plan.planned);
        if lacks_nodes || self.is_of_another_tenant(cx, &plan.planned, &memory).await {
            for attribute in FOUND {
                plan.planned.set(attribute, Value::Unknown);
            }
        }
        plan
    }

    async fn read(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        self.refresh(cx, request).await
    }

    async fn create(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        match self.wait(cx, &request.planned, "create").await {
            Ok((state, memory, _)) => {
                ApplyResponse { state, private: Private::write(&memory), diagnostics: Diagnostics::new() }
            }
            Err(error) => ApplyResponse { state: Value::Null, private: Private::default(), diagnostics: error.into() },
        }
    }

    async fn update(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        self.change(cx, request).await
    }

    async fn delete(&self, cx: &Context, request: DeleteRequest) -> Diagnostics {
        self.leave(cx, &request).await.unwrap_or_else(Diagnostics::from)
    }

    async fn import(&self, _cx: &Context, id: &str) -> ImportResponse {
        let mut state = SCHEMA.null_object();
        let Some((tenant, selection)) = parse_id(id) else {
            let detail = format!("{id:?} does not say which nodes of which tenant are meant. {FORMS}");
            let diagnostics = Diagnostic::error("Import id not readable", detail).into();
            return ImportResponse { state: Value::Null, private: Private::default(), diagnostics };
        };
        state.set("tenant_control_plane_id", tenant.into());
        state.set("id", id_of(tenant, &selection).into());
        selection.fill(&mut state);
        ImportResponse { state, private: Private::default(), diagnostics: Diagnostics::new() }
    }

    fn identity(&self) -> Option<&'static IdentitySchema> {
        Some(&IDENTITY)
    }

    async fn import_identity(&self, cx: &Context, identity: &Value) -> ImportResponse {
        let given = selection::ATTRIBUTES.iter().filter(|attribute| identity.get(attribute).is_set()).count();
        let (Some(selection), 1) = (Selection::of(identity), given) else {
            let detail =
                "Nodes are named by one of `join_ids`, `node_names` and `label_selector`. Give exactly one of them.";
            let diagnostics = Diagnostic::error("Identity does not say which nodes", detail).into();
            return ImportResponse { state: Value::Null, private: Private::default(), diagnostics };
        };
        self.import(cx, &id_of(identity.str_at("tenant_control_plane_id").unwrap_or_default(), &selection)).await
    }
}

/// Nodes of a tenant. An update may name others, and so gives another identity.
static IDENTITY: IdentitySchema = IdentitySchema {
    version: 0,
    attributes: &[
        reference::IDENTITY,
        one_of("join_ids", "The joins that the nodes came with. One of `join_ids`, `node_names` and `label_selector`."),
        one_of("node_names", "The names of the nodes."),
        one_of("label_selector", "What the labels of the nodes fit."),
    ],
};

const fn one_of(name: &'static str, description: &'static str) -> IdentityAttribute {
    IdentityAttribute { name, optional: true, description }
}

const FORMS: &str = "Write the id of the tenant, and what says which nodes: \"tenants/blue/node_names=blue-0,blue-1\", \
    \"tenants/blue/join_ids=a1b2c3\" or \"tenants/blue/label_selector=example.com/pool=blue\".";

/// Reads an id: the tenant, `namespace/name`, and which of its nodes.
pub(crate) fn parse_id(id: &str) -> Option<(&str, Selection)> {
    // The tenant has one slash; labels may have more.
    let (at, _) = id.match_indices('/').nth(1)?;
    let (tenant, nodes) = (id.get(..at)?, id.get(at + 1..)?);
    reference::parse(tenant).ok()?;
    Some((tenant, Selection::parse(nodes)?))
}

fn id_of(tenant: &str, selection: &Selection) -> String {
    format!("{tenant}/{}", selection.id())
}

/// True if fewer nodes are there than are wanted, as far as the last refresh could see.
fn lacks_nodes(prior: &Value, planned: &Value) -> bool {
    let found = prior.get("ready_count").as_i64().and_then(|count| usize::try_from(count).ok());
    matches!((found, wanted(planned)), (Some(found), Some(wanted)) if found < wanted)
}

/// True if a node has to be Ready to count.
fn has_to_be_ready(value: &Value) -> bool {
    value.str_at("wait_for").unwrap_or(schema::WAIT_FOR) != "registered"
}

/// What is shown of each of these nodes, by name.
fn shown<'a>(nodes: impl IntoIterator<Item = &'a Json>) -> Vec<Value> {
    let mut all: Vec<Value> = nodes
        .into_iter()
        .map(|node| {
            let whole = crate::nodes::shown(node);
            Value::object(SHOWN.iter().map(|name| (*name, whole.get(name).clone())))
        })
        .collect();
    all.sort_by(|one, other| one.str_at("name").cmp(&other.str_at("name")));
    all
}

/// How many of these nodes count.
fn counted(value: &Value, nodes: &[Value]) -> usize {
    let all = has_to_be_ready(value);
    nodes.iter().filter(|node| !all || node.get("ready").as_bool() == Some(true)).count()
}

/// Notes the nodes in a state.
fn fill(state: &mut Value, nodes: Vec<Value>) {
    let count = i64::try_from(counted(state, &nodes)).unwrap_or(i64::MAX);
    state.set("ready_count", count.into());
    state.set("names", Value::strings(nodes.iter().filter_map(|node| node.str_at("name"))));
    state.set("nodes", Value::List(nodes));
    if let (Some(tenant), Some(selection)) = (state.str_at("tenant_control_plane_id"), Selection::of(state)) {
        let id = id_of(tenant, &selection);
        state.set("id", id.into());
    }
}
