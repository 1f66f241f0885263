//! What the objects of the provider share: the management cluster and how to speak to it. The provider block sets it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tfplugin::{Diagnostic, Diagnostics};
use tokio::sync::{OnceCell, watch};

use crate::kamaji::metadata::MetadataRules;
use crate::management_cluster::{ApiError, Kind, ManagementCluster, ObjectRef, Operation};

/// Who owns the fields that this provider writes, unless the configuration says otherwise.
pub const FIELD_MANAGER: &str = "terraform-provider-kamaji";

/// What restarts write belongs to our field manager with a hyphen and this word.
pub const RESTARTS: &str = "restart";
/// The same for pauses.
pub const PAUSES: &str = "pause";

/// True for the field manager of an action beside this one: what it wrote is nobody's configuration.
pub fn is_of_an_action(manager: &str, field_manager: &str) -> bool {
    let word = manager.strip_prefix(field_manager).and_then(|rest| rest.strip_prefix('-'));
    word.is_some_and(|word| [RESTARTS, PAUSES].contains(&word))
}

/// The configuration of the provider. [`Configured::replace`] replaces it as a whole: a process that a developer
/// reattaches to is configured again for each command.
#[derive(Default)]
pub struct Configured(RwLock<State>);

#[derive(Default)]
struct State {
    cluster: Cluster,
    settings: Arc<Settings>,
    /// UID of the management cluster, asked once; [`None`] inside if it may not be seen.
    uid: Arc<OnceCell<Option<String>>>,
    said: BTreeSet<String>,
    /// The objects that plans of this run delete.
    going: watch::Sender<BTreeSet<ObjectRef>>,
    /// The nodes that plans of this run take out of their tenants.
    leaving: BTreeSet<(ObjectRef, String)>,
}

