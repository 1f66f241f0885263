//! Bootstrap tokens in a tenant.

use std::time::Duration;

use tfplugin::schema::Problem;

use super::TenantCluster;
use crate::kamaji::bootstrap_token::{BootstrapToken, Found, NAMESPACE, Terms, read_secret, secret_object};
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{WaitEnded, wait_until};
use crate::management_cluster::{ApiError, Kind, ObjectRef, Operation, Propagation};

/// How long the signature of a new token may take. Joining machines wait for five minutes themselves.
const SIGNATURE: Duration = Duration::from_secs(60);

/// A token Secret in the tenant.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The UID of the Secret.
    uid: String,
    /// What it holds.
    pub found: Result<Found, Problem>,
}

impl Stored {
    /// True if it holds this very token.
    fn holds(&self, token: &BootstrapToken) -> bool {
        use secrecy::ExposeSecret as _;
        let same = |found: &Found| found.token.token().expose_secret() == token.token().expose_secret();
        self.found.as_ref().is_ok_and(same)
    }
}

fn secret(name: String) -> ObjectRef {
    ObjectRef::namespaced(Kind::Secret, NAMESPACE, name)
}

impl TenantCluster {
    /// Asks whether the API is ready to serve.
    pub async fn answers(&self, operation: &Operation) -> Result<(), ApiError> {
        self.api.ready(operation).await
    }

    /// Makes a token valid. One of the same id is left alone: [`ApiError::AlreadyExists`]. Where the answer got lost,
    /// the tenant is asked whether the token is there.
    pub async fn create_token(
        &self,
        operation: &Operation,
        token: &BootstrapToken,
        terms: &Terms,
        field_manager: &str,
    ) -> Result<(), ApiError> {
        let manifest = secret_object(token, terms);
        match self.api.create(operation, Kind::Secret, Some(NAMESPACE), &manifest, field_manager).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_in_doubt() || matches!(error, ApiError::AlreadyExists { .. }) => {
                let stored = self.find_token(operation, token).await;
                if matches!(stored, Ok(Some(stored)) if stored.holds(token)) { Ok(()) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    /// The Secret of a token's name, if it is there.
    pub async fn find_token(&self, operation: &Operation, token: &BootstrapToken) -> Result<Option<Stored>, ApiError> {
        let found = self.api.get(operation, &secret(token.secret_name())).await?;
        Ok(found.map(|object| {
            let uid = object.metadata.uid.clone().unwrap_or_default();
            Stored { uid, found: read_secret(&json_of(&object)) }
        }))
    }

    /// Makes a token invalid. One that is gone, or another one under the same id, is left alone.
    pub async fn revoke_token(&self, operation: &Operation, token: &BootstrapToken) -> Result<(), ApiError> {
        match self.find_token(operation, token).await? {
            Some(stored) if stored.holds(token) => {
                let object = secret(token.secret_name());
                self.api.delete(operation, &object, &stored.uid, Propagation::Background).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Waits until the tenant has signed `cluster-info` with a token, which is what joining machines check.
    pub async fn wait_until_signed(&self, operation: &Operation, token: &BootstrapToken) -> Result<(), WaitEnded> {
        let cluster_info = ObjectRef::namespaced(Kind::ConfigMap, "kube-public", "cluster-info");
        let bounded = Operation::new(operation.remaining().min(SIGNATURE), &operation.stop);
        let key = token.signature_key();
        wait_until(&self.api, &bounded, &cluster_info, None, |seen| {
            seen.and_then(|object| object.data["data"].get(&key)).map(|_| ())
        })
        .await
    }

    /// Removes the token that everybody knows, which Kamaji before edge-25.03.1 leaves in new tenants. True if it was
    /// there.
    pub async fn remove_public_token(&self, operation: &Operation) -> Result<bool, ApiError> {
        let object = secret("bootstrap-token-abcdef".to_owned());
        let Some(found) = self.api.get(operation, &object).await? else { return Ok(false) };
        let public = read_secret(&json_of(&found)).is_ok_and(|found| found.token.is_public_knowledge());
        if public {
            let uid = found.metadata.uid.unwrap_or_default();
            self.api.delete(operation, &object, &uid, Propagation::Background).await?;
        }
        Ok(public)
    }

    /// The configuration that the tenant gives to kubelets, YAML; [`None`] while it is not there.
    pub async fn kubelet_config(&self, operation: &Operation) -> Result<Option<String>, ApiError> {
        let object = ObjectRef::namespaced(Kind::ConfigMap, NAMESPACE, "kubelet-config");
        let found = self.api.get(operation, &object).await?;
        Ok(found.and_then(|object| object.data["data"]["kubelet"].as_str().map(str::to_owned)))
    }
}
