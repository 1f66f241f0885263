//! Who owns a field: `metadata.managedFields` of an object, read.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value};

use super::error::OwnerOperation;
use super::field_path::Step;

/// One entry of `managedFields`: a manager and the fields that it owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who.
    pub owner: Owner,
    /// The `fieldsV1` tree as it came.
    fields: Map<String, Value>,
}

/// A field manager, as it took its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub manager: String,
    /// How.
    pub operation: OwnerOperation,
    /// `status`, `scale`; [`None`] for the object itself.
    pub subresource: Option<String>,
    /// When it last changed its fields, RFC 3339.
    pub time: Option<String>,
}

/// The entries of an object. Entries that cannot be read are left out: nobody is better than a wrong owner.
pub fn entries(managed_fields: &[ManagedFieldsEntry]) -> Vec<Entry> {
    managed_fields.iter().filter_map(entry).collect()
}

fn entry(raw: &ManagedFieldsEntry) -> Option<Entry> {
    let Value::Object(fields) = raw.fields_v1.as_ref().map(|fields| &fields.0)? else { return None };
    let operation = match raw.operation.as_deref() {
        Some("Apply") => OwnerOperation::Apply,
        Some("Update") => OwnerOperation::Update,
        _ => return None,
    };
    let owner = Owner {
        manager: raw.manager.clone().unwrap_or_default(),
        operation,
        subresource: raw.subresource.clone().filter(|name| !name.is_empty()),
        time: raw.time.as_ref().map(|time| time.0.to_string()),
    };
    Some(Entry { owner, fields: fields.clone() })
}

impl Entry {
    /// True if this manager owns the field at a path, or something inside it.
    pub fn owns(&self, path: &[Step]) -> bool {
        let mut node = &self.fields;
        for (position, step) in path.iter().enumerate() {
            let Some(Value::Object(inside)) = child(node, step) else { return false };
            // Everything below an owned leaf belongs to it: atomic lists and maps are leaves.
            if inside.is_empty() {
                return true;
            }
            // An index says nothing about a keyed list: its elements are named by their keys.
            if matches!(path.get(position + 1), Some(Step::Index(_))) {
                return true;
            }
            node = inside;
        }
        true
    }

    /// The paths that this manager owns: the leaves, and `.` entries (the object or element itself) without a step of
    /// their own.
    pub fn paths(&self) -> Vec<Vec<Step>> {
        let mut paths = Vec::new();
        collect(&self.fields, &mut Vec::new(), &mut paths);
        paths
    }
}

/// The owners of the field at a path or of something inside it, in the order of `managedFields`.
pub fn owners<'a>(entries: &'a [Entry], path: &[Step]) -> Vec<&'a Owner> {
    entries.iter().filter(|entry| entry.owns(path)).map(|entry| &entry.owner).collect()
}

fn child<'a>(node: &'a Map<String, Value>, step: &Step) -> Option<&'a Value> {
    node.iter().find(|(name, _)| read_step(name).is_some_and(|own| own.means(step))).map(|(_, inside)| inside)
}

fn collect(node: &Map<String, Value>, at: &mut Vec<Step>, paths: &mut Vec<Vec<Step>>) {
    for (name, inside) in node {
        if name == "." {
            paths.push(at.clone());
        } else if let (Some(step), Value::Object(inside)) = (read_step(name), inside) {
            at.push(step);
            if inside.is_empty() {
                paths.push(at.clone());
            } else {
                collect(inside, at, paths);
            }
            at.pop();
        }
    }
}