/// What the provider block says beside the cluster.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// No request is to be made.
    pub offline: bool,
    /// Our field manager; [`FIELD_MANAGER`] by default.
    pub field_manager: Option<String>,
    /// Plans are made without a dry-run, with what the provider knows.
    pub without_dry_run: bool,
    /// Networks, addresses and names of a tenant are compared with those of the other tenants.
    pub check_overlaps: bool,
    /// Labels and annotations of all objects.
    pub metadata: MetadataRules,
    /// How machines are reached.
    pub ssh: crate::ssh::Settings,
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
    pub fn replace(&self, cluster: Cluster, settings: Settings) {
        let state = State { cluster, settings: Arc::new(settings), ..State::default() };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Configured with a cluster of one's own, whose UID nobody may see.
    #[cfg(test)]
    pub(crate) fn of(cluster: ManagementCluster) -> Self {
        Self::with(cluster, None, Settings::default())
    }

    /// Configured with a cluster of one's own, which has this UID.
    #[cfg(test)]
    pub(crate) fn with(cluster: ManagementCluster, uid: Option<&str>, settings: Settings) -> Self {
        let uid = Arc::new(OnceCell::new_with(Some(uid.map(str::to_owned))));
        Self(RwLock::new(State {
            cluster: Cluster::Ready(cluster),
            settings: Arc::new(settings),
            uid,
            ..State::default()
        }))
    }

    /// UID of the management cluster, which is that of its namespace kube-system: the same for as long as the cluster's
    /// data lives. One request a run; [`None`] if the cluster does not answer or does not let us see it.
    pub async fn cluster_uid(&self, cluster: &ManagementCluster, operation: &Operation) -> Option<String> {
        let cell = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).uid);
        let ask = || async {
            let kube_system = ObjectRef::cluster(Kind::Namespace, "kube-system");
            match cluster.get(operation, &kube_system).await {
                Ok(found) => Ok(found.and_then(|namespace| namespace.metadata.uid)),
                // The answer will be the same for all objects of the run.
                Err(ApiError::Forbidden { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        match cell.get_or_try_init(ask).await {
            Ok(uid) => uid.clone(),
            Err(error) => {
                tracing::info!(%error, "the UID of the management cluster is not known");
                None
            }
        }
    }

    /// What the provider block says beside the cluster.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).settings)
    }

    /// What the provider block says about labels and annotations.
    pub fn metadata(&self) -> MetadataRules {
        self.settings().metadata.clone()
    }

    /// The management cluster.
    pub fn cluster(&self) -> Result<ManagementCluster, Diagnostic> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if state.settings.offline {
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
            _ if state.settings.offline => Some("The provider block has `offline = true`."),
            Cluster::Unknown(_) => Some("An argument of the provider block is known only after apply."),
            _ => None,
        }
    }

    /// True if an argument of the provider block is not known yet without which the cluster cannot be asked. Who plans
    /// offline does not want to ask it.
    pub fn is_unknown(&self) -> bool {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !state.settings.offline && matches!(state.cluster, Cluster::Unknown(_))
    }

    /// What a refresh says, once a run, where the management cluster is not to be asked; [`None`] where it is.
    pub fn not_refreshed(&self) -> Option<Diagnostics> {
        let warning = Diagnostic::warning(
            "State not refreshed",
            format!("{} The objects are shown as they were at the last refresh.", self.offline_reason()?),
        );
        Some(self.once("offline", warning))
    }

    /// Our field manager.
    pub fn field_manager(&self) -> String {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.settings.field_manager.clone().unwrap_or_else(|| FIELD_MANAGER.to_owned())
    }

    /// A diagnostic that is worth saying once a run, however many objects it concerns.
    pub fn once(&self, what: impl Into<String>, diagnostic: Diagnostic) -> Diagnostics {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if state.said.insert(what.into()) { diagnostic.into() } else { Diagnostics::new() }
    }

    /// A plan of this run deletes an object.
    pub fn will_go(&self, object: ObjectRef) {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.going.send_if_modified(|going| going.insert(object));
    }

    /// A plan of this run takes a node out of its tenant. Plans of a destroy come in the order of the destroy: what depends
    /// on the control plane before it.
    pub fn will_leave(&self, tenant: &ObjectRef, node: &str) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.leaving.insert((tenant.clone(), node.to_owned()));
    }

    /// True if a plan of this run takes the node out of the tenant.
    pub fn is_leaving(&self, tenant: &ObjectRef, node: &str) -> bool {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.leaving.contains(&(tenant.clone(), node.to_owned()))
    }

    /// Which of these objects no plan of this run deletes. Waits a moment for plans that are being made at the same time.
    pub async fn staying(&self, objects: &[ObjectRef]) -> Vec<ObjectRef> {
        const MOMENT: Duration = Duration::from_secs(3);
        let mut going = self.0.read().unwrap_or_else(PoisonError::into_inner).going.subscribe();
        let all = going.wait_for(|going| objects.iter().all(|object| going.contains(object)));
        let _ = tokio::time::timeout(MOMENT, all).await;
        let going = going.borrow();
        objects.iter().filter(|object| !going.contains(object)).cloned().collect()
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

    #[tokio::test(start_paused = true)]
    async fn what_is_deleted_in_the_same_plan_does_not_stay() {
        let configured = Arc::new(Configured::default());
        let object = |name: &str| ObjectRef::namespaced(Kind::TenantControlPlane, "t", name);
        configured.will_go(object("a"));
        assert_eq!(configured.staying(&[object("a"), object("b")]).await, [object("b")]);
        let later = Arc::clone(&configured);
        tokio::spawn(async move { later.will_go(ObjectRef::namespaced(Kind::TenantControlPlane, "t", "b")) });
        assert_eq!(configured.staying(&[object("a"), object("b")]).await, []);
    }

    #[test]
    fn what_was_said_is_said_once_a_configuration() {
        let configured = Configured::default();
        let warning = || Diagnostic::warning("a", "b");
        assert!(!configured.once("x", warning()).is_empty());
        assert!(configured.once("x", warning()).is_empty());
        configured.replace(Cluster::NotConfigured, Settings::default());
        assert!(!configured.once("x", warning()).is_empty());
    }
}
