//! `kamaji_worker_join`: a bootstrap token in a tenant, and user data for machines that join with it.
//!
//! The machines depend on this resource, so it waits for none of them, and nothing that happens to the token later may
//! make a plan replace it: the user data of running machines hangs on it.

mod create;
mod delete;
mod payload;
mod read;
pub mod schema;
#[cfg(test)]
mod tests;
mod update;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tfplugin::private::Private;
use tfplugin::resource::{
    ApplyRequest, ApplyResponse, Context, DeleteRequest, ImportResponse, Plan, PlanRequest, ReadRequest, ReadResponse,
    Resource,
};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::configured::Configured;
use crate::kamaji::duration;
use crate::managed_object::schema::timeout;
use crate::management_cluster::{ObjectRef, Operation};
use crate::tenant_cluster::reach::Reach;
use crate::tenant_cluster::{Connect, over_the_network, reference};
use payload::{OF_THE_TOKEN, RENDERED};
use schema::SCHEMA;

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
}

impl Memory {
    /// True if the token was made in an older tenant of the same name.
    fn is_of_another(&self, uid: Option<&str>) -> bool {
        !self.tenant_uid.is_empty() && uid.is_some_and(|uid| uid != self.tenant_uid)
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
        let id = value.str_at("tenant_control_plane_id").unwrap_or_default();
        let object = reference::parse(id)
            .map_err(|problem| payload::diagnostic(problem).at(Path::of("tenant_control_plane_id")))?;
        Ok(Scene {
            reach: Reach { cluster: self.shared.cluster()?, connect: Arc::clone(&self.connect) },
            operation: Operation::new(timeout(&SCHEMA, value, operation), &cx.stop),
            object,
        })
    }
}

impl WorkerJoin {
    /// True if the control plane is known not to be the one that the token was made in. What cannot be asked now is no
    /// reason for a new token.
    async fn is_made_anew(&self, cx: &Context, planned: &Value, private: &Private) -> bool {
        let Ok(scene) = self.scene(cx, planned, "read") else { return false };
        let operation = scene.operation.patience(Duration::ZERO);
        match scene.reach.cluster.get(&operation, &scene.object).await {
            Ok(Some(found)) => private.read::<Memory>().is_of_another(found.metadata.uid.as_deref()),
            Ok(None) | Err(_) => false,
        }
    }
}

/// The configured time to live, or the default; [`None`] if it is unknown.
fn ttl(value: &Value) -> Option<Duration> {
    match value.get("ttl") {
        Value::Unknown => None,
        given => duration::parse(given.as_str().unwrap_or(schema::TTL)).ok(),
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

    /// The table replaces only what changes from one known value to another.
    async fn plan(&self, cx: &Context, request: PlanRequest, mut plan: Plan) -> Plan {
        if request.prior.is_null() || plan.planned.is_null() {
            return plan;
        }
        // The default is never stored, so from null to another value is a change, and to 24h is none.
        let (old, new) = (ttl(&request.prior), ttl(&plan.planned));
        let path = Path::of("ttl");
        if new.is_some() && old != new && !plan.requires_replace.contains(&path) {
            plan.say(
                Diagnostic::warning("The object will be replaced", "A changed ttl (24h by default) needs a new token.")
                    .at(path.clone()),
            );
            plan.requires_replace.push(path);
        }
        // The control plane is made anew, perhaps under the same name: the token dies with the old one. Core asks twice:
        // while the id is unknown, and when the new control plane is there and its id is the old one.
        let id = plan.planned.get("tenant_control_plane_id");
        if id.is_unknown() || self.is_made_anew(cx, &plan.planned, &request.private).await {
            for attribute in OF_THE_TOKEN.iter().chain(&RENDERED) {
                plan.planned.set(attribute, Value::Unknown);
            }
        }
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
}