/// `f:name`, `k:{"key":"value"}`, `v:"value"`, `i:0`.
fn read_step(name: &str) -> Option<Step> {
    let (kind, text) = name.split_once(':')?;
    match kind {
        "f" => Some(Step::Field(text.to_owned())),
        "k" => serde_json::from_str::<BTreeMap<String, Value>>(text).ok().map(Step::Element),
        "v" => serde_json::from_str(text).ok().map(Step::Member),
        "i" => text.parse().ok().map(Step::Index),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::management_cluster::field_path::parse;

    fn managed() -> Vec<Entry> {
        let raw: Vec<ManagedFieldsEntry> = serde_json::from_value(json!([
            {"manager": "terraform-provider-kamaji", "operation": "Apply", "apiVersion": "kamaji.clastix.io/v1alpha1",
             "time": "2026-11-24T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {
                "f:metadata": {"f:labels": {"f:team": {}}},
                "f:spec": {
                    "f:controlPlane": {"f:deployment": {"f:replicas": {}, "f:extraArgs": {}}},
                    "f:networkProfile": {"f:certSANs": {}},
                    "f:kubernetes": {"f:kubelet": {"f:preferredAddressTypes": {"v:\"Hostname\"": {}}}}}}},
            {"manager": "kubectl", "operation": "Update", "subresource": "scale", "time": "2026-11-24T11:00:00Z",
             "fieldsV1": {"f:spec": {"f:controlPlane": {"f:deployment": {"f:replicas": {}}}}}},
            {"manager": "kamaji", "operation": "Update", "fieldsV1": {
                "f:metadata": {"f:annotations": {".": {}, "f:kamaji.clastix.io/soot": {}},
                               "f:finalizers": {".": {}, "v:\"finalizer.kamaji.clastix.io\"": {}}},
                "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:name": {}}}}}},
            {"manager": "broken", "operation": "Update"}
        ]))
        .expect("managed fields");
        entries(&raw)
    }

    #[rstest::rstest]
    #[case(".spec.controlPlane.deployment.replicas", &["terraform-provider-kamaji", "kubectl"])]
    #[case("spec.controlPlane", &["terraform-provider-kamaji", "kubectl"])]
    #[case("spec.networkProfile.certSANs[1]", &["terraform-provider-kamaji"])]
    #[case("spec.controlPlane.deployment.extraArgs.apiServer", &["terraform-provider-kamaji"])]
    #[case("metadata.labels[team]", &["terraform-provider-kamaji"])]
    #[case("metadata.labels.other", &[])]
    #[case("metadata.annotations[\"kamaji.clastix.io/soot\"]", &["kamaji"])]
    #[case("spec.kubernetes.kubelet.preferredAddressTypes[=\"Hostname\"]", &["terraform-provider-kamaji"])]
    #[case("spec.kubernetes.kubelet.preferredAddressTypes[=\"InternalIP\"]", &[])]
    #[case("spec.ports[port=80,protocol=\"TCP\"].name", &["kamaji"])]
    #[case("spec.ports[port=81,protocol=\"TCP\"]", &[])]
    #[case("spec.ports[0].name", &["kamaji"])]
    #[case("spec.nothing", &[])]
    fn a_path_has_its_owners(#[case] path: &str, #[case] expected: &[&str]) {
        let entries = managed();
        let found: Vec<&str> = owners(&entries, &parse(path)).iter().map(|owner| owner.manager.as_str()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_owner_is_told_with_operation_subresource_and_time() {
        let entries = managed();
        assert_eq!(entries.len(), 3);
        assert_eq!(
            entries[1].owner,
            Owner {
                manager: "kubectl".into(),
                operation: OwnerOperation::Update,
                subresource: Some("scale".into()),
                time: Some("2026-11-24T11:00:00Z".into()),
            }
        );
    }

    #[test]
    fn the_paths_of_a_manager_are_its_leaves() {
        let paths: Vec<String> =
            managed()[2].paths().iter().map(|path| path.iter().map(ToString::to_string).collect()).collect();
        let expected = [
            ".metadata.annotations",
            ".metadata.annotations.kamaji.clastix.io/soot",
            ".metadata.finalizers",
            ".metadata.finalizers[=\"finalizer.kamaji.clastix.io\"]",
            ".spec.ports[port=80,protocol=\"TCP\"]",
            ".spec.ports[port=80,protocol=\"TCP\"].name",
            ".spec.ports[port=80,protocol=\"TCP\"].port",
        ];
        assert_eq!(paths, expected);
    }

    proptest::proptest! {
        #[test]
        fn every_path_of_a_manager_is_owned_by_it(names in proptest::collection::vec("[a-z]{1,3}", 1..12)) {
            let mut fields = json!({});
            for (depth, name) in names.iter().enumerate() {
                let key = if depth % 3 == 2 { format!("v:{name:?}") } else { format!("f:{name}") };
                let place = fields.as_object_mut().expect("an object");
                if depth % 2 == 0 { place.insert(key, json!({})); } else {
                    place.insert(format!("k:{{\"name\":{name:?}}}"), json!({".": {}, key: {}}));
                }
            }
            let raw: ManagedFieldsEntry = serde_json::from_value(
                json!({"manager": "m", "operation": "Apply", "fieldsV1": fields})).expect("an entry");
            let entry = entry(&raw).expect("readable");
            for path in entry.paths() {
                proptest::prop_assert!(entry.owns(&path), "{path:?}");
            }
        }
    }
}
