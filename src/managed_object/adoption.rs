//! Taking over objects that somebody else made: after an import, a move, or a create that may adopt.

use kube::api::DynamicObject;
use serde_json::{Map, Value as Json, json};

use super::Scene;
use super::memory::Memory;
use super::owned::{claimable, is_controlled, is_declared_by};
use crate::configured::is_of_an_action;
use crate::management_cluster::error::OwnerOperation;
use crate::management_cluster::field_path::Step;
use crate::management_cluster::managed_fields::{Entry, entries, owners};
use crate::management_cluster::{ApiError, ApplyOptions, Change, json_of};

/// After an import: makes the taken fields ours alone, so that a later removal removes. Our entry is made by applying
/// what was taken, with the values that the object has now; then the same fields leave the entries of the managers they
/// were taken from. Returns what is ours from now on.
pub(super) async fn take_over(
    scene: &Scene,
    found: DynamicObject,
    memory: &Memory,
) -> Result<Map<String, Json>, ApiError> {
    let mut found = found;
    let mut last = None;
    // Kamaji writes the status all the time while a control plane comes up: look again, a few times.
    for _ in 0..10 {
        match take_over_once(scene, &found, memory).await {
            // A failed test of a JSON patch is an invalid request to the API server.
            Err(error @ (ApiError::Conflict { .. } | ApiError::Invalid(_))) => last = Some(error),
            other => return other,
        }
        let again = scene.cluster.get(&scene.operation, &scene.object).await?;
        found = again.ok_or_else(|| ApiError::NotFound(scene.object.clone()))?;
    }
    Err(last.unwrap_or(ApiError::DeadlineExceeded { last: None }))
}

async fn take_over_once(scene: &Scene, found: &DynamicObject, memory: &Memory) -> Result<Map<String, Json>, ApiError> {
    let taken = current(&memory.applied, &json_of(found), &managed(found), &mut Vec::new());
    let mut manifest = Json::Object(taken.clone());
    manifest["metadata"]["resourceVersion"] = json!(found.metadata.resource_version);
    // The values are those of the object, so nobody's are overwritten and nothing conflicts.
    let options = ApplyOptions { field_manager: scene.field_manager.clone(), force: false, dry_run: false };
    let written = scene.cluster.apply(&scene.operation, &scene.object, &manifest, &options).await?;
    let ours: Vec<Vec<Step>> = written_by_us(&written.object, &scene.field_manager);
    let Ok(mut fields) = serde_json::to_value(&written.object.metadata.managed_fields) else { return Ok(taken) };
    let mut changed = false;
    for entry in fields.as_array_mut().into_iter().flatten() {
        let whole = entry.get("subresource").is_none_or(|subresource| subresource == "");
        let from = match entry["operation"].as_str() {
            Some("Update") => &memory.adopted_from[..],
            Some("Apply") => &memory.moved_from[..],
            _ => &[],
        };
        if whole && entry["manager"].as_str().is_some_and(|manager| from.iter().any(|from| from == manager)) {
            for path in &ours {
                changed |= remove(&mut entry["fieldsV1"], path);
            }
        }
    }
    if !changed {
        return Ok(taken);
    }
    let patch = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": written.object.metadata.resource_version},
        {"op": "replace", "path": "/metadata/managedFields", "value": fields},
    ]);
    scene.cluster.patch(&scene.operation, &scene.object, &Change::Json(patch), &scene.field_manager).await?;
    Ok(taken)
}

/// The members of `shape` with the values of `live`. What is gone, and what an autoscaler has taken meanwhile, is left
/// out.
fn current(shape: &Map<String, Json>, live: &Json, entries: &[Entry], path: &mut Vec<Step>) -> Map<String, Json> {
    let mut members = Map::new();
    for (key, inner) in shape {
        let Some(now) = live.get(key) else { continue };
        path.push(Step::Field(key.clone()));
        let scaled = owners(entries, path).iter().any(|owner| owner.subresource.is_some());
        match (inner, now) {
            (Json::Object(inner), Json::Object(_)) => {
                members.insert(key.clone(), Json::Object(current(inner, now, entries, path)));
            }
            _ if scaled => {}
            _ => {
                members.insert(key.clone(), now.clone());
            }
        }
        path.pop();
    }
    members
}

fn written_by_us(object: &DynamicObject, field_manager: &str) -> Vec<Vec<Step>> {
    managed(object)
        .into_iter()
        .filter(|entry| entry.owner.manager == field_manager && entry.owner.operation == OwnerOperation::Apply)
        .flat_map(|entry| entry.paths())
        .collect()
}

