//! The bootstrap token out of kubeadm's documentation, which Kamaji before edge-25.3.1 leaves in tenants: finding it,
//! removing it, and saying so.

use std::time::Duration;

use tfplugin::schema::{Attribute, boolean};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::TenantCluster;
use crate::management_cluster::{ObjectRef, Operation};

/// The longest that a tenant is asked. A machine that joins with the token is quicker than any retry.
pub const QUESTION: Duration = Duration::from_secs(10);

/// `remove_public_token`, by default true.
pub fn attribute() -> Attribute {
    boolean("remove_public_token").default("true").doc(
        "Whether an apply removes the bootstrap token of kubeadm's documentation from the tenant: Kamaji before edge-25.3.1 \
         leaves it valid for a day in every new tenant, and again after each upgrade. With it anybody who reaches the API \
         can join a node. If the tenant cannot be reached from where Terraform runs, the token is not looked for.",
    )
}

/// True unless the configuration says otherwise.
pub fn is_unwanted(value: &Value) -> bool {
    value.get("remove_public_token").as_bool() != Some(false)
}

impl TenantCluster {
    /// Removes the publicly known token of a tenant, with a warning if it was there. That it cannot be looked for is no
    /// reason to fail: whatever is being done does not need it gone.
    pub async fn without_public_token(&self, operation: &Operation, tenant: &ObjectRef) -> Diagnostics {
        match self.remove_public_token(operation).await {
            Ok(true) => removed(tenant).into(),
            Ok(false) => Diagnostics::new(),
            Err(error) => {
                tracing::info!(%tenant, %error, "the publicly known token was not looked for");
                Diagnostics::new()
            }
        }
    }
}

fn removed(tenant: &ObjectRef) -> Diagnostic {
    Diagnostic::warning(
        "Publicly known token removed",
        format!(
            "{tenant} held the bootstrap token of kubeadm's documentation, which Kamaji before edge-25.3.1 leaves in tenants \
             for a day: with it anybody who reaches the API can join a node. It was removed. Look for nodes that you do not \
             know. (`remove_public_token = false` keeps the token.)"
        ),
    )
}
