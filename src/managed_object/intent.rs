//! What is sent: the configuration in the API's words, with what must be kept.

use serde_json::{Map, Value as Json, json};
use tfplugin::Value;

use super::mapping::{cleared, put, to_api, within};
use super::memory::{Memory, NONCE};
use super::{Managed, ManagedResource};

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
        cleared(&self.managed.schema().attributes, &memory.applied, &mut manifest);
        if !memory.nonce.is_empty() {
            annotate(&mut manifest, NONCE, &memory.nonce);
        }
        Intent { manifest, kept }
    }
}

/// Adds an annotation. Its key has dots, so it is no path.
fn annotate(manifest: &mut Map<String, Json>, key: &str, text: &str) {
    let metadata = manifest.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(key.to_owned(), json!(text));
    }
}
