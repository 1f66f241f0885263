//! The pods of a node as a drain sees them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::Drain;

/// How long after its grace period a pod may take to go before a kubelet that reports nothing is not waited for.
const OVERDUE: Duration = Duration::from_secs(10);

/// A pod of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    /// When its grace period ends, if it has been told to go.
    pub(super) going: Option<Timestamp>,
}

/// What a drain does with a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes with the node: of a DaemonSet, of the kubelet itself, or finished.
    Stays,
    /// It is evicted.
    Goes(Pod),
    /// It is not evicted unless the configuration says so: for this reason, with this setting.
    Refused(Pod, Obstacle),
}

/// Why a pod is not evicted unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obstacle {
    /// No controller makes it anew elsewhere.
    Unmanaged,
    /// It has data in an `emptyDir`.
    EmptyDir,
}

impl Pod {
    fn of(object: &Json) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        Self {
            namespace: text("namespace").to_owned(),
            name: text("name").to_owned(),
            uid: text("uid").to_owned(),
            going: text("deletionTimestamp").parse().ok(),
        }
    }

    /// `namespace/name`
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// True if it should be gone by now, so that only a kubelet that does not work keeps it.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        let by = |end: Timestamp| end.checked_add(SignedDuration::try_from(OVERDUE).unwrap_or_default());
        self.going.is_some_and(|end| by(end).is_ok_and(|end| end <= now))
    }
}

/// What a drain does with this Pod, by the same rules as `kubectl drain --ignore-daemonsets`.
pub(super) fn fate(object: &Json, drain: &Drain) -> Fate {
    let pod = Pod::of(object);
    let list = |pointer: &str| object.pointer(pointer).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let controller = list("/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true);
    let mirror = object["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string();
    let finished = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if mirror || controller.is_some_and(|owner| owner["kind"] == "DaemonSet") {
        return Fate::Stays;
    }
    // Nothing is left to decide. The kubelet says that a pod has finished before it lets go of it.
    if pod.going.is_some() {
        return Fate::Goes(pod);
    }
    if finished {
        return Fate::Stays;
    }
    if controller.is_none() && !drain.force {
        return Fate::Refused(pod, Obstacle::Unmanaged);
    }
    let has_data = list("/spec/volumes").iter().any(|volume| volume["emptyDir"].is_object());
    if has_data && !drain.delete_emptydir_data {
        return Fate::Refused(pod, Obstacle::EmptyDir);
    }
    Fate::Goes(pod)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(change: &[(&str, Json)]) -> Json {
        let mut pod = json!({"metadata": {"name": "a", "namespace": "n", "uid": "u", "annotations": {},
            "ownerReferences": [{"kind": "ReplicaSet", "controller": true}]}, "spec": {}, "status": {"phase": "Running"}});
        for (pointer, value) in change {
            *pod.pointer_mut(pointer).unwrap() = value.clone();
        }
        pod
    }

    fn owner(kind: &str, controller: bool) -> (&'static str, Json) {
        ("/metadata/ownerReferences", json!([{"kind": kind, "controller": controller}]))
    }

    fn volumes() -> (&'static str, Json) {
        ("/spec", json!({"volumes": [{"name": "s", "secret": {}}, {"name": "d", "emptyDir": {}}]}))
    }

    fn word(change: &[(&str, Json)], drain: &Drain) -> &'static str {
        match fate(&pod(change), drain) {
            Fate::Stays => "stays",
            Fate::Goes(_) => "goes",
            Fate::Refused(_, Obstacle::Unmanaged) => "unmanaged",
            Fate::Refused(_, Obstacle::EmptyDir) => "emptyDir",
        }
    }

    #[rstest::rstest]
    #[case::of_a_replica_set(&[], "goes", "goes")]
    #[case::of_a_daemon_set(&[owner("DaemonSet", true), volumes()], "stays", "stays")]
    #[case::owned_but_not_controlled(&[owner("DaemonSet", false)], "unmanaged", "goes")]
    #[case::of_nobody(&[("/metadata/ownerReferences", json!(null))], "unmanaged", "goes")]
    #[case::of_the_kubelet(
        &[("/metadata/annotations", json!({"kubernetes.io/config.mirror": "x"})), owner("Node", true)], "stays", "stays"
    )]
    #[case::with_data(&[volumes()], "emptyDir", "goes")]
    #[case::finished(&[("/status/phase", json!("Succeeded")), volumes()], "stays", "stays")]
    #[case::failed(&[("/status/phase", json!("Failed")), ("/metadata/ownerReferences", json!([]))], "stays", "stays")]
    fn pods_go_as_with_kubectl(#[case] change: &[(&str, Json)], #[case] carefully: &str, #[case] all: &str) {
        assert_eq!(word(change, &Drain::default()), carefully);
        let everything = Drain { force: true, delete_emptydir_data: true, ..Drain::default() };
        assert_eq!(word(change, &everything), all);
    }

    #[test]
    fn a_pod_that_goes_already_needs_no_permission() {
        let mut going = pod(&[("/metadata/ownerReferences", json!([])), volumes()]);
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:30Z");
        going["status"]["phase"] = json!("Succeeded");
        let Fate::Goes(pod) = fate(&going, &Drain::default()) else { panic!("stays") };
        assert!(!pod.is_overdue("2026-01-01T00:00:39Z".parse().unwrap()));
        assert!(pod.is_overdue("2026-01-01T00:00:40Z".parse().unwrap()));
    }
}
