//! What is sent: the configuration in the API's words, with what must be kept.

use serde_json::{Map, Value as Json};
use tfplugin::Value;

use super::mapping::{annotate, cleared, put, to_api, within};
use super::memory::{Memory, NONCE};
use super::{Managed, ManagedResource};
use crate::management_cluster::field_path::Step;

/// An intent and what it keeps although the configuration dropped it.
pub(super) struct Intent {
    /// `metadata` and `spec`, as they are sent.
    pub manifest: Map<String, Json>,
    /// API paths (dotted) that are still sent although the configuration has none any more.
    pub kept: Vec<&'static str>,
}

impl<M: Managed> ManagedResource<M> {
    /// The intent of a plan or configuration. Unknown values are left out.
    pub(super) fn intent(&self, value: &Value, memory: &Memory) -> Intent {
        let mut manifest = to_api(&self.managed.schema().attributes, value);
        let mut kept = Vec::new();
        for path in self.managed.kept() {
            let configured = !within(&manifest, path).is_null();
            if let Some(applied) = memory.applied_at(path).filter(|_| !configured) {
                put(&mut manifest, path, applied.clone());
                kept.push(*path);
            }
        }
        self.managed.complete(value, &mut manifest);
        cleared(&self.managed.schema().attributes, &memory.applied, &mut manifest);
        self.rules(value).keep_ignored(memory, &mut manifest);
        if !memory.nonce.is_empty() {
            annotate(&mut manifest, NONCE, &memory.nonce);
        }
        Intent { manifest, kept }
    }
}

/// Leaves out what `ignore_changes` hands us as if it were configured: a value that is the prior one, that our last apply
/// did not contain, and that is not ours on the object either.
pub(super) fn without_unclaimed(
    manifest: &Map<String, Json>,
    prior: &Json,
    applied: &Json,
    is_ours: &dyn Fn(&[Step]) -> bool,
) -> Map<String, Json> {
    fn below(
        manifest: &Map<String, Json>,
        prior: &Json,
        applied: &Json,
        is_ours: &dyn Fn(&[Step]) -> bool,
        path: &mut Vec<Step>,
    ) -> Map<String, Json> {
        let mut kept = Map::new();
        for (key, value) in manifest {
            let (prior, applied) = (&prior[key], &applied[key]);
            path.push(Step::Field(key.clone()));
            match value {
                Json::Object(members) if !members.is_empty() => {
                    let inner = below(members, prior, applied, is_ours, path);
                    // In the spec an empty object may switch something on; not if others have put everything into it.
                    let in_metadata = path.first() == Some(&Step::Field("metadata".to_owned()));
                    let hollow = inner.is_empty() && (in_metadata || applied.is_null());
                    if !hollow {
                        kept.insert(key.clone(), Json::Object(inner));
                    }
                }
                _ if prior == value && applied != value && !is_ours(path) => {}
                _ => {
                    kept.insert(key.clone(), value.clone());
                }
            }
            path.pop();
        }
        kept
    }
    below(manifest, prior, applied, is_ours, &mut Vec::new())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(manifest: &Json, prior: &Json, applied: &Json, ours: bool) -> Json {
        let manifest = manifest.as_object().cloned().unwrap_or_default();
        Json::Object(without_unclaimed(&manifest, prior, applied, &|_| ours))
    }

    #[test]
    fn an_autoscalers_value_under_ignore_changes_is_not_claimed() {
        let planned = json!({"spec": {"replicas": 5, "version": "b"}});
        let prior = json!({"spec": {"replicas": 5, "version": "a"}});
        let applied = json!({"spec": {"replicas": 2, "version": "a"}});
        assert_eq!(sent(&planned, &prior, &applied, false), json!({"spec": {"version": "b"}}));
        // Another canonical form in a new release of the provider: it is ours still.
        assert_eq!(sent(&planned, &prior, &applied, true), planned);
    }

    #[test]
    fn an_object_that_others_have_filled_is_not_claimed_as_an_empty_one() {
        let planned = json!({"spec": {"kubelet": {"cgroupfs": "systemd"}, "addons": {"coreDNS": {}}, "version": "b"}});
        let prior = json!({"spec": {"kubelet": {"cgroupfs": "systemd"}, "addons": {"coreDNS": {}}, "version": "a"}});
        let applied = json!({"spec": {"addons": {}}});
        let expected = json!({"spec": {"addons": {}, "version": "b"}});
        assert_eq!(sent(&planned, &prior, &applied, false), expected);
    }

    #[test]
    fn a_value_that_is_planned_anew_is_claimed() {
        let planned = json!({"spec": {"replicas": 5, "addons": {}}});
        let prior = json!({"spec": {"replicas": 2, "addons": {}}});
        let applied = json!({"spec": {"replicas": 2, "addons": {}}});
        assert_eq!(sent(&planned, &prior, &applied, false), planned);
    }
}