pub(super) fn managed(object: &DynamicObject) -> Vec<Entry> {
    entries(object.metadata.managed_fields.as_deref().unwrap_or_default())
}

/// Takes a path out of a `fieldsV1` tree, and parents that hold nothing any more.
fn remove(fields: &mut Json, path: &[Step]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let Some(members) = fields.as_object_mut() else { return false };
    let key = match first {
        Step::Field(name) | Step::Key(name) => format!("f:{name}"),
        Step::Index(index) => format!("i:{index}"),
        Step::Element(keys) => format!("k:{}", serde_json::to_string(keys).unwrap_or_default()),
        Step::Member(value) => format!("v:{value}"),
    };
    if rest.is_empty() {
        return members.remove(&key).is_some();
    }
    let Some(inner) = members.get_mut(&key) else { return false };
    let removed = remove(inner, rest);
    let hollow = inner.as_object().is_some_and(|inner| inner.keys().all(|key| key == "."));
    if removed && hollow {
        members.remove(&key);
    }
    removed
}

/// What an import or a move takes over: our own fields if there are any, after a move those of the old resource's
/// manager, otherwise every field that somebody owns. The managers are those whose ordinary updates own one of them.
pub(super) struct Adoption {
    entries: Vec<Entry>,
    whose: Whose,
}

/// Whose fields an adoption takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Moved,
    Others,
    /// Those of the controller of another object, and of whoever else has set something.
    AControllers,
}

impl Adoption {
    /// Looks at who owns what.
    pub(super) fn of(object: &DynamicObject, field_manager: &str, moved_from: &[String]) -> Self {
        let mut entries = managed(object);
        let is_ours =
            |entry: &Entry| entry.owner.manager == field_manager && entry.owner.operation == OwnerOperation::Apply;
        let is_moved =
            |entry: &Entry| entry.owner.operation == OwnerOperation::Apply && moved_from.contains(&entry.owner.manager);
        let whose = if entries.iter().any(is_ours) {
            entries.retain(is_ours);
            Whose::Ours
        } else if entries.iter().any(is_moved) {
            entries.retain(is_moved);
            Whose::Moved
        } else {
            // What Kamaji and actions write, and what lives in a subresource, is nobody's configuration.
            let is_someones = |manager: &str| manager != KAMAJI && !is_of_an_action(manager, field_manager);
            entries.retain(|entry| is_someones(&entry.owner.manager) && entry.owner.subresource.is_none());
            if is_controlled(object) { Whose::AControllers } else { Whose::Others }
        };
        Self { entries, whose }
    }

    /// True if a field is taken. A webhook's default is owned by nobody.
    pub(super) fn takes(&self, path: &[&str]) -> bool {
        let steps: Vec<Step> = path.iter().map(|key| Step::Field((*key).to_owned())).collect();
        !owners(&self.entries, &steps).is_empty()
    }

    /// True if the object is that of a provider with our field manager.
    pub(super) fn is_ours(&self) -> bool {
        self.whose == Whose::Ours
    }

    /// The part of what was taken that is ours from now on. What another tool declares, and what the controller of an
    /// owner has set, is shown in the state and left to them.
    pub(super) fn claimed(&self, manifest: Map<String, Json>) -> Map<String, Json> {
        match self.whose {
            Whose::Ours | Whose::Moved => manifest,
            Whose::Others => claimable(&manifest, &self.entries),
            Whose::AControllers => Map::new(),
        }
    }

    /// The managers to take the fields from at the first apply.
    pub(super) fn managers(&self) -> Vec<String> {
        let mut managers: Vec<String> = self
            .entries
            .iter()
            .filter(|entry| self.whose == Whose::Others && !is_declared_by(&entry.owner))
            .map(|entry| entry.owner.manager.clone())
            .collect();
        managers.sort();
        managers.dedup();
        managers
    }
}

/// Name of Kamaji's own field manager: that of its executable.
const KAMAJI: &str = "kamaji";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_path_takes_hollow_parents_with_it() {
        let mut fields = json!({"f:spec": {".": {}, "f:a": {"f:b": {}}, "f:c": {}}});
        let path = [Step::Field("spec".into()), Step::Field("a".into()), Step::Field("b".into())];
        assert!(remove(&mut fields, &path));
        assert_eq!(fields, json!({"f:spec": {".": {}, "f:c": {}}}));
        assert!(!remove(&mut fields, &path));
    }
}
