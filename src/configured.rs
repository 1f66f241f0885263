//! What the objects of the provider share: the management cluster and how to speak to it. The provider block sets it.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use tfplugin::{Diagnostic, Diagnostics};

use crate::management_cluster::{ManagementCluster, ObjectRef};

/// Who owns the fields that this provider writes, unless the configuration says otherwise.
pub const FIELD_MANAGER: &str = "terraform-provider-kamaji";

/// The configuration of the provider. [`Configured::replace`] replaces it as a whole: a process that a developer
/// reattaches to is configured again for each command.
#[derive(Default)]
pub struct Configured(RwLock<State>);

#[derive(Default)]
struct State {
    cluster: Cluster,
    offline: bool,
    field_manager: Option<String>,
    said: BTreeSet<&'static str>,
}

/// Whether there is a management cluster to be asked.
#[derive(Default)]
pub enum Cluster {
    /// `ConfigureProvider` was not called.
    #[default]
    NotConfigured,
    /// These arguments of the provider block are not known before apply.
    Unknown(Vec<&'static str>),
    /// Cannot be used, for this reason.
    Refused(Box<Diagnostic>),
    /// Ready to be asked; nothing has been sent yet.
    Ready(ManagementCluster),
}

impl Configured {
    /// Takes a new configuration; what was said before may be said again.
    pub fn replace(&self, cluster: Cluster, offline: bool, field_manager: Option<String>) {
        let state = State { cluster, offline, field_manager, said: BTreeSet::new() };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Configured with a cluster of one's own.
    #[cfg(test)]
    pub(crate) fn of(cluster: ManagementCluster) -> Self {
        Self(RwLock::new(State { cluster: Cluster::Ready(cluster), ..State::default() }))
    }

    /// The management cluster.
    pub fn cluster(&self) -> Result<ManagementCluster, Diagnostic> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if state.offline {
            return Err(Diagnostic::error(
                "Provider is offline",
                "The provider block has `offline = true`, so the management cluster is not asked. Remove it to apply.",
            ));
        }
        match &state.cluster {
            Cluster::Ready(cluster) => Ok(cluster.clone()),
            Cluster::Refused(diagnostic) => Err((**diagnostic).clone()),
            Cluster::Unknown(names) => Err(Diagnostic::error(
                "Management cluster not known yet",
                format!(
                    "{} in the provider block is known only after apply. Apply what it comes from first (`-target`), or \
                     configure the provider with values that are known at plan.",
                    names.join(", ")
                ),
            )),
            Cluster::NotConfigured => Err(Diagnostic::error(
                "Provider is not configured",
                "Terraform has not configured the provider. This is a bug in the provider or in Terraform; please report it.",
            )),
        }
    }

    /// Why plans go on without the cluster; [`None`] if it is there to be asked.
    pub fn offline_reason(&self) -> Option<&'static str> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match state.cluster {
            _ if state.offline => Some("The provider block has `offline = true`."),
            Cluster::Unknown(_) => Some("An argument of the provider block is known only after apply."),
            _ => None,
        }
    }

    /// Our field manager.
    pub fn field_manager(&self) -> String {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.field_manager.clone().unwrap_or_else(|| FIELD_MANAGER.to_owned())
    }

    /// A diagnostic that is worth saying once a run, however many objects it concerns.
    pub fn once(&self, what: &'static str, diagnostic: Diagnostic) -> Diagnostics {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if state.said.insert(what) { diagnostic.into() } else { Diagnostics::new() }
    }

    /// A nonce for the create of an object: not to be guessed, and another one each time.
    pub fn nonce(&self, object: &ObjectRef) -> String {
        let random = std::array::from_fn::<u64, 2, _>(|_| fastrand::u64(..));
        crate::kamaji::certificate::sha256_hex(format!("{object} {random:?}").as_bytes()).chars().take(32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_said_once_a_configuration() {
        let configured = Configured::default();
        let warning = || Diagnostic::warning("a", "b");
        assert!(!configured.once("x", warning()).is_empty());
        assert!(configured.once("x", warning()).is_empty());
        configured.replace(Cluster::NotConfigured, false, None);
        assert!(!configured.once("x", warning()).is_empty());
    }
}
