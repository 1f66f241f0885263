//! `kamaji_worker_join`: a bootstrap token in a tenant, and user data for machines that join with it.
//!
//! The machines depend on this resource, so it waits for none of them, and nothing that happens to the token later may
//! make a plan replace it: the user data of running machines hangs on it.

mod create;
mod delete;
mod ephemeral;
mod payload;
mod plan;
mod read;
pub mod renewal;
pub mod schema;
mod secret;
#[cfg(test)]
mod tests;
mod update;
mod validate;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tfplugin::identity::{IdentityAttribute, IdentitySchema};
use tfplugin::private::Private;
use tfplugin::resource::{
    ApplyRequest, ApplyResponse, Context, DeleteRequest, ImportResponse, Plan, PlanRequest, ReadRequest, ReadResponse,
    Resource, ValidateRequest,
};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::configured::Configured;
use crate::kamaji::names::is_dns1123_label;
use crate::managed_object::schema::timeout;
use crate::management_cluster::{ObjectRef, Operation};
use crate::tenant_cluster::reach::{Reach, is_another};
use crate::tenant_cluster::{Connect, over_the_network, reference};
pub use ephemeral::EphemeralWorkerJoin;
use plan::{Effects, hide};
use schema::SCHEMA;

/// Reads an id: the tenant, `namespace/name`, and the join.
pub(crate) fn parse_id(id: &str) -> Option<(&str, &str)> {
    let (tenant, join) = id.rsplit_once('/')?;
    (reference::parse(tenant).is_ok() && is_dns1123_label(join)).then_some((tenant, join))
}

/// The resource.
pub struct WorkerJoin {
    shared: Arc<Configured>,
    connect: Connect,
}

/// What is remembered beside the attributes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Memory {
    /// The UID of the control plane that the token was made in. Another one under the same name is another tenant.
    #[serde(default)]
    tenant_uid: String,
    /// True if the address is not the tenant's own.
    #[serde(default)]
    own_endpoint: bool,
    /// What the payloads say of the tenant; a refresh shows what the tenant says now.
    #[serde(default)]
    rendered: Option<Rendered>,
}

/// What payloads say of the tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
struct Rendered {
    endpoint: String,
    pins: Vec<String>,
}

impl Rendered {
    fn of(state: &Value) -> Self {
        let pins = state.get("ca_cert_hashes").as_list().unwrap_or_default();
        Self {
            endpoint: state.str_at("endpoint").unwrap_or_default().to_owned(),
            pins: pins.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }
}

impl Memory {
    /// True if the token was made in an older tenant of the same name.
    fn is_of_another(&self, uid: Option<&str>) -> bool {
        is_another(&self.tenant_uid, uid)
    }

    /// True if the tenant has another CA or address than the payloads say.
    fn is_outdated(&self, state: &Value) -> bool {
        self.rendered.as_ref().is_some_and(|rendered| *rendered != Rendered::of(state))
    }
}

/// The means to work on one join.
struct Scene {
    reach: Reach,
    operation: Operation,
    object: ObjectRef,
}

impl WorkerJoin {
    /// The resource in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared, connect: over_the_network() }
    }

    fn scene(&self, cx: &Context, value: &Value, operation: &str) -> Result<Scene, Diagnostic> {
        let object = reference::of(value)?;
        Ok(Scene {
            reach: Reach { cluster: self.shared.cluster()?, connect: Arc::clone(&self.connect) },
            operation: Operation::new(timeout(&SCHEMA, value, operation), &cx.stop),
            object,
        })
    }

    /// True if the control plane is known not to be the one that the token was made in. What cannot be asked now is no
    /// reason for a new token.
    async fn is_made_anew(&self, cx: &Context, planned: &Value, private: &Private) -> bool {
        let Ok(scene) = self.scene(cx, planned, "read") else { return false };
        let memory: Memory = private.read();
        scene.reach.is_made_anew(&scene.operation, &scene.object, &memory.tenant_uid).await
    }
}

#[async_trait]
impl Resource for WorkerJoin {
    fn type_name(&self) -> &'static str {
        "kamaji_worker_join"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    fn validate(&self, request: &ValidateRequest) -> Diagnostics {
        let mut found = validate::life(&request.config);
        found.extend(validate::token(&request.config));
        found.extend(validate::payload(&request.config));
        found
    }

    async fn plan(&self, cx: &Context, request: PlanRequest, mut plan: Plan) -> Plan {
        if plan.planned.is_null() {
            return plan;
        }
        if request.prior.is_null() {
            hide(&mut plan.planned);
            return plan;
        }
        let PlanRequest { prior, config, private } = request;
        let mut effects = Effects::of(&prior, &plan.planned, &config, &private.read());
        if let Some(why) = effects.new_token.filter(|_| effects.unasked) {
            plan.say(Diagnostic::warning(
                "A new bootstrap token is planned",
                format!("The token of {} is replaced: {why}.", subject(&prior)),
            ));
        }
        // The control plane is made anew, perhaps under the same name: the token dies with the old one. Core asks twice:
        // while the id is unknown, and when the new control plane is there and its id is the old one.
        let id = plan.planned.get("tenant_control_plane_id");
        if id.is_unknown() || self.is_made_anew(cx, &plan.planned, &private).await {
            effects.new_token = Some("the control plane is another one");
        }
        effects.mark(&mut plan.planned, &config);
        plan
    }

    async fn read(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        self.refresh(cx, request).await
    }

    async fn create(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        self.make(cx, request).await
    }

    async fn update(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        self.change(cx, request).await
    }

    async fn delete(&self, cx: &Context, request: DeleteRequest) -> Diagnostics {
        match self.revoke(cx, &request).await {
            Ok(diagnostics) => diagnostics,
            Err(diagnostic) => diagnostic.into(),
        }
    }

    async fn import(&self, _cx: &Context, _id: &str) -> ImportResponse {
        ImportResponse {
            state: Value::Null,
            private: Private::default(),
            diagnostics: Diagnostic::error(
                "Import of a join not possible",
                "A kamaji_worker_join makes its own token and takes over no other. Write the resource without an import: the \
                 apply makes a new token. Machines that have joined stay as they are.",
            )
            .into(),
        }
    }

    fn identity(&self) -> Option<&'static IdentitySchema> {
        Some(&IDENTITY)
    }
}

/// A join of a tenant, whichever token it has.
static IDENTITY: IdentitySchema = IdentitySchema {
    version: 0,
    attributes: &[
        reference::IDENTITY,
        IdentityAttribute { name: "join_id", optional: false, description: "What names the join." },
    ],
};

/// A join for messages: the tenant and the public part of the token.
fn subject(state: &Value) -> String {
    let text = |attribute: &str| state.str_at(attribute).unwrap_or("?");
    format!("{} ({})", text("tenant_control_plane_id"), text("token_id"))
}
