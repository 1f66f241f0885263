//! Taking nodes out of a tenant as `kubectl drain` and `kubectl delete node` do it: cordon, evict the pods within their
//! PodDisruptionBudgets, wait until they are gone, delete the Node.
//!
//! All nodes of one call are cordoned before the first pod is evicted, so that no pod moves to a node that goes, too.

mod board;
mod pods;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value as Json, json};
use tfplugin::schema::{Attribute, Problem, Validator, boolean, object, string};
use tfplugin::{Diagnostic, Diagnostics, Value};
use tokio::time::{Instant, interval_at};

use super::TenantCluster;
use super::node::readiness;
use crate::kamaji::duration;
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{EndReason, WaitEnded, wait_until_chosen};
use crate::management_cluster::{ApiError, Change, Kind, ObjectRef, Operation, Propagation};
use board::{Board, Left};
use pods::{Fate, Obstacle, Pod, fate};

/// Pods of a node that are asked to go at the same time.
const AT_ONCE: usize = 8;
/// How often a kubelet is looked at whose pods do not go.
const LOOK: Duration = Duration::from_secs(10);
/// How often the board is looked at for pods that nothing removes any more.
const TICK: Duration = Duration::from_secs(1);
/// How many pods a message names.
const NAMED: usize = 10;
/// The longest that an error asks for more about itself.
const DIAGNOSIS: Duration = Duration::from_secs(5);

/// How nodes are drained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Pods are evicted at all; otherwise the Node is deleted with its pods on it.
    pub enabled: bool,
    /// Pods that no controller makes anew elsewhere go, too.
    pub force: bool,
    /// Pods with data in an `emptyDir` go, too.
    pub delete_emptydir_data: bool,
    /// The grace period of each pod, instead of its own.
    pub grace_period: Option<Duration>,
    /// The Nodes stay, cordoned.
    pub keep_nodes: bool,
    /// An action drains, whose attributes are not inside `drain`, and not a resource.
    pub by_action: bool,
}

/// Gets sentences about what goes on.
pub type Tell<'a> = &'a (dyn Fn(String) + Send + Sync);

impl Default for Drain {
    fn default() -> Self {
        Self {
            enabled: true,
            force: false,
            delete_emptydir_data: false,
            grace_period: None,
            keep_nodes: false,
            by_action: false,
        }
    }
}

impl Drain {
    /// Reads the attribute `drain` of an object, as [`attribute`] describes it.
    pub fn of(value: &Value) -> Self {
        let drain = value.get("drain");
        Self { enabled: drain.get("enabled").as_bool().unwrap_or(true), ..Self::with(drain) }
    }

    /// Reads the attributes of [`options`] in a value.
    pub fn with(value: &Value) -> Self {
        let is = |name: &str| value.get(name).as_bool().unwrap_or(false);
        let grace = value.str_at("grace_period");
        Self {
            force: is("force"),
            delete_emptydir_data: is("delete_emptydir_data"),
            grace_period: grace.and_then(|text| duration::parse(text).ok()),
            ..Self::default()
        }
    }
}

/// `force`, `delete_emptydir_data` and `grace_period`.
pub fn options() -> [Attribute; 3] {
    [
        boolean("force").default("false").doc(
            "Whether pods that no controller makes anew elsewhere are evicted, too. They are gone for good. By default \
             such a pod is an error, before anything is evicted.",
        ),
        boolean("delete_emptydir_data").default("false").doc(
            "Whether pods with an `emptyDir` volume are evicted, too; what is in it is lost. By default such a pod is an \
             error, before anything is evicted.",
        ),
        string("grace_period")
            .rule(duration::validator())
            .rule(whole_seconds())
            .canonical(duration::canonical_value)
            .doc("How long each pod has to end, a duration of whole seconds such as `30s`, instead of what the pod says."),
    ]
}

