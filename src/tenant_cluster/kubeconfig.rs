//! The kubeconfigs that Kamaji keeps for a tenant, in a Secret of the management cluster.

use secrecy::SecretString;
use serde_json::Value as Json;
use tfplugin::Diagnostic;

use crate::kamaji::kubeconfig::Kubeconfig;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::{ManagementCluster, Operation};

/// A kubeconfig out of the Secret.
#[derive(Clone, Debug)]
pub struct AdminKubeconfig {
    /// YAML, as Kamaji wrote it.
    pub text: SecretString,
    /// The same, taken apart.
    pub parsed: Kubeconfig,
}

/// Who a kubeconfig is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum User {
    /// `kubernetes-admin`, whom a binding inside the tenant makes cluster-admin: some seconds after the API answers,
    /// and as long as the binding is there.
    Admin,
    /// `kubernetes-super-admin`, of `system:masters`: may do everything from the first moment.
    #[default]
    SuperAdmin,
}

impl User {
    /// Their names in a configuration.
    pub const WORDS: &'static [&'static str] = &["admin", "super-admin"];

    /// By its name in a configuration; what is no name is the default.
    pub fn named(word: Option<&str>) -> Self {
        if word == Some("admin") { Self::Admin } else { Self::SuperAdmin }
    }

    /// The key in the Secret whose server is the one outside the management cluster.
    pub fn key(self) -> &'static str {
        match self {
            Self::Admin => "admin.conf",
            Self::SuperAdmin => "super-admin.conf",
        }
    }
}

/// Reads the kubeconfig of the first of `users` that the Secret of a control plane has; [`None`] while Kamaji has not
/// written it.
pub async fn read(
    cluster: &ManagementCluster,
    operation: &Operation,
    live: &Json,
    users: &[User],
) -> Result<Option<AdminKubeconfig>, Diagnostic> {
    let view = View::new(live);
    let (namespace, Some(name)) = (view.namespace(), view.admin_kubeconfig_secret()) else { return Ok(None) };
    let keys: Vec<_> = users.iter().map(|user| user.key()).collect();
    read_secret(cluster, operation, namespace, name, &keys).await
}

/// Reads the kubeconfig that a generator has made for a control plane; [`None`] while there is none.
pub async fn generated(
    cluster: &ManagementCluster,
    operation: &Operation,
    live: &Json,
    generator: &str,
) -> Result<Option<AdminKubeconfig>, Diagnostic> {
    let view = View::new(live);
    read_secret(cluster, operation, view.namespace(), &format!("{}-{generator}", view.name()), &["value"]).await
}

/// The kubeconfig under the first of these keys that a Secret has.
async fn read_secret(
    cluster: &ManagementCluster,
    operation: &Operation,
    namespace: &str,
    name: &str,
    keys: &[&str],
) -> Result<Option<AdminKubeconfig>, Diagnostic> {
    let secret = cluster.secret(operation, namespace, name).await;
    let secret = secret.map_err(|error| error.to_diagnostic(&format!("read the Secret {namespace}/{name}")))?;
    let Some((key, bytes)) = secret
        .as_ref()
        .and_then(|secret| keys.iter().find_map(|key| Some((key, secret.get(key).filter(|bytes| !bytes.is_empty())?))))
    else {
        return Ok(None);
    };
    let broken = |why: &str| {
        let detail = format!(
            "Key {key} of Secret {namespace}/{name}: {why} Delete the Secret; Kamaji writes it anew, with new credentials."
        );
        Diagnostic::error("Kubeconfig of tenant not usable", detail)
    };
    let text = std::str::from_utf8(bytes).map_err(|_| broken("It is not text."))?;
    let parsed = Kubeconfig::parse(text).map_err(|problem| broken(&problem.detail))?;
    Ok(Some(AdminKubeconfig { text: text.to_owned().into(), parsed }))
}
