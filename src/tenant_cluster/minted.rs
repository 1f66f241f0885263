//! A credential of one run: a ServiceAccount in the tenant with the rights of a ClusterRole, and a token for it that is
//! valid as long as a Secret exists, the lease.
//!
//! A token says itself when it ends and cannot be prolonged, and a run does not take another one in its middle. So the
//! token is bound to the lease. The lease is a Secret of the type of bootstrap tokens, which can be used for nothing, but
//! has an end that can be moved: the tenant's controller manager removes it then, and with it the token becomes invalid.
//! Whoever crashes leaves a token that ends by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tfplugin::Diagnostic;

use super::{TenantCluster, random};
use crate::kamaji::bootstrap_token::{BootstrapToken, NAMESPACE, SECRET_TYPE, expiration_text};
use crate::management_cluster::{ApiError, Kind, ObjectRef, Operation, Propagation};

/// The label of everything that is made for a credential; its value tells the credentials apart.
pub const LABEL: &str = "terraform.kamaji.clastix.io/minted";

/// How long a token is valid at most, seconds, however often its lease is prolonged.
pub const LONGEST: u64 = 24 * 3_600;

/// How long an aggregated ClusterRole may be without rules. One that selects no others stays so.
const AGGREGATION: Duration = Duration::from_secs(60);

/// How often what comes late, a right or the rules of a role, is asked for again.
pub const AGAIN: Duration = Duration::from_secs(1);

/// How old a binding of a ServiceAccount that is not there must be to count as left behind.
const LEFT_BEHIND: SignedDuration = SignedDuration::from_mins(5);

/// The names of a credential.
#[derive(Clone, Debug)]
pub struct Names {
    /// What all objects of the credential are named after.
    id: String,
    /// The lease is named after this token, which nobody can use.
    lease: BootstrapToken,
}

impl Names {
    /// New ones.
    pub fn draw() -> Result<Self, Diagnostic> {
        Ok(Self { id: random::text(10)?, lease: random::token()? })
    }

    #[cfg(test)]
    pub(crate) fn of(id: &str, lease: &str) -> Self {
        Self { id: id.to_owned(), lease: lease.parse().unwrap() }
    }

    /// Name of the ServiceAccount and of the binding.
    pub fn account(&self) -> String {
        account(&self.id)
    }
}

fn account(id: &str) -> String {
    format!("terraform-{id}")
}

/// What has to be known of a credential to prolong and to revoke it. Nothing in it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Minted {
    /// What its objects are named after.
    pub id: String,
    /// Name of the lease.
    pub lease: String,
    /// UID of the lease.
    pub lease_uid: String,
    /// UID of the ServiceAccount.
    pub account_uid: String,
    /// UID of the ClusterRoleBinding.
    pub binding_uid: String,
}

impl Minted {
    /// True if nothing was made.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }

    fn lease(&self) -> ObjectRef {
        ObjectRef::namespaced(Kind::Secret, NAMESPACE, self.lease.as_str())
    }

    fn account(&self) -> ObjectRef {
        ObjectRef::namespaced(Kind::ServiceAccount, NAMESPACE, account(&self.id))
    }

    fn binding(&self) -> ObjectRef {
        ObjectRef::cluster(Kind::ClusterRoleBinding, account(&self.id))
    }
}

fn metadata(id: &str, name: &str) -> Json {
    json!({"name": name, "labels": {LABEL: id, "app.kubernetes.io/managed-by": "terraform-provider-kamaji"}})
}

/// The lease. It holds nothing that can be used: it has no usage.
fn lease(names: &Names, end: Timestamp, about: &str) -> Json {
    let mut metadata = metadata(&names.id, &names.lease.secret_name());
    metadata["namespace"] = NAMESPACE.into();
    json!({"metadata": metadata, "type": SECRET_TYPE, "stringData": {
        "token-id": names.lease.id(),
        "token-secret": names.lease.secret().expose_secret(),
        "expiration": expiration_text(end),
        "description": about,
    }})
}

