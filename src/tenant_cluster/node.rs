//! One node of a tenant: looked at, waited for, and labelled by an administrator.

use serde_json::{Value as Json, json};

use super::TenantCluster;
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{WaitEnded, wait_until};
use crate::management_cluster::{ApiError, Change, Kind, ObjectRef, Operation, Propagation};

fn object(name: &str) -> ObjectRef {
    ObjectRef::cluster(Kind::Node, name)
}

/// The condition `Ready` of a Node, once its kubelet has reported.
pub fn readiness(node: &Json) -> Option<&Json> {
    let conditions = node.pointer("/status/conditions").and_then(Json::as_array)?;
    conditions.iter().find(|condition| condition["type"] == "Ready")
}

/// True while its kubelet reports that it works.
pub fn is_ready(node: &Json) -> bool {
    readiness(node).is_some_and(|condition| condition["status"] == "True")
}

/// What `/etc/machine-id` says on the machine of a Node; [`None`] until its kubelet has reported.
pub fn machine_id(node: &Json) -> Option<&str> {
    node.pointer("/status/nodeInfo/machineID").and_then(Json::as_str).filter(|id| !id.is_empty())
}

impl TenantCluster {
    /// Reads a Node, if it is there.
    pub async fn node(&self, operation: &Operation, name: &str) -> Result<Option<Json>, ApiError> {
        Ok(self.api.get(operation, &object(name)).await?.as_ref().map(json_of))
    }

    /// Waits until a Node is there, with its kubelet's first report; and until it is Ready, if that is wanted.
    pub async fn wait_for_node(&self, operation: &Operation, name: &str, ready: bool) -> Result<Json, WaitEnded> {
        wait_until(&self.api, operation, &object(name), None, |seen| {
            let node = json_of(seen?);
            let there = if ready { is_ready(&node) } else { readiness(&node).is_some() };
            there.then_some(node)
        })
        .await
    }

    /// Deletes a Node as it was read.
    pub async fn delete_node(&self, operation: &Operation, node: &Json) -> Result<(), ApiError> {
        let text = |field: &str| node["metadata"][field].as_str().unwrap_or_default();
        self.api.delete(operation, &object(text("name")), text("uid"), Propagation::Background).await.map(|_| ())
    }

    /// Changes labels and taints of a Node: a label without a value goes. Taints are given as a whole, with the resource
    /// version of the Node that they were made from: [`ApiError::Conflict`] if it has changed.
    pub async fn relabel_node(
        &self,
        operation: &Operation,
        node: &Json,
        labels: &[(String, Option<String>)],
        taints: Option<Json>,
        field_manager: &str,
    ) -> Result<(), ApiError> {
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        let mut change = json!({"metadata": {"uid": node["metadata"]["uid"]}});
        for (key, value) in labels {
            change["metadata"]["labels"][key] = json!(value);
        }
        if let Some(taints) = taints {
            change["spec"]["taints"] = taints;
            change["metadata"]["resourceVersion"] = node["metadata"]["resourceVersion"].clone();
        }
        self.api.patch(operation, &object(name), &Change::Merge(change), field_manager).await.map(|_| ())
    }
}
