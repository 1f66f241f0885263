//! The API of one tenant, reached with the admin kubeconfig that Kamaji keeps in the management cluster.
//!
//! [`reach`] finds the control plane, reads its kubeconfig and asks its API; [`TenantCluster`] is the API once it
//! answers.

mod admission;
pub mod bootstrap_token;
pub mod drain;
pub mod inquiry;
pub mod kubeconfig;
pub mod lease;
pub mod minted;
pub mod node;
pub mod nodes;
pub mod public_token;
pub mod random;
pub mod reach;
pub mod reference;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use secrecy::SecretString;
use tfplugin::Diagnostic;

use crate::management_cluster::config::{Credentials, Source, load};
use crate::management_cluster::{ApiError, ManagementCluster, ObjectRef, Operation};

/// The API of a tenant. Cheap to clone.
#[derive(Clone)]
pub struct TenantCluster {
    api: ManagementCluster,
}

/// Makes a client of the text of a kubeconfig; tests put a scripted API in its place. Makes no connection.
pub type Connect = Arc<dyn Fn(&SecretString) -> Result<ManagementCluster, Diagnostic> + Send + Sync>;

/// A client over the network, through the proxy that the environment names, if it names one.
pub fn over_the_network() -> Connect {
    Arc::new(|kubeconfig| {
        let credentials = Credentials::new(Source::Text { kubeconfig: kubeconfig.clone(), context: None });
        match load(&credentials, &|name| std::env::var(name).ok()) {
            Ok(config) => Ok(ManagementCluster::of_tenant(config)),
            Err(error) => Err(Diagnostic::error(
                "Kubeconfig of tenant not usable",
                format!("The kubeconfig that Kamaji keeps for the tenant cannot be used: {error}"),
            )),
        }
    })
}

impl TenantCluster {
    /// The tenant behind a client.
    pub fn new(api: ManagementCluster) -> Self {
        Self { api }
    }

    /// A diagnostic about a request that the tenant did not carry out. `doing` completes "Failed to …".
    pub fn diagnostic(&self, error: &ApiError, doing: &str) -> Diagnostic {
        if error.is_unreachable() {
            return Diagnostic::error(
                "Tenant API not reachable",
                format!(
                    "Failed to {doing}: {error}.\n\nThe tenant's API at {} must be reachable from where Terraform runs: check \
                     the Service of the control plane, firewalls and proxies.",
                    self.api.host()
                ),
            );
        }
        Diagnostic::error("Refused by the tenant's API", format!("Failed to {doing}: {error}."))
    }
}

/// Waits until the tenant's API answers from here.
pub async fn wait_until_answers(
    cluster: &ManagementCluster,
    operation: &Operation,
    object: &ObjectRef,
) -> Result<(), Diagnostic> {
    let reach = reach::Reach { cluster: cluster.clone(), connect: over_the_network() };
    reach.wait(operation, object, reach::For::Api).await.map(|_| ())
}