impl TenantCluster {
    /// Makes a credential with the rights of a ClusterRole, valid until `end` unless it is prolonged. `made` says what
    /// there is to revoke, also where an error ends the making.
    pub async fn mint(
        &self,
        operation: &Operation,
        names: &Names,
        cluster_role: &str,
        end: Timestamp,
        field_manager: &str,
        made: &mut Minted,
    ) -> Result<SecretString, ApiError> {
        *made = Minted { id: names.id.clone(), lease: names.lease.secret_name(), ..Minted::default() };
        let about = format!("Lease of the credential {} of a Terraform run (kamaji_kubeconfig).", names.account());
        let manifest = lease(names, end, &about);
        let lease = self.api.create(operation, Kind::Secret, Some(NAMESPACE), &manifest, field_manager).await?;
        made.lease_uid = lease.object.metadata.uid.unwrap_or_default();
        let mut metadata = metadata(&names.id, &names.account());
        let mut owned = metadata.clone();
        // Goes with the lease.
        owned["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "Secret", "name": made.lease, "uid": made.lease_uid}]);
        let manifest = json!({"metadata": owned, "automountServiceAccountToken": false});
        let account =
            self.api.create(operation, Kind::ServiceAccount, Some(NAMESPACE), &manifest, field_manager).await?;
        made.account_uid = account.object.metadata.uid.unwrap_or_default();
        // What is cluster-wide cannot be owned by what is in a namespace.
        metadata["annotations"] = json!({"kubernetes.io/description": about});
        let manifest = json!({
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": cluster_role},
            "subjects": [{"kind": "ServiceAccount", "name": names.account(), "namespace": NAMESPACE}],
        });
        let binding = self.api.create(operation, Kind::ClusterRoleBinding, None, &manifest, field_manager).await?;
        made.binding_uid = binding.object.metadata.uid.unwrap_or_default();
        let bound = json!({"kind": "Secret", "apiVersion": "v1", "name": made.lease, "uid": made.lease_uid});
        self.api
            .token_of(operation, &made.account(), &json!({"expirationSeconds": LONGEST, "boundObjectRef": bound}))
            .await
    }

    /// Lets a credential live until `end`. [`ApiError::NotFound`] or [`ApiError::Conflict`] if it was revoked meanwhile.
    pub async fn prolong(
        &self,
        operation: &Operation,
        minted: &Minted,
        end: Timestamp,
        field_manager: &str,
    ) -> Result<(), ApiError> {
        self.move_end(operation, (&minted.lease, &minted.lease_uid), end, field_manager).await
    }

    /// Makes a credential invalid and removes what was made for it, as far as it is there.
    pub async fn unmint(&self, operation: &Operation, minted: &Minted) -> Result<(), ApiError> {
        // The rights first: what comes then makes the token itself invalid.
        let all = [
            (minted.binding(), &minted.binding_uid),
            (minted.lease(), &minted.lease_uid),
            (minted.account(), &minted.account_uid),
        ];
        let mut failed = Ok(());
        for (object, uid) in all.iter().filter(|(_, uid)| !uid.is_empty()) {
            if let Err(error) = self.api.delete(operation, object, uid, Propagation::Background).await {
                failed = Err(error);
            }
        }
        failed
    }

    /// Removes the bindings of credentials whose run has crashed: their lease has taken the ServiceAccount along, and has
    /// left a binding of nobody.
    pub async fn sweep(&self, operation: &Operation) -> Result<(), ApiError> {
        let labelled = |object: kube::api::DynamicObject| {
            let metadata = object.metadata;
            let id = metadata.labels.as_ref().and_then(|labels| labels.get(LABEL).cloned());
            let made = metadata.creation_timestamp.map(|time| time.0);
            Some((id?, metadata.name?, metadata.uid?, made?))
        };
        let bindings = self.api.list_kept(operation, Kind::ClusterRoleBinding, None, LABEL, labelled).await?;
        if bindings.is_empty() {
            return Ok(());
        }
        // After the bindings: a credential that is made meanwhile has its account before its binding.
        let accounts = self.api.list_kept(operation, Kind::ServiceAccount, Some(NAMESPACE), LABEL, labelled).await?;
        let alive: BTreeSet<String> = accounts.into_iter().flatten().map(|(id, ..)| id).collect();
        let long_ago = Timestamp::now().checked_sub(LEFT_BEHIND).unwrap_or(Timestamp::MIN);
        for (id, name, uid, made) in bindings.into_iter().flatten() {
            if !alive.contains(&id) && made < long_ago {
                let binding = ObjectRef::cluster(Kind::ClusterRoleBinding, name);
                self.api.delete(operation, &binding, &uid, Propagation::Background).await?;
            }
        }
        Ok(())
    }

    /// True if there is a ClusterRole of this name. One that is aggregated from others (`admin`, `edit`, `view`) has no
    /// rules until the tenant's controller manager has started: that is waited for, as long as [`AGGREGATION`].
    pub async fn has_cluster_role(&self, operation: &Operation, name: &str) -> Result<bool, ApiError> {
        let role = ObjectRef::cluster(Kind::ClusterRole, name);
        let mut left = AGGREGATION;
        loop {
            let Some(found) = self.api.get(operation, &role).await? else { return Ok(false) };
            let has_rules = found.data["rules"].as_array().is_some_and(|rules| !rules.is_empty());
            let is_early = found.data["aggregationRule"].is_object() && !has_rules;
            if !is_early || left.is_zero() || !operation.pause(AGAIN).await {
                return Ok(true);
            }
            left = left.saturating_sub(AGAIN);
        }
    }
}
