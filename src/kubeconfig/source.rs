//! Where a kubeconfig comes from: one of the two that Kamaji makes for its own use, or what a generator has made.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};
use tokio_util::sync::CancellationToken;

use super::schema::RESULTS;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::json_of;
use crate::management_cluster::{ManagementCluster, ObjectRef, Operation, REFRESH_PATIENCE};
use crate::tenant_cluster::kubeconfig::{AdminKubeconfig, User, generated, read};
use crate::tenant_cluster::reach::missing;
use crate::tenant_cluster::reference;

/// How long a new control plane may take to get its kubeconfig; Kamaji writes it some seconds after the address is
/// known.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked for.
const AGAIN: Duration = Duration::from_secs(1);

/// Whose kubeconfig.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// Of one of Kamaji's own users.
    Own(User),
    /// Of the generator with this name.
    Generator(&'a str),
}

impl<'a> Source<'a> {
    fn of(config: &'a Value) -> Self {
        match config.str_at("generator") {
            Some(name) => Self::Generator(name),
            None => Self::Own(User::named(config.str_at("user"))),
        }
    }

    async fn read(
        self,
        cluster: &ManagementCluster,
        operation: &Operation,
        live: &Json,
    ) -> Result<Option<AdminKubeconfig>, Diagnostic> {
        match self {
            Self::Own(user) => read(cluster, operation, live, &[user]).await,
            Self::Generator(name) => generated(cluster, operation, live, name).await,
        }
    }

    fn not_there(self, object: &ObjectRef) -> Diagnostic {
        match self {
            Self::Own(user) => Diagnostic::error(
                "Tenant has no kubeconfig yet",
                format!(
                    "Kamaji has not written {} for {object} yet. It does so once the control plane has an address: check \
                     its status (`kubectl get tenantcontrolplane`) and its Service.",
                    user.key()
                ),
            ),
            Self::Generator(name) => Diagnostic::error(
                "Generator has made no kubeconfig",
                format!(
                    "There is no Secret {}-{name} for {object}. The KubeconfigGenerator {name:?} must exist and select this \
                     control plane, and its controller must run (`kubeconfigGenerator.enabled=true` in Kamaji's chart).",
                    object.id()
                ),
            )
            .at(Path::of("generator")),
        }
    }
}

/// What is wrong with a configuration across its attributes.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let given: Vec<&str> =
        ["user", "generator", "minted"].into_iter().filter(|name| !config.get(name).is_null()).collect();
    let mut found = Diagnostics::new();
    if let [first, others @ ..] = given.as_slice() {
        for other in others {
            let detail = format!("`{first}` and `{other}` each choose a kubeconfig. Keep one of them.");
            found.push(Diagnostic::error("Kubeconfig chosen twice", detail).at(Path::of(other)));
        }
    }
    found
}

/// Finds the kubeconfig that a configuration asks for, and returns the configuration with the results. They are null, with
/// a warning, for a control plane on its way out.
pub(super) async fn find(
    cluster: &ManagementCluster,
    stop: &CancellationToken,
    config: &Value,
) -> Result<(Value, Diagnostics), Diagnostic> {
    let object = reference::of(config)?;
    let source = Source::of(config);
    let operation = Operation::new(LIMIT, stop).patience(REFRESH_PATIENCE);
    loop {
        let found = cluster.get(&operation, &object).await;
        let found = found.map_err(|error| error.to_diagnostic(&format!("read {object}")))?;
        let live = json_of(&found.ok_or_else(|| missing(&object))?);
        if let Some(found) = source.read(cluster, &operation, &live).await? {
            return Ok((filled(config, &found), Diagnostics::new()));
        }
        if View::new(&live).deleting() {
            return Ok((empty(config), going(&object).into()));
        }
        if operation.remaining() <= AGAIN {
            return Err(source.not_there(&object));
        }
        if !operation.pause(AGAIN).await {
            let detail = format!("The kubeconfig of {object} was not there yet.");
            return Err(Diagnostic::error("Interrupted while waiting", detail));
        }
    }
}

/// The control plane and what was in it are on their way out.
pub(super) fn going(object: &ObjectRef) -> Diagnostic {
    Diagnostic::warning(
        "Control plane is being deleted",
        format!(
            "{object} is being deleted and its kubeconfig is gone already: the results are null. Objects inside the tenant \
             went with it; if a destroy is stuck on them, take them out of the state (`terraform state rm`)."
        ),
    )
}

/// A configuration with null for all results.
pub(super) fn empty(config: &Value) -> Value {
    let mut result = config.clone();
    for attribute in RESULTS {
        result.set(attribute, Value::Null);
    }
    result
}

/// A configuration with the results.
pub(super) fn filled(config: &Value, found: &AdminKubeconfig) -> Value {
    let AdminKubeconfig { text, parsed } = found;
    let mut result = empty(config);
    result.set("kubeconfig", text.expose_secret().into());
    result.set("host", parsed.server.as_str().into());
    result.set("cluster_ca_certificate", parsed.ca_pem.as_str().into());
    result.set("client_certificate", parsed.client_certificate_pem.as_deref().into());
    result.set("client_key", parsed.client_key_pem.as_ref().map(|key| key.expose_secret().to_owned()).into());
    result.set("token", parsed.token.as_ref().map(|token| token.expose_secret().to_owned()).into());
    result
}
