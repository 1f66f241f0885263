//! `kamaji_worker`: one machine that joins a tenant by SSH.
//!
//! The state is saved before the machine is changed. A create that fails after that leaves a tainted object, whose destroy
//! drains and resets as any other: so nothing that a join can leave behind needs a way of its own.

mod create;
mod delete;
mod machine;
mod plan;
mod preflight;
mod probe;
mod read;
pub mod schema;
#[cfg(test)]
mod tests;
mod update;

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
use tfplugin::schema::{Problem, Schema};
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::configured::{Configured, Settings};
use crate::kamaji::names::is_dns1123_subdomain;
use crate::managed_object::schema::timeout;
use crate::management_cluster::{ObjectRef, Operation};
use crate::nodes::shown;
use crate::ssh::{Route, Session, SshError};
use crate::tenant_cluster::reach::{Reach, is_another};
use crate::tenant_cluster::{Connect, node, over_the_network, reference};
use schema::SCHEMA;

/// The resource.
pub struct Worker {
    shared: Arc<Configured>,
    connect: Connect,
}

/// What is remembered beside the attributes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Memory {
    /// The UID of the control plane that the machine has joined. Another one under the same name is another tenant.
    #[serde(default)]
    tenant_uid: String,
}

impl Memory {
    fn is_of_another(&self, uid: Option<&str>) -> bool {
        is_another(&self.tenant_uid, uid)
    }
}

/// The means to work on one machine and its node.
struct Scene {
    reach: Reach,
    operation: Operation,
    object: ObjectRef,
    settings: Arc<Settings>,
    field_manager: String,
}

impl Scene {
    /// Logs in on the machine of an object, trying again for as long as `patience`.
    async fn log_in(&self, object: &Value, patience: std::time::Duration) -> Result<(Session, Route), SshError> {
        let Some(route) = self.settings.ssh.route(object) else {
            let why = "the state does not say how the machine is reached; apply the configuration first".to_owned();
            return Err(SshError::Credentials { why });
        };
        let session = Session::open(&self.operation, &self.settings.ssh, &route, patience).await?;
        Ok((session, route))
    }
}

impl Worker {
    /// The resource in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared, connect: over_the_network() }
    }

    /// With tenants reached in another way than over the network.
    #[cfg(test)]
    fn with(shared: Arc<Configured>, connect: Connect) -> Self {
        Self { shared, connect }
    }

    fn scene(&self, cx: &Context, value: &Value, operation: &str) -> Result<Scene, Diagnostic> {
        let object = reference::of(value)?;
        Ok(Scene {
            reach: Reach { cluster: self.shared.cluster()?, connect: Arc::clone(&self.connect) },
            operation: Operation::new(timeout(&SCHEMA, value, operation), &cx.stop),
            object,
            settings: self.shared.settings(),
            field_manager: self.shared.field_manager(),
        })
    }
}

#[async_trait]
impl Resource for Worker {
    fn type_name(&self) -> &'static str {
        "kamaji_worker"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    fn validate(&self, request: &ValidateRequest) -> Diagnostics {
        plan::validate(&request.config)
    }

    async fn plan(&self, cx: &Context, request: PlanRequest, plan: Plan) -> Plan {
        self.refine(cx, request, plan).await
    }

    async fn read(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        self.refresh(cx, request).await
    }

    async fn create(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        self.join(cx, request).await
    }

    async fn update(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        self.change(cx, request).await
    }

    async fn delete(&self, cx: &Context, request: DeleteRequest) -> Diagnostics {
        match self.remove(cx, &request).await {
            Ok(diagnostics) => diagnostics,
            Err(diagnostic) => diagnostic.into(),
        }
    }

    async fn import(&self, _cx: &Context, id: &str) -> ImportResponse {
        let mut state = SCHEMA.null_object();
        let mut diagnostics = Diagnostics::new();
        match parse_id(id) {
            Ok((tenant, node)) => {
                state.set("id", id.into());
                state.set("tenant_control_plane_id", tenant.into());
                state.set("node_name", node.into());
            }
            Err(problem) => {
                state = Value::Null;
                diagnostics.push(diagnostic(problem));
            }
        }
        ImportResponse { state, private: Private::default(), diagnostics }
    }

    fn identity(&self) -> Option<&'static IdentitySchema> {
        Some(&IDENTITY)
    }

    async fn import_identity(&self, cx: &Context, identity: &Value) -> ImportResponse {
        let text = |attribute| identity.str_at(attribute).unwrap_or_default();
        self.import(cx, &format!("{}#{}", text("tenant_control_plane_id"), text("node_name"))).await
    }
}

/// A node of a tenant.
static IDENTITY: IdentitySchema = IdentitySchema {
    version: 0,
    attributes: &[
        reference::IDENTITY,
        IdentityAttribute { name: "node_name", optional: false, description: "Name of the node." },
    ],
};

/// Reads `namespace/name#node`.
pub(crate) fn parse_id(id: &str) -> Result<(&str, &str), Problem> {
    match id.split_once('#') {
        Some((tenant, node)) if reference::parse(tenant).is_ok() && is_dns1123_subdomain(node) => Ok((tenant, node)),
        _ => Err(Problem::new(
            "Not the id of a worker",
            format!(
                "{id:?} is not of the form \"namespace/name#node\": the namespace and name of the control plane, and the name of \
                 the node as `kubectl get nodes` shows it."
            ),
        )),
    }
}

fn diagnostic(problem: Problem) -> Diagnostic {
    Diagnostic::error(problem.summary, problem.detail)
}

/// Notes what a Node says of itself.
fn note(state: &mut Value, live: &Json) {
    let seen = shown(live);
    state.set("node_uid", seen.get("uid").clone());
    state.set("kubelet_version", seen.get("kubelet_version").clone());
    let addresses = seen.get("addresses").as_list().unwrap_or_default();
    state.set("addresses", Value::strings(addresses.iter().filter_map(|each| each.str_at("address"))));
    state.set("ready", node::is_ready(live).into());
    if state.get("machine_id").is_null() {
        state.set("machine_id", node::machine_id(live).into());
    }
}

/// True if a Node is that of the machine with this id, as far as both say.
fn is_of_machine(live: &Json, machine_id: Option<&str>) -> bool {
    match (node::machine_id(live), machine_id) {
        (Some(its), Some(known)) => its == known,
        _ => true,
    }
}

/// True if a taint of a Node is that of a configuration: the value does not tell taints apart.
fn is_taint(ours: &Value, live: &Json) -> bool {
    ["key", "effect"].iter().all(|field| live[*field].as_str() == ours.str_at(field))
}
