//! Asking Kamaji's webhook what it supports. No object says which release of Kamaji is installed, but the webhook judges a
//! version that is too new before everything else, and names the newest that it takes. Dry-runs ask; nothing is stored.

use serde_json::{Value as Json, json};

use crate::kamaji::upgrade::Supported;
use crate::management_cluster::{ApiError, ApplyOptions, ManagementCluster, ObjectRef, Operation};

/// A version that is newer than any Kamaji.
const NOBODYS: &str = "v1.999.0";

/// The newest version that Kamaji supports. `object` is a control plane, or the name that one could have. [`None`] if
/// Kamaji does not say.
///
/// # Errors
/// The question was not put to Kamaji: no right, no namespace, no answer.
pub async fn newest(
    cluster: &ManagementCluster,
    operation: &Operation,
    object: &ObjectRef,
    field_manager: &str,
) -> Result<Option<Supported>, ApiError> {
    // As much as the schema wants of a new one.
    let manifest = json!({"spec": {
        "controlPlane": {"service": {"serviceType": "LoadBalancer"}, "deployment": {}},
        "kubernetes": {"version": NOBODYS, "kubelet": {}},
        "networkProfile": {},
    }});
    let existing = json!({"spec": {"kubernetes": {"version": NOBODYS}}});
    let exists = cluster.get(operation, object).await?.is_some();
    let manifest = if exists { existing } else { manifest };
    denial(cluster, operation, object, &manifest, field_manager).await
}

/// The newest version that Kamaji supports, if it refuses this one for a control plane because it is newer. Where Kamaji
/// cannot be asked, the write that follows will tell.
pub async fn refused_as_too_new(
    cluster: &ManagementCluster,
    operation: &Operation,
    object: &ObjectRef,
    version: &str,
    field_manager: &str,
) -> Option<Supported> {
    let manifest = json!({"spec": {"kubernetes": {"version": version}}});
    denial(cluster, operation, object, &manifest, field_manager).await.ok().flatten()
}

async fn denial(
    cluster: &ManagementCluster,
    operation: &Operation,
    object: &ObjectRef,
    manifest: &Json,
    field_manager: &str,
) -> Result<Option<Supported>, ApiError> {
    // A manager of its own: under ours the server would take the other fields away.
    let options = ApplyOptions { field_manager: format!("{field_manager}-question"), force: true, dry_run: true };
    match cluster.apply(operation, object, manifest, &options).await {
        Ok(_) => Ok(None),
        Err(ApiError::WebhookDenied { message, .. }) => Ok(Supported::from_denial(&message)),
        Err(error) => Err(error),
    }
}
