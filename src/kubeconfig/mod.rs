//! The ephemeral resource `kamaji_kubeconfig`: the admin kubeconfig of a tenant, stored nowhere.

mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use tfplugin::ephemeral::{EphemeralResource, Opened};
use tfplugin::private::Private;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::configured::Configured;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::Operation;
use crate::management_cluster::json_of;
use crate::tenant_cluster::kubeconfig::{AdminKubeconfig, User, read};
use crate::tenant_cluster::reach::missing;
use crate::tenant_cluster::reference;
use schema::{RESULTS, SCHEMA};

/// How long a new control plane may take to get its kubeconfig; Kamaji writes it some seconds after the address is
/// known.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked for.
const AGAIN: Duration = Duration::from_secs(1);

/// The ephemeral resource.
pub struct Kubeconfig {
    shared: Arc<Configured>,
}

impl Kubeconfig {
    /// The ephemeral resource in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared }
    }

    async fn find(&self, cx: &Context, config: &Value) -> Result<(Value, Diagnostics), Diagnostic> {
        let id = config.str_at("tenant_control_plane_id").unwrap_or_default();
        let object = reference::parse(id).map_err(|problem| {
            Diagnostic::error(problem.summary, problem.detail).at(Path::of("tenant_control_plane_id"))
        })?;
        let cluster = self.shared.cluster()?;
        let operation = Operation::new(LIMIT, &cx.stop);
        let user = User::named(config.str_at("user"));
        loop {
            let found = cluster.get(&operation, &object).await;
            let found = found.map_err(|error| error.to_diagnostic(&format!("read {object}")))?;
            let live = json_of(&found.ok_or_else(|| missing(&object))?);
            if let Some(admin) = read(&cluster, &operation, &live, &[user]).await? {
                return Ok((filled(config, &admin), Diagnostics::new()));
            }
            if View::new(&live).deleting() {
                return Ok((empty(config), Diagnostic::warning(
                    "Control plane is being deleted",
                    format!(
                        "{object} is being deleted and its kubeconfig is gone already: the results of this ephemeral resource \
                         are null. Objects inside the tenant went with it; if a destroy is stuck on them, take them out of the \
                         state (`terraform state rm`)."
                    ),
                ).into()));
            }
            if operation.remaining() <= AGAIN {
                return Err(Diagnostic::error(
                    "Tenant has no kubeconfig yet",
                    format!(
                        "Kamaji has not written {} for {object} yet. It does so once the control plane has an address: check \
                         its status (`kubectl get tenantcontrolplane`) and its Service.",
                        user.key()
                    ),
                ));
            }
            if !operation.pause(AGAIN).await {
                let detail = format!("The kubeconfig of {object} was not there yet.");
                return Err(Diagnostic::error("Interrupted while waiting", detail));
            }
        }
    }
}

fn empty(config: &Value) -> Value {
    let mut result = config.clone();
    for attribute in RESULTS {
        result.set(attribute, Value::Null);
    }
    result
}

fn filled(config: &Value, admin: &AdminKubeconfig) -> Value {
    let AdminKubeconfig { text, parsed } = admin;
    let mut result = config.clone();
    result.set("kubeconfig", text.expose_secret().into());
    result.set("host", parsed.server.as_str().into());
    result.set("cluster_ca_certificate", parsed.ca_pem.as_str().into());
    result.set("client_certificate", parsed.client_certificate_pem.as_deref().into());
    result.set("client_key", parsed.client_key_pem.as_ref().map(|key| key.expose_secret().to_owned()).into());
    result
}

#[async_trait]
impl EphemeralResource for Kubeconfig {
    fn type_name(&self) -> &'static str {
        "kamaji_kubeconfig"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    async fn open(&self, cx: &Context, config: Value) -> Result<Opened, Diagnostics> {
        let (result, diagnostics) = self.find(cx, &config).await?;
        Ok(Opened { result, renew_at: None, private: Private::default(), diagnostics })
    }
}
