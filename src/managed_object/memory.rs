//! What a resource remembers in private state.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The private state of an object of the management cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What was applied last, without `apiVersion` and `kind`: what is ours. managedFields cannot tell, since another
    /// manager's update removes a field from our entry.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub applied: Map<String, Json>,
    /// The nonce of the create, as the object carries it in [`NONCE`]: proof that an object whose create got no answer
    /// is ours.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// True once the object has worked; only then is it protected against deletion.
    pub was_ready: bool,
    /// True after a wait that ended badly: the next plan goes on with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// Written by the first plan of a replace: the state that the destroy will see protects the object.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protected_in_state: bool,
    /// Written by a plan that allows the object to be deleted; read by the destroy leg of a replace, which has no
    /// configuration.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_delete: bool,
    /// Written by the first plan of a replace: what is lost has been said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub loss_said: bool,
    /// Written by the first plan of a replace: the state that the destroy will see leaves the object where it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub orphan_in_state: bool,
    /// Written by a plan that allows the nodes to be lost; read by the destroy leg of a replace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_lose_nodes: bool,
    /// The objects that own this one, as texts name them, as they were seen last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owned_by: Vec<String>,
    /// Written by a plan that allows the object to be taken from its owner; read by the destroy leg of a replace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_take_owned: bool,
    /// After an import: managers whose ordinary updates own the taken fields, until the first apply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adopted_from: Vec<String>,
    /// After a move: managers whose server-side applies own the taken fields, until the first apply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_from: Vec<String>,
    /// After a move: the next refresh takes over what the object has.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopting: bool,
    /// Written by the plan of a replace: the create that follows adopts nothing, since what it finds may be what is to be
    /// replaced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replacing: bool,
    /// UID of the cluster that the object lives in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Checksum of the credentials that the computed values were read from; a refresh reads them again when it moved.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub observed_checksum: String,
}

impl Memory {
    /// True while fields still belong to the managers that they were taken over from.
    pub fn has_adopted(&self) -> bool {
        !self.adopted_from.is_empty() || !self.moved_from.is_empty()
    }

    /// After a write: the object is like any other.
    pub fn settle_in(&mut self) {
        self.adopted_from.clear();
        self.moved_from.clear();
        self.adopting = false;
        self.forget_plan();
    }
}

/// Annotation that carries the nonce of a create.
pub const NONCE: &str = "terraform.kamaji.clastix.io/create";

impl Memory {
    /// Forgets what a plan wrote for its apply.
    pub fn forget_plan(&mut self) {
        self.protected_in_state = false;
        self.may_delete = false;
        self.loss_said = false;
        self.orphan_in_state = false;
        self.may_lose_nodes = false;
        self.may_take_owned = false;
        self.replacing = false;
    }

    /// What was applied at a path of keys with dots.
    pub fn applied_at(&self, dotted: &str) -> Option<&Json> {
        let found = super::mapping::within(&self.applied, dotted);
        (!found.is_null()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfplugin::private::Private;

    #[test]
    fn survives_the_state_and_forgets_nothing_by_absence() {
        let memory = Memory { nonce: "n".to_owned(), was_ready: true, ..Memory::default() };
        assert_eq!(Private::write(&memory).read::<Memory>(), memory);
        assert_eq!(Private::default().read::<Memory>(), Memory::default());
        assert_eq!(Private::from_bytes(b"not json".to_vec()).read::<Memory>(), Memory::default());
    }
}
