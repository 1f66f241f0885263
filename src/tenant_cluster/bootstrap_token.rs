//! Bootstrap tokens in a tenant.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::json;
use tfplugin::schema::Problem;

use super::TenantCluster;
use crate::kamaji::bootstrap_token::{
    BootstrapToken, Found, NAMESPACE, SECRET_TYPE, Terms, expiration_text, read_secret, secret_name, secret_object,
};
use crate::kamaji::join::JOIN_ID_LABEL;
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{WaitEnded, wait_until};
use crate::management_cluster::{ApiError, Change, Kind, ObjectRef, Operation, Propagation};

/// How long the signature of a new token may take. Joining machines wait for five minutes themselves.
const SIGNATURE: Duration = Duration::from_secs(60);
/// How often a tenant is asked again that does not let its administrator in yet.
const AGAIN: Duration = Duration::from_secs(1);

/// A token Secret in the tenant.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The UID of the Secret.
    uid: String,
    /// Its name.
    name: String,
    /// The join that made it, if one did.
    join_id: Option<String>,
    /// What it holds.
    pub found: Result<Found, Problem>,
}

impl Stored {
    fn of(object: &DynamicObject) -> Self {
        let metadata = &object.metadata;
        let labels = metadata.labels.as_ref();
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            join_id: labels.and_then(|labels| labels.get(JOIN_ID_LABEL).cloned()),
            found: read_secret(&json_of(object)),
        }
    }

    /// The UID of the Secret.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The name of the Secret.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The join that made it, if one did.
    pub fn join_id(&self) -> Option<&str> {
        self.join_id.as_deref()
    }

    /// The public part of the token; [`None`] if the Secret makes no token valid.
    pub fn id(&self) -> Option<&str> {
        self.found.as_ref().ok().map(|found| found.token.id())
    }

    /// True if it is the token of an owner.
    pub fn is_of(&self, owner: &Owner<'_>) -> bool {
        use secrecy::ExposeSecret as _;
        match owner.token {
            Some(token) => self
                .found
                .as_ref()
                .is_ok_and(|found| found.token.token().expose_secret() == token.token().expose_secret()),
            None => owner.join_id.is_some() && self.join_id.as_deref() == owner.join_id,
        }
    }
}

/// By what a token is known as one's own: by its secret, or where that is not kept, by the label that its Secret got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner<'a> {
    /// The token.
    pub token: Option<&'a BootstrapToken>,
    /// The value of [`JOIN_ID_LABEL`].
    pub join_id: Option<&'a str>,
}

impl<'a> Owner<'a> {
    /// Known by its secret.
    pub fn of(token: &'a BootstrapToken) -> Self {
        Self { token: Some(token), join_id: None }
    }
}

fn secret(name: impl Into<String>) -> ObjectRef {
    ObjectRef::namespaced(Kind::Secret, NAMESPACE, name)
}

impl TenantCluster {
    /// Asks whether the API is ready to serve.
    pub async fn answers(&self, operation: &Operation) -> Result<(), ApiError> {
        self.api.ready(operation).await
    }

    /// Makes a token valid. One of the same id is left alone: [`ApiError::AlreadyExists`]. Where the answer got lost,
    /// the tenant is asked whether the token is there. Returns the UID of its Secret.
    pub async fn create_token(
        &self,
        operation: &Operation,
        token: &BootstrapToken,
        terms: &Terms,
        field_manager: &str,
    ) -> Result<String, ApiError> {
        let manifest = secret_object(token, terms);
        match self.api.create(operation, Kind::Secret, Some(NAMESPACE), &manifest, field_manager).await {
            Ok(written) => Ok(written.object.metadata.uid.unwrap_or_default()),
            Err(error) if error.is_in_doubt() || matches!(error, ApiError::AlreadyExists { .. }) => {
                let stored = self.find_token(operation, token.id()).await;
                match stored {
                    Ok(Some(stored)) if stored.is_of(&Owner::of(token)) => Ok(stored.uid),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The same for a tenant that is new: the binding that lets `admin.conf` in comes some seconds after the API.
    pub async fn make_token(
        &self,
        operation: &Operation,
        token: &BootstrapToken,
        terms: &Terms,
        field_manager: &str,
    ) -> Result<String, ApiError> {
        loop {
            let error = match self.create_token(operation, token, terms, field_manager).await {
                Err(
                    error @ (ApiError::Unauthorized { .. }
                    | ApiError::Forbidden { .. }
                    | ApiError::NamespaceMissing { .. }),
                ) => error,
                outcome => return outcome,
            };
            if operation.remaining() <= AGAIN || !operation.pause(AGAIN).await {
                return Err(error);
            }
        }
    }

    /// The Secret of the token with this id, if it is there.
    pub async fn find_token(&self, operation: &Operation, id: &str) -> Result<Option<Stored>, ApiError> {
        let found = self.api.get(operation, &secret(secret_name(id))).await?;
        Ok(found.as_ref().map(Stored::of))
    }

    /// All token Secrets: of a label selector, or with an empty one of the whole tenant.
    pub async fn tokens(&self, operation: &Operation, selector: &str) -> Result<Vec<Stored>, ApiError> {
        let found = self.api.list(operation, Kind::Secret, Some(NAMESPACE), selector).await?;
        let of_type = |object: &&DynamicObject| object.data["type"] == SECRET_TYPE;
        Ok(found.iter().filter(of_type).map(Stored::of).collect())
    }

    /// Makes a token Secret say other terms. [`ApiError::NotFound`] and [`ApiError::Conflict`] if it is gone meanwhile.
    pub async fn change_token(
        &self,
        operation: &Operation,
        stored: &Stored,
        terms: &Terms,
        field_manager: &str,
    ) -> Result<(), ApiError> {
        let patch = Change::Merge(terms.patch(&stored.uid));
        self.api.patch(operation, &secret(&stored.name), &patch, field_manager).await.map(|_| ())
    }

    /// Moves the end of the token Secret with this name and UID. [`ApiError::NotFound`] and [`ApiError::Conflict`] if it is
    /// gone.
    pub async fn move_end(
        &self,
        operation: &Operation,
        (name, uid): (&str, &str),
        end: Timestamp,
        field_manager: &str,
    ) -> Result<(), ApiError> {
        let change = json!({"metadata": {"uid": uid}, "stringData": {"expiration": expiration_text(end)}});
        self.api.patch(operation, &secret(name), &Change::Merge(change), field_manager).await.map(|_| ())
    }

    /// Makes a token invalid. One that is gone, or another one under the same id, is left alone.
    pub async fn revoke_token(&self, operation: &Operation, id: &str, owner: &Owner<'_>) -> Result<(), ApiError> {
        match self.find_token(operation, id).await? {
            Some(stored) if stored.is_of(owner) => self.remove_token(operation, &stored).await,
            _ => Ok(()),
        }
    }

    /// Removes a token Secret.
    pub async fn remove_token(&self, operation: &Operation, stored: &Stored) -> Result<(), ApiError> {
        self.remove_token_named(operation, (&stored.name, &stored.uid)).await
    }

    /// Removes the token Secret with this name and UID.
    pub async fn remove_token_named(&self, operation: &Operation, (name, uid): (&str, &str)) -> Result<(), ApiError> {
        self.api.delete(operation, &secret(name), uid, Propagation::Background).await.map(|_| ())
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
        let stored = Stored::of(&found);
        let public = stored.found.as_ref().is_ok_and(|found| found.token.is_public_knowledge());
        if public {
            self.remove_token(operation, &stored).await?;
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