/// The attribute `drain`.
pub fn attribute() -> Attribute {
    let enabled = boolean("enabled").default("true").doc(
        "Whether pods are evicted before a Node is deleted. Without it they end when the machine does, and no \
         PodDisruptionBudget is asked: for tenants that are destroyed as a whole.",
    );
    object("drain", [enabled].into_iter().chain(options()).collect()).doc(
        "How a node is drained before it is deleted: it is cordoned, and its pods are evicted as far as their \
         PodDisruptionBudgets allow, within `timeouts.delete` (within `timeouts.update` by an update). Pods of DaemonSets and \
         static pods stay. A destroy reads this from the state: a change has to be applied before it.",
    )
}

fn whole_seconds() -> Validator {
    Validator::new("whole seconds", |value| match value.as_str().and_then(|text| duration::parse(text).ok()) {
        Some(time) if time.subsec_nanos() > 0 => Err(Problem::new(
            "Not whole seconds",
            format!(
                "A grace period is counted in seconds; {:?} is none. Write it as \"30s\".",
                value.as_str().unwrap_or_default()
            ),
        )),
        _ => Ok(()),
    })
}

/// A Node to be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Its name.
    pub name: String,
    /// Its UID, if it is known: another Node of the same name stays.
    pub uid: Option<String>,
}

/// A Node as it was found.
struct Found {
    name: String,
    uid: String,
    cordoned: bool,
}

impl Found {
    fn object(&self) -> ObjectRef {
        node(&self.name)
    }
}

fn node(name: &str) -> ObjectRef {
    ObjectRef::cluster(Kind::Node, name)
}

/// True if the tenant has lost sight of the kubelet: it removes no pod any more.
fn is_lost(node: &Json) -> bool {
    readiness(node).is_some_and(|condition| condition["status"] == "Unknown")
}

impl TenantCluster {
    /// Takes nodes out of the tenant: cordons all of them, drains them side by side unless `drain` says no, and deletes
    /// each Node once it is drained. One that is gone already is none to be taken out. Ends with the operation's deadline,
    /// and within a second of an interrupt.
    ///
    /// With an error some nodes may be gone and others cordoned; the same call goes on from there. Pods that `drain` does
    /// not permit to evict are found before anything is changed.
    pub async fn remove_nodes(
        &self,
        operation: &Operation,
        nodes: &[Leaving],
        drain: &Drain,
        field_manager: &str,
    ) -> Diagnostics {
        self.take_out(operation, nodes, drain, field_manager, &|_| {}).await
    }

    /// The same, saying what goes on; the Nodes stay if `drain` says so.
    pub async fn take_out(
        &self,
        operation: &Operation,
        nodes: &[Leaving],
        drain: &Drain,
        field_manager: &str,
        tell: Tell<'_>,
    ) -> Diagnostics {
        match self.cordon_all(operation, nodes, drain, field_manager, tell).await {
            Ok(found) => {
                let each = stream::iter(found)
                    .map(|node| async move { self.take_out_one(operation, &node, drain, tell).await });
                let ends: Vec<_> = each.buffer_unordered(AT_ONCE).collect().await;
                let mut failed = Diagnostics::new();
                failed.extend(ends.into_iter().filter_map(Result::err));
                failed
            }
            Err(diagnostic) => diagnostic.into(),
        }
    }

