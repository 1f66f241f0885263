//! A migration to another DataStore: the Job that Kamaji starts for it, followed while it works.
//!
//! Kamaji's own status says `Migrating` and nothing else, for ever if the Job has failed.

use std::time::Duration;

use kube::api::DynamicObject;
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::kamaji::diagnosis::Migration;
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::Scene;
use crate::management_cluster::{ApiError, Kind, ObjectRef, json_of};

/// How often the Job is looked at. What it has said is lost when Kubernetes gives up and removes its pod, which takes several
/// tries with growing pauses.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// How much of its log is kept: the error is in the last line, what it was about in the few before.
const LOG_LINES: i64 = 5;

/// The Jobs that have moved the data of a control plane, or shall. They lie in Kamaji's own namespace, wherever that is.
pub(super) async fn jobs(scene: &Scene) -> Result<Vec<DynamicObject>, ApiError> {
    let namespace = scene.object.namespace.as_deref().unwrap_or_default();
    let labels = format!(
        "kamaji.clastix.io/component=migrate,tcp.kamaji.clastix.io/name={},tcp.kamaji.clastix.io/namespace={namespace}",
        scene.object.name
    );
    scene.cluster.list(&scene.operation, Kind::Job, None, &labels).await
}

/// What is known of the Job so far. Without the right to look at it, nothing.
#[derive(Debug, Default)]
pub(super) struct Follower {
    looked: Option<Instant>,
    /// The end of the pod whose log is known, as a mark.
    ended: Option<String>,
    told: String,
    known: Migration,
}

impl Follower {
    /// Looks at the Job if the data are on their way and it is time. Returns the Job's word that it has failed for good.
    pub(super) async fn look(&mut self, scene: &Scene, live: &Json) -> Option<String> {
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AGAIN);
        if !due || !View::new(live).moves_data() {
            return None;
        }
        self.looked = Some(Instant::now());
        if let Err(error) = self.read(scene).await {
            tracing::debug!(object = %scene.object, %error, "the Job of the migration cannot be seen");
        }
        let told = self.known.progress();
        if told != self.told {
            tracing::info!(object = %scene.object, "{told}");
            self.told = told;
        }
        self.known.failure()
    }

    async fn read(&mut self, scene: &Scene) -> Result<(), ApiError> {
        let Some(job) = jobs(scene).await?.first().map(json_of) else { return Ok(()) };
        let text = |pointer: &str| job.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        self.known.job = Some(job);
        let labels = format!("job-name={name}");
        let pods = scene.cluster.list(&scene.operation, Kind::Pod, Some(&namespace), &labels).await?;
        let newest = pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
        let Some(pod) = newest else { return Ok(()) };
        let seen = json_of(pod);
        let Some((ended, aside)) = last_end(&seen) else { return Ok(()) };
        let mark = format!("{}/{ended}", pod.metadata.uid.as_deref().unwrap_or_default());
        if self.ended.as_ref() != Some(&mark) {
            let pod = ObjectRef::namespaced(Kind::Pod, namespace, pod.metadata.name.clone().unwrap_or_default());
            let log = scene.cluster.log_tail(&scene.operation, &pod, LOG_LINES, aside).await?;
            self.known.log = log.lines().map(str::to_owned).collect();
            // Until then the next try may have begun meanwhile, and this be its log.
            self.ended = aside.then_some(mark);
        }
        Ok(())
    }

    /// What was found out.
    pub(super) fn known(&self) -> &Migration {
        &self.known
    }
}

/// When the container of a pod has ended last, and whether Kubernetes has put it aside since, for another try.
fn last_end(pod: &Json) -> Option<(&str, bool)> {
    let container = pod.pointer("/status/containerStatuses/0")?;
    let at = |pointer: &str| container.pointer(pointer).and_then(Json::as_str);
    let now = at("/state/terminated/finishedAt").map(|ended| (ended, false));
    now.or_else(|| at("/lastState/terminated/finishedAt").map(|ended| (ended, true)))
}
