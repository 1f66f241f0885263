//! The nodes that have joined a tenant: what a destroy would leave without a control plane, and how old they are.

use std::time::Duration;

use serde_json::Value as Json;

use super::TenantCluster;
use super::node::is_ready;
use super::reach::{Reach, Sight};
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{WaitEnded, wait_until_selected};
use crate::management_cluster::{ApiError, Kind, ObjectRef, Operation};

/// The longest that a tenant is asked for its nodes: a plan must not hang on an address that swallows packets.
const CENSUS: Duration = Duration::from_secs(5);

/// A node that has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Version of its kubelet, as it reports it; empty before it does.
    pub kubelet: String,
    /// True while its kubelet reports that it works.
    pub ready: bool,
}

impl Node {
    fn of(object: &Json) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        Self { name: text("/metadata/name"), kubelet: text("/status/nodeInfo/kubeletVersion"), ready: is_ready(object) }
    }
}

impl TenantCluster {
    /// All nodes.
    pub async fn nodes(&self, operation: &Operation) -> Result<Vec<Node>, ApiError> {
        self.nodes_as(operation, "", Node::of).await
    }

    /// The nodes of a label selector, keeping of each what `keep` makes of it. An empty selector is for all.
    pub async fn nodes_as<T>(
        &self,
        operation: &Operation,
        selector: &str,
        keep: impl Fn(&Json) -> T,
    ) -> Result<Vec<T>, ApiError> {
        self.api.list_kept(operation, Kind::Node, None, selector, |object| keep(&json_of(&object))).await
    }
}

/// A machine that asks the tenant for a certificate to be a node with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Nobody has approved or denied it.
    pub pending: bool,
}

impl TenantCluster {
    /// Waits until the nodes of a label selector are what `enough` wants, which is called whenever one of them may have
    /// changed. An empty selector is for all.
    pub async fn wait_until_nodes<T>(
        &self,
        operation: &Operation,
        selector: &str,
        mut enough: impl FnMut(&[Json]) -> Option<T>,
    ) -> Result<T, WaitEnded> {
        wait_until_selected(&self.api, operation, Kind::Node, None, selector, None, |nodes| {
            let nodes: Vec<Json> = nodes.values().map(json_of).collect();
            enough(&nodes)
        })
        .await
    }

    /// What machines with a bootstrap token have asked for within the last hour, after which the tenant forgets it.
    pub async fn join_requests(&self, operation: &Operation) -> Result<Vec<Request>, ApiError> {
        let signer = "spec.signerName=kubernetes.io/kube-apiserver-client-kubelet";
        let found = self.api.list_by_fields(operation, Kind::CertificateSigningRequest, signer).await?;
        let by_token = |request: &&Json| {
            request
                .pointer("/spec/username")
                .and_then(Json::as_str)
                .is_some_and(|user| user.starts_with("system:bootstrap:"))
        };
        let read = |request: &Json| Request { pending: request.pointer("/status/conditions").is_none() };
        Ok(found.iter().map(json_of).collect::<Vec<_>>().iter().filter(by_token).map(read).collect())
    }
}

impl Reach {
    /// The nodes of a tenant, within a few seconds. None for a control plane that is gone or going.
    ///
    /// # Errors
    /// Why the tenant cannot be asked, as a sentence.
    pub async fn census(&self, operation: &Operation, object: &ObjectRef) -> Result<Vec<Node>, String> {
        let bounded = Operation::new(operation.remaining().min(CENSUS), &operation.stop).patience(Duration::ZERO);
        let asking = async {
            let tenant = match self.look(&bounded, object).await {
                Ok(Sight::Missing) => return Ok(Vec::new()),
                Ok(Sight::Silent(silence)) if View::new(&silence.live).deleting() => return Ok(Vec::new()),
                Ok(Sight::Silent(silence)) => return Err(silence.why),
                Ok(Sight::Answers(tenant)) if View::new(&tenant.live).deleting() => return Ok(Vec::new()),
                Ok(Sight::Answers(tenant)) => tenant,
                Err(diagnostic) => return Err(diagnostic.detail),
            };
            tenant.api.nodes(&bounded).await.map_err(|error| format!("Its nodes cannot be listed: {error}."))
        };
        match tokio::time::timeout(CENSUS, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("It did not answer within {} seconds.", CENSUS.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::management_cluster::scripted::{Scripted, list_of, on};
    use crate::tenant_cluster::reference;
    use crate::tenant_cluster::tests::{connect, control_plane, control_plane_with, going, management, ready};

    fn node(name: &str, status: &str) -> Json {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {
            "conditions": [{"type": "Ready", "status": status}], "nodeInfo": {"kubeletVersion": "v1.29.1"}}})
    }

    async fn census(live: &Json, tenant: Scripted) -> Result<Vec<Node>, String> {
        let management = Scripted::new(management(live));
        let reach = Reach { cluster: management.cluster(), connect: connect(&tenant) };
        let operation = Operation::new(Duration::from_secs(600), &CancellationToken::new());
        reach.census(&operation, &reference::parse("tenants/a").unwrap()).await
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_are_counted_with_what_they_run() {
        let nodes = list_of("1", &[node("a", "True"), node("b", "Unknown")]);
        let tenant = Scripted::new([ready(), on(Method::GET, "/api/v1/nodes").answers(200, &nodes)]);
        let expected = [("a", true), ("b", false)].map(|(name, ready)| Node {
            name: name.to_owned(),
            kubelet: "v1.29.1".to_owned(),
            ready,
        });
        assert_eq!(census(&control_plane(), tenant).await, Ok(expected.to_vec()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_that_swallows_packets_costs_seconds() {
        let begin = tokio::time::Instant::now();
        let tenant = Scripted::new([on(Method::GET, "/readyz").unanswered().always()]);
        assert!(census(&control_plane(), tenant).await.is_err());
        assert!(begin.elapsed() <= CENSUS + Duration::from_secs(1), "{:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_control_plane_that_sleeps_or_goes_is_not_asked() {
        let asleep = control_plane_with("/spec/controlPlane/deployment/replicas", json!(0));
        let why = census(&asleep, Scripted::new([])).await.unwrap_err();
        assert!(why.contains("scaled to zero"), "{why}");
        assert_eq!(census(&going(control_plane()), Scripted::new([ready()])).await, Ok(Vec::new()));
    }
}