    async fn cordon_all(
        &self,
        operation: &Operation,
        nodes: &[Leaving],
        drain: &Drain,
        field_manager: &str,
        tell: Tell<'_>,
    ) -> Result<Vec<Found>, Diagnostic> {
        let mut found = Vec::new();
        for leaving in nodes {
            let live = self.api.get(operation, &node(&leaving.name)).await;
            let live = live.map_err(|error| self.diagnostic(&error, &format!("read node {}", leaving.name)))?;
            let Some(live) = live.as_ref().map(json_of) else { continue };
            let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            if leaving.uid.as_ref().is_none_or(|known| *known == uid) {
                found.push(Found { name: leaving.name.clone(), uid, cordoned: live["spec"]["unschedulable"] == true });
            }
        }
        if !drain.enabled {
            return Ok(found);
        }
        let mut refused = Vec::new();
        for node in &found {
            let pods = self.api.list_by_fields(operation, Kind::Pod, &on_node(&node.name)).await;
            let pods =
                pods.map_err(|error| self.diagnostic(&error, &format!("list the pods of node {}", node.name)))?;
            refused.extend(pods.iter().filter_map(|pod| match fate(&json_of(pod), drain) {
                Fate::Refused(pod, obstacle) => Some((obstacle, pod.id())),
                Fate::Stays | Fate::Goes(_) => None,
            }));
        }
        if !refused.is_empty() {
            return Err(not_permitted(refused, drain));
        }
        for node in found.iter().filter(|node| !node.cordoned) {
            let change = Change::Merge(json!({"metadata": {"uid": node.uid}, "spec": {"unschedulable": true}}));
            match self.api.patch(operation, &node.object(), &change, field_manager).await {
                Ok(_) => {
                    tracing::info!(node = node.name, "cordoned");
                    tell(format!("Node {} is cordoned.", node.name));
                }
                // Gone meanwhile: so it will be found.
                Err(ApiError::NotFound(_) | ApiError::Conflict { .. } | ApiError::Invalid(_)) => {}
                Err(error) => return Err(self.diagnostic(&error, &format!("cordon node {}", node.name))),
            }
        }
        Ok(found)
    }

    async fn take_out_one(
        &self,
        operation: &Operation,
        node: &Found,
        drain: &Drain,
        tell: Tell<'_>,
    ) -> Result<(), Diagnostic> {
        if drain.enabled {
            self.drain(operation, node, drain, tell).await?;
            tell(format!("Node {} is drained.", node.name));
        }
        if drain.keep_nodes {
            return Ok(());
        }
        let deleted = self.api.delete(operation, &node.object(), &node.uid, Propagation::Background).await;
        deleted.map_err(|error| self.diagnostic(&error, &format!("delete node {}", node.name)))?;
        tracing::info!(node = node.name, "node deleted");
        tell(format!("Node {} is deleted.", node.name));
        Ok(())
    }

    /// Evicts the pods of a node until none is left that has to go.
    async fn drain(
        &self,
        operation: &Operation,
        node: &Found,
        drain: &Drain,
        tell: Tell<'_>,
    ) -> Result<(), Diagnostic> {
        let board = Board::new(&node.name, drain, tell);
        let fields = on_node(&node.name);
        let waiting = wait_until_chosen(&self.api, operation, Kind::Pod, &fields, Some(TICK), |pods| board.take(pods));
        // The watch ends it, also at the deadline and when the user interrupts; evictions end with an error only.
        let ended = tokio::select! {
            biased;
            ended = waiting => ended,
            error = self.evict_all(operation, node, drain, &board) => {
                return Err(self.diagnostic(&error, &format!("drain node {}", node.name)));
            }
        };
        match ended {
            Ok(refused) if refused.is_empty() => Ok(()),
            Ok(refused) => Err(not_permitted(refused, drain)),
            Err(ended) => Err(self.not_drained(operation, node, &ended, &board, drain).await),
        }
    }

    /// Asks the pods on the board to go, again and again. Returns what no repetition cures.
    async fn evict_all(&self, operation: &Operation, node: &Found, drain: &Drain, board: &Board<'_>) -> ApiError {
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        loop {
            let each = stream::iter(board.due()).map(|pod| async move {
                let object = ObjectRef::namespaced(Kind::Pod, pod.namespace.clone(), pod.name.clone());
                let outcome = self.api.evict(operation, &object, &pod.uid, drain.grace_period).await;
                board.tried(&pod, outcome)
            });
            let failed = each.buffer_unordered(AT_ONCE).filter_map(|fatal| async move { fatal });
            tokio::pin!(failed);
            if let Some(error) = failed.next().await {
                return error;
            }
            tokio::select! {
                biased;
                () = board.something_is_due() => {}
                _ = look.tick() => board.kubelet_is_lost(self.kubelet_is_lost(operation, node).await),
            }
        }
    }

