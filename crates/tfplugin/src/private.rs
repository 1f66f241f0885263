//! Private state: what a resource remembers beside its attributes. Terraform stores the bytes and never looks inside.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The private state of one object: a JSON document of the resource's own shape, or nothing.
///
/// Absent for tainted objects and in the create leg of a replace, so whatever a delete needs must be in the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Private(Vec<u8>);

impl Private {
    /// From the wire.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// To the wire.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// True if nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is remembered; the default if there is nothing, or nothing that can be read: private state is a memory
    /// aid, never a reason to fail.
    pub fn read<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_slice(&self.0).unwrap_or_default()
    }

    /// Something to remember.
    pub fn write<T: Serialize>(content: &T) -> Self {
        Self(serde_json::to_vec(content).unwrap_or_default())
    }
}
