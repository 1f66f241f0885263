//! What the verbs of [`super::ManagementCluster`] take and give back.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use secrecy::{ExposeSecret as _, SecretSlice};
use serde_json::Value;

/// What a server-side apply says about itself.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// Who owns the fields.
    pub field_manager: String,
    /// Takes fields from other managers.
    pub force: bool,
    /// Admission and validation run, nothing is stored.
    pub dry_run: bool,
}

/// The outcome of a write.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object as it is now.
    pub object: DynamicObject,
    /// What the API server warns of (`Warning` headers).
    pub warnings: Vec<String>,
}

/// A change that is no server-side apply.
#[derive(Clone, Debug)]
pub enum Change {
    /// A merge patch (RFC 7386): null removes.
    Merge(Value),
    /// A JSON patch (RFC 6902): a list of operations. Not sent again after a lost answer.
    Json(Value),
}

/// What happens to the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They go first; the object stays until then.
    Foreground,
    /// They go after it.
    Background,
}

/// The outcome of a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// No object with that uid exists any more.
    Gone,
    /// It is marked and waits for its finalizers.
    Going,
}

/// A Secret. Its values are shown by no formatter.
#[derive(Clone, Debug)]
pub struct SecretData {
    /// The `type`: `Opaque`.
    pub kind: String,
    /// Changes with every write.
    pub resource_version: String,
    pub(super) data: BTreeMap<String, SecretSlice<u8>>,
}

impl SecretData {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.data.get(key).map(|value| value.expose_secret())
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.data.keys().map(String::as_str)
    }
}
