//! Whether a tenant's API lets somebody in, and under which CA it is announced.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tfplugin::Diagnostic;

use super::TenantCluster;
use super::kubeconfig::{User, read};
use super::reach::Reach;
use crate::management_cluster::json_of;
use crate::management_cluster::{ApiError, Change, Kind, ObjectRef, Operation};

/// How often it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

impl TenantCluster {
    /// Asks something that needs to be known to the API. False if it knows who asks and does not permit it.
    async fn admits(&self, operation: &Operation) -> Result<bool, ApiError> {
        match self.api.get(operation, &ObjectRef::cluster(Kind::Namespace, "kube-system")).await {
            Ok(_) => Ok(true),
            Err(ApiError::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether `cluster-info`, by which machines find the tenant, has this CA (PEM, as Kamaji keeps it).
    pub async fn announces(&self, operation: &Operation, ca_pem: &str) -> Result<bool, ApiError> {
        Ok(self.cluster_info(operation).await?.is_some_and(|text| text.contains(&STANDARD.encode(ca_pem))))
    }

    /// Puts another CA in the place of one in `cluster-info`. False if that one is not in it.
    pub async fn announce(
        &self,
        operation: &Operation,
        (old_pem, new_pem): (&str, &str),
        field_manager: &str,
    ) -> Result<bool, ApiError> {
        let (old, new) = (STANDARD.encode(old_pem), STANDARD.encode(new_pem));
        let Some(text) = self.cluster_info(operation).await?.filter(|text| text.contains(&old)) else {
            return Ok(false);
        };
        let change = Change::Merge(json!({"data": {"kubeconfig": text.replace(&old, &new)}}));
        self.api.patch(operation, &cluster_info(), &change, field_manager).await.map(|_| true)
    }

    /// The kubeconfig in `cluster-info`: a cluster without a user and a context.
    async fn cluster_info(&self, operation: &Operation) -> Result<Option<String>, ApiError> {
        let found = self.api.get(operation, &cluster_info()).await?.as_ref().map(json_of);
        Ok(found.and_then(|found| Some(found.pointer("/data/kubeconfig")?.as_str()?.to_owned())))
    }
}

fn cluster_info() -> ObjectRef {
    ObjectRef::namespaced(Kind::ConfigMap, "kube-public", "cluster-info")
}

impl Reach {
    /// Asks the tenant as a user, with the kubeconfig that the Secret has now, until it answers; false if it knows the user
    /// and does not permit anything yet. `live` is the control plane.
    pub async fn admitted(
        &self,
        operation: &Operation,
        object: &ObjectRef,
        live: &Json,
        user: User,
    ) -> Result<bool, Diagnostic> {
        loop {
            let why = match read(&self.cluster, operation, live, &[user]).await? {
                None => format!("The Secret has no {} yet.", user.key()),
                Some(kubeconfig) => {
                    let api = TenantCluster::new((self.connect)(&kubeconfig.text)?);
                    match api.admits(&operation.clone().patience(Duration::ZERO)).await {
                        Ok(admitted) => return Ok(admitted),
                        Err(error) => format!("{error}."),
                    }
                }
            };
            if operation.is_stopped() || operation.remaining() <= AGAIN || !operation.pause(AGAIN).await {
                let detail = format!("The API of {object} does not let {} in. {why}", user.key());
                return Err(Diagnostic::error("Kubeconfig of tenant does not work", detail));
            }
        }
    }
}
