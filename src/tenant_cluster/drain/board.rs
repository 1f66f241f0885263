//! What a drain knows of the pods of a node: between the watch, which sees them, and the evictions.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::api::DynamicObject;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Drain, Fate, Obstacle, Pod, Tell, fate};
use crate::management_cluster::{ApiError, json_of};

/// How long a pod that could not go is left in peace: kubectl's own time.
const AGAIN: Duration = Duration::from_secs(5);

/// The pods of one node.
pub(super) struct Board<'a> {
    node: &'a str,
    drain: &'a Drain,
    tell: Tell<'a>,
    state: Mutex<State>,
    /// The pods have changed.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Those that have to go, by `namespace/name`.
    left: BTreeMap<String, Pod>,
    /// What came of asking them, by UID.
    tries: HashMap<String, Try>,
    /// Nothing on the machine ends pods any more.
    lost: bool,
}

struct Try {
    /// Not to be asked again before.
    due: Instant,
    /// Why it could not go.
    why: Option<Why>,
}

#[derive(Clone, PartialEq, Eq)]
enum Why {
    Budget(String),
    Other(String),
}

/// A pod that has not gone.
pub(super) struct Left {
    id: String,
    why: String,
    /// A PodDisruptionBudget keeps it.
    pub(super) budget: bool,
}

impl Left {
    /// `web/web-0: a PodDisruptionBudget delays it: The disruption budget web needs 1 healthy pods and has 1 currently`
    pub(super) fn sentence(&self) -> String {
        format!("{}: {}", self.id, self.why)
    }
}

impl<'a> Board<'a> {
    pub(super) fn new(node: &'a str, drain: &'a Drain, tell: Tell<'a>) -> Self {
        Self { node, drain, tell, state: Mutex::default(), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the pods as the watch sees them. Something ends the drain: an empty list if all have gone, otherwise those that
    /// may not be evicted.
    pub(super) fn take(&self, pods: &BTreeMap<String, DynamicObject>) -> Option<Vec<(Obstacle, String)>> {
        let mut state = self.state();
        let (mut left, mut refused) = (BTreeMap::new(), Vec::new());
        for pod in pods.values() {
            match fate(&json_of(pod), self.drain) {
                Fate::Stays => {}
                Fate::Refused(pod, obstacle) => refused.push((obstacle, pod.id())),
                Fate::Goes(pod) if state.lost && pod.is_overdue(Timestamp::now()) => {}
                Fate::Goes(pod) => {
                    left.insert(pod.id(), pod);
                }
            }
        }
        if !refused.is_empty() || left.is_empty() {
            return Some(refused);
        }
        if left != state.left {
            tracing::info!(node = self.node, pods = left.len(), "pods are left to go");
            if left.len() != state.left.len() {
                (self.tell)(format!("Node {}: {} pods are left to go.", self.node, left.len()));
            }
            state.left = left;
            self.changed.notify_one();
        }
        None
    }

    /// The pods that are to be asked now.
    pub(super) fn due(&self) -> Vec<Pod> {
        let (state, now) = (self.state(), Instant::now());
        let due = |pod: &&Pod| pod.going.is_none() && state.tries.get(&pod.uid).is_none_or(|tried| tried.due <= now);
        state.left.values().filter(due).cloned().collect()
    }

    /// Waits until pods may be there to be asked.
    pub(super) async fn something_is_due(&self) {
        let next = {
            let state = self.state();
            let asked = state.left.values().filter(|pod| pod.going.is_none());
            asked.filter_map(|pod| state.tries.get(&pod.uid)).map(|tried| tried.due).min()
        };
        let over = async {
            match next {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.changed.notified() => {}
            () = over => {}
        }
    }

    /// Notes what came of asking a pod. Returns an error that asking again does not cure.
    pub(super) fn tried(&self, pod: &Pod, outcome: Result<(), ApiError>) -> Option<ApiError> {
        let why = match outcome {
            Ok(()) => {
                tracing::info!(node = self.node, pod = pod.id(), "evicted");
                None
            }
            Err(ApiError::DisruptionBudget { message }) => Some(Why::Budget(message)),
            // The watch shows what it is now, or ends itself.
            Err(
                ApiError::NotFound(_)
                | ApiError::Conflict { .. }
                | ApiError::Stopped { .. }
                | ApiError::DeadlineExceeded { .. },
            ) => None,
            Err(
                error @ (ApiError::NamespaceTerminating { .. }
                | ApiError::Throttled { .. }
                | ApiError::WebhookUnavailable { .. }),
            ) => Some(Why::Other(error.to_string())),
            Err(error) if error.is_unreachable() => Some(Why::Other(error.to_string())),
            Err(error) => return Some(error),
        };
        let mut state = self.state();
        let before = state.tries.get(&pod.uid).and_then(|tried| tried.why.as_ref());
        if before != why.as_ref() {
            match &why {
                Some(Why::Budget(budget)) => {
                    tracing::warn!(node = self.node, pod = pod.id(), budget, "a PodDisruptionBudget delays the drain");
                    let delayed = "a PodDisruptionBudget delays the drain";
                    (self.tell)(format!("Node {}: {}: {delayed}: {budget}", self.node, pod.id()));
                }
                Some(Why::Other(error)) => tracing::info!(node = self.node, pod = pod.id(), error, "not evicted yet"),
                None => {}
            }
        }
        state.tries.insert(pod.uid.clone(), Try { due: Instant::now() + AGAIN, why });
        None
    }

    /// Notes whether the kubelet still ends pods; [`None`] if that is not known.
    pub(super) fn kubelet_is_lost(&self, lost: Option<bool>) {
        let mut state = self.state();
        state.lost = lost.unwrap_or(state.lost);
    }

    /// The pods that have not gone, and why.
    pub(super) fn left(&self) -> Vec<Left> {
        let state = self.state();
        let left = |pod: &Pod| {
            let why = state.tries.get(&pod.uid).and_then(|tried| tried.why.as_ref());
            let (why, budget) = match (pod.going, why) {
                (Some(end), _) => (format!("it was told to end, with a grace period until {end}"), false),
                (None, Some(Why::Budget(message))) => (format!("a PodDisruptionBudget delays it: {message}"), true),
                (None, Some(Why::Other(error))) => (error.clone(), false),
                (None, None) => ("it has not gone yet".to_owned(), false),
            };
            Left { id: pod.id(), why, budget }
        };
        state.left.values().map(left).collect()
    }
}