    /// True if nothing on the machine ends pods any more. What cannot be asked is as it was.
    async fn kubelet_is_lost(&self, operation: &Operation, node: &Found) -> Option<bool> {
        match self.api.get(operation, &node.object()).await {
            Ok(found) => Some(found.as_ref().map(json_of).is_none_or(|live| is_lost(&live))),
            Err(error) => {
                tracing::info!(node = node.name, %error, "the node was not looked at");
                None
            }
        }
    }

    async fn not_drained(
        &self,
        operation: &Operation,
        node: &Found,
        ended: &WaitEnded,
        board: &Board<'_>,
        drain: &Drain,
    ) -> Diagnostic {
        let doing = format!("drain node {}", node.name);
        let left = board.left();
        let list = listed(left.iter().map(Left::sentence));
        match &ended.reason {
            EndReason::Failed(error) => self.diagnostic(error, &doing),
            EndReason::Timeout(Some(error)) if left.is_empty() => self.diagnostic(error, &doing),
            EndReason::Stopped => Diagnostic::error(
                "Interrupted while draining",
                format!(
                    "Node {} stays cordoned.{list}\n\n{} goes on from there.",
                    node.name,
                    if drain.by_action { "The action, invoked again," } else { "The next apply" }
                ),
            ),
            EndReason::Timeout(_) => {
                let advice = self.advice(operation, &left, drain).await;
                Diagnostic::error(
                    "Node not drained in time",
                    format!("Node {} stays cordoned, with pods on it.{list}\n\n{advice}", node.name),
                )
            }
        }
    }

    /// What to do about a drain that takes too long.
    async fn advice(&self, operation: &Operation, left: &[Left], drain: &Drain) -> String {
        let mut advice = String::new();
        if left.iter().any(|left| left.budget) {
            advice.push_str(
                "A PodDisruptionBudget lets a pod go when enough others are ready elsewhere: give the workload more replicas, \
                 or the tenant more nodes. ",
            );
            let bounded = Operation::new(DIAGNOSIS, &operation.stop).patience(Duration::ZERO);
            let takes_pods = |live: &Json| live["spec"]["unschedulable"] != true && !is_lost(live);
            let others = self.nodes_as(&bounded, "", takes_pods).await;
            if others.is_ok_and(|others| !others.contains(&true)) {
                advice.push_str("The tenant has no other node that takes pods, so none can become ready. ");
            }
        }
        advice.push_str("More time is given in `timeouts`.");
        if !drain.by_action {
            advice.push_str(" `drain = { enabled = false }`, applied before, deletes the node with its pods on it.");
        }
        advice
    }
}

/// The Pods on a node, as a field selector.
fn on_node(name: &str) -> String {
    format!("spec.nodeName={name}")
}

/// Lines of a list, each with a dash; the first few.
fn listed(lines: impl ExactSizeIterator<Item = String>) -> String {
    let more = lines.len().saturating_sub(NAMED);
    let mut text: String = lines.take(NAMED).map(|line| format!("\n- {line}")).collect();
    if more > 0 {
        text.push_str(&format!("\n- and {more} more"));
    }
    text
}

fn not_permitted(mut refused: Vec<(Obstacle, String)>, drain: &Drain) -> Diagnostic {
    refused.sort();
    let lines = refused.iter().map(|(obstacle, pod)| match obstacle {
        Obstacle::Unmanaged => format!("{pod}: no controller makes it anew elsewhere (`force`)"),
        Obstacle::EmptyDir => {
            format!("{pod}: it has data in an emptyDir, which would be lost (`delete_emptydir_data`)")
        }
    });
    let list = listed(lines.collect::<Vec<_>>().into_iter());
    let out = if drain.by_action {
        "Delete or move them, or set what is in brackets."
    } else {
        "Delete or move them, or set what is in brackets in `drain` and apply that. A destroy reads it from the state."
    };
    Diagnostic::error(
        "Pods may not be evicted",
        format!("The drain does not evict these pods unless it is told to:{list}\n\n{out}"),
    )
    .at(tfplugin::Path::of(if drain.by_action { "node_names" } else { "drain" }))
}
