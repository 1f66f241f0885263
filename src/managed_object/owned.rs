//! Neighbours: objects that another object owns, and managers that go on declaring what they have declared. Neither is
//! taken from them in silence.

use kube::api::DynamicObject;
use serde_json::{Map, Value as Json};
use tfplugin::{Diagnostic, Path, Value};

use super::{Managed, ManagedResource, Scene};
use crate::management_cluster::error::OwnerOperation;
use crate::management_cluster::field_path::Step;
use crate::management_cluster::json_of;
use crate::management_cluster::managed_fields::{Entry, Owner, owners};

/// The attribute that lets an object go although another one owns it.
const DESTROY_OWNED: &str = "destroy_owned";

/// Field managers of tools that keep an object as it is declared, also where their entries are ordinary updates: Argo CD
/// without `ServerSideApply=true` applies as `kubectl apply` does, and Flux's helm-controller as Helm does.
const DECLARING: [&str; 3] = ["argocd-controller", "kustomize-controller", "helm-controller"];

/// True if a manager comes back to what it has set: by server-side apply, or as a tool that is known to. Everything else is
/// a one-off change.
pub(super) fn declares(manager: &str, operation: OwnerOperation) -> bool {
    operation == OwnerOperation::Apply || DECLARING.contains(&manager)
}

/// The same of an entry of `managedFields`.
pub(super) fn is_declared_by(owner: &Owner) -> bool {
    declares(&owner.manager, owner.operation)
}

/// The members of a manifest that somebody has set once, or that nobody owns: what an import may claim. What is declared
/// by another tool, and by no one else, is left out.
pub(super) fn claimable(manifest: &Map<String, Json>, entries: &[Entry]) -> Map<String, Json> {
    fn below(manifest: &Map<String, Json>, entries: &[Entry], path: &mut Vec<Step>) -> Map<String, Json> {
        let mut kept = Map::new();
        for (key, value) in manifest {
            path.push(Step::Field(key.clone()));
            match value {
                Json::Object(members) if !members.is_empty() => {
                    let inner = below(members, entries, path);
                    if !inner.is_empty() {
                        kept.insert(key.clone(), Json::Object(inner));
                    }
                }
                _ => {
                    let by = owners(entries, path);
                    if by.is_empty() || by.iter().any(|owner| !is_declared_by(owner)) {
                        kept.insert(key.clone(), value.clone());
                    }
                }
            }
            path.pop();
        }
        kept
    }
    below(manifest, entries, &mut Vec::new())
}

/// True if the controller of another object made this one, and goes on writing it.
pub(super) fn is_controlled(object: &DynamicObject) -> bool {
    object.metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true))
}

/// The objects that own one, as texts name them: `KamajiControlPlane blue (controlplane.cluster.x-k8s.io/v1alpha1)`.
pub(super) fn owning(live: &Json) -> Vec<String> {
    let references = live["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let text = |reference: &Json, key: &str| reference[key].as_str().unwrap_or_default().to_owned();
    let name = |it: &Json| format!("{} {} ({})", text(it, "kind"), text(it, "name"), text(it, "apiVersion"));
    references.map(name).collect()
}

/// True if the user has said that the owner does not matter.
pub(super) fn owner_may_lose(value: &Value) -> bool {
    value.get(DESTROY_OWNED).as_bool().unwrap_or(false)
}

/// The error for an object that must not go.
pub(super) fn refusal(object: &str, owning: &[String]) -> Diagnostic {
    Diagnostic::error(
        "Object belongs to another object",
        format!(
            "{object} is owned by {}. Whoever manages the owner decides about it, and may make it again when it is gone. Delete \
             the owner instead; or only take it out of the state (`terraform state rm`, or `on_destroy = \"orphan\"`). If it \
             is to go all the same, set `destroy_owned = true`, apply, and try again.",
            owning.join(" and ")
        ),
    )
    .at(Path::of(DESTROY_OWNED))
}

/// What an import or an adoption says about such an object.
pub(super) fn is_owned(object: &str, owning: &[String], controlled: bool) -> Diagnostic {
    let controlled = if controlled {
        " What its controller has set is not claimed: a change of it in the configuration is a conflict."
    } else {
        ""
    };
    Diagnostic::warning(
        "Object belongs to another object",
        format!(
            "{object} is owned by {}.{controlled} A destroy is refused while it is, unless `destroy_owned = true`.",
            owning.join(" and ")
        ),
    )
}

impl<M: Managed> ManagedResource<M> {
    /// The objects that own one, for the kinds that ask about it.
    pub(super) fn owning(&self, live: &Json) -> Vec<String> {
        let asks = self.managed.schema().attribute(DESTROY_OWNED).is_some();
        if asks { owning(live) } else { Vec::new() }
    }

    /// Looks at the object once more before it is deleted: somebody may have become its owner since the last refresh.
    pub(super) async fn check_owners(&self, scene: &Scene, uid: &str) -> Result<(), Diagnostic> {
        if self.managed.schema().attribute(DESTROY_OWNED).is_none() {
            return Ok(());
        }
        let found = scene.cluster.get(&scene.operation, &scene.object).await;
        let found = found.map_err(|error| error.to_diagnostic(&format!("read {}", scene.object)))?;
        let same = found.filter(|object| object.metadata.uid.as_deref() == Some(uid));
        let owning = same.map(|object| owning(&json_of(&object))).unwrap_or_default();
        if owning.is_empty() { Ok(()) } else { Err(refusal(&scene.object.to_string(), &owning)) }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
    use serde_json::json;

    use super::*;
    use crate::management_cluster::managed_fields::entries;

    #[test]
    fn what_another_tool_declares_is_not_claimed() {
        let entry = |manager: &str, operation: &str, fields: Json| json!({"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields});
        let raw: Vec<ManagedFieldsEntry> = serde_json::from_value(json!([
            entry("kustomize-controller", "Apply", json!({"f:spec": {"f:replicas": {}, "f:shared": {}}})),
            entry("argocd-controller", "Update", json!({"f:metadata": {"f:labels": {"f:instance": {}}}})),
            entry("kubectl-client-side-apply", "Update", json!({"f:spec": {"f:version": {}, "f:shared": {}}})),
        ]))
        .expect("managed fields");
        let manifest = json!({"metadata": {"labels": {"instance": "a"}},
            "spec": {"replicas": 2, "shared": 1, "version": "v1.30.0", "free": {}}});
        let claimed = claimable(manifest.as_object().expect("an object"), &entries(&raw));
        assert_eq!(Json::Object(claimed), json!({"spec": {"shared": 1, "version": "v1.30.0", "free": {}}}));
    }

    #[test]
    fn an_owner_has_kind_name_and_version() {
        let live = json!({"metadata": {"ownerReferences": [
            {"apiVersion": "controlplane.cluster.x-k8s.io/v1alpha1", "kind": "KamajiControlPlane", "name": "blue"}]}});
        assert_eq!(owning(&live), ["KamajiControlPlane blue (controlplane.cluster.x-k8s.io/v1alpha1)"]);
        assert!(owning(&json!({"metadata": {}})).is_empty());
    }
}
