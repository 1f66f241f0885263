//! Who wins: what to do about fields that another manager owns.
//!
//! A one-off change of a field that we applied is drift: the plan showed it, so the apply takes it back. A declarative
//! owner (operation Apply), an autoscaler (a subresource) or a field that we claim for the first time is the user's
//! decision.

use kube::api::DynamicObject;
use serde_json::{Map, Value as Json, json};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::Scene;
use super::locate::attribute_path;
use super::memory::Memory;
use crate::management_cluster::error::{FieldConflict, OwnerOperation};
use crate::management_cluster::field_path::{Step, parse};
use crate::management_cluster::managed_fields::{Entry, entries, owners};
use crate::management_cluster::{ApiError, ApplyOptions, Change, Written, json_of};

/// True if a conflicting field is ours to take without asking.
pub(super) fn is_ours(conflict: &FieldConflict, memory: &Memory) -> bool {
    let one_off = conflict.operation == OwnerOperation::Update && conflict.subresource.is_none();
    one_off && (memory.adopted_from.contains(&conflict.manager) || was_applied(&conflict.field, memory))
}

fn was_applied(field: &str, memory: &Memory) -> bool {
    let steps = parse(field);
    let Some((Step::Field(first), rest)) = steps.split_first() else { return false };
    let Some(mut json) = memory.applied.get(first) else { return false };
    for step in rest {
        let next = match step {
            Step::Field(name) | Step::Key(name) => json.get(name),
            Step::Index(index) => json.get(index),
            // Elements of keyed lists and sets: the list as a whole was applied.
            Step::Element(_) | Step::Member(_) => return true,
        };
        match next {
            Some(next) => json = next,
            None => return false,
        }
    }
    true
}

/// One diagnostic per field that is not ours to take: who owns it, how, since when, and the three ways out.
pub(super) fn refusals(schema: &Schema, conflicts: &[FieldConflict], memory: &Memory) -> Diagnostics {
    let mut refusals = Diagnostics::new();
    for conflict in conflicts.iter().filter(|conflict| !is_ours(conflict, memory)) {
        let path = attribute_path(schema, &conflict.field);
        let how = match (&conflict.operation, &conflict.subresource) {
            (OwnerOperation::Apply, _) => "declares it by server-side apply".to_owned(),
            (OwnerOperation::Update, Some(subresource)) => {
                format!("sets it through the subresource {subresource:?}, as an autoscaler does")
            }
            (OwnerOperation::Update, None) => "has set it".to_owned(),
        };
        let time = conflict.time.as_deref().map(|time| format!(", last at {time}")).unwrap_or_default();
        refusals.push(
            Diagnostic::error(
                "Field owned by another manager",
                format!(
                    "{} belongs to the field manager {:?}, which {how}{time}.\n\nThree ways out:\n  - take it over: set \
                     `force_conflicts = true` on this resource;\n  - leave it to {:?}: remove the attribute from the \
                     configuration;\n  - share it: configure the value that it has now.",
                    conflict.field, conflict.manager, conflict.manager
                ),
            )
            .at(path),
        );
    }
    refusals
}

/// One server-side apply.
pub(super) struct Apply<'a> {
    /// What is sent.
    pub manifest: &'a Json,
    /// What is ours.
    pub memory: &'a Memory,
    /// Takes everything, as the user wishes.
    pub force: bool,
    /// Nothing is stored.
    pub dry_run: bool,
    /// The object as the plan showed it; [`None`] if there was none, or for the plan itself.
    pub prior: Option<&'a Value>,
}

/// Applies a manifest, taking back what is ours. A forced apply carries the resource version of what it was decided on,
/// and takes back only what the plan showed, so that nothing newer is overwritten.
pub(super) async fn apply(
    scene: &Scene,
    schema: &Schema,
    write: &Apply<'_>,
    doing: &str,
) -> Result<Written, ApplyFailed> {
    let options = ApplyOptions { field_manager: scene.field_manager.clone(), force: false, dry_run: write.dry_run };
    let failed = |error: ApiError| ApplyFailed {
        diagnostics: super::locate::diagnostics(schema, &error, doing),
        error: Some(error),
    };
    let conflicts = match scene.cluster.apply(&scene.operation, &scene.object, write.manifest, &options).await {
        Ok(written) => return Ok(written),
        Err(ApiError::FieldConflict(conflicts)) => conflicts,
        Err(error) => return Err(failed(error)),
    };
    let refused =
        |diagnostics: Diagnostics| ApplyFailed { diagnostics, error: Some(ApiError::FieldConflict(conflicts.clone())) };
    if !write.force {
        let refusals = refusals(schema, &conflicts, write.memory);
        if !refusals.is_empty() {
            return Err(refused(refusals));
        }
    }
    let options = ApplyOptions { force: true, ..options };
    // Somebody may write between the read and the apply: look again, a few times.
    let mut last = None;
    for _ in 0..5 {
        let Some(live) = scene.cluster.get(&scene.operation, &scene.object).await.map_err(failed)? else {
            return Err(failed(ApiError::NotFound(scene.object.clone())));
        };
        if let Some(prior) = write.prior.filter(|_| !write.force) {
            let newer = newer(schema, &conflicts, prior, &json_of(&live));
            if !newer.is_empty() {
                return Err(refused(newer));
            }
        }
        let mut guarded = write.manifest.clone();
        guarded["metadata"]["resourceVersion"] = json!(live.metadata.resource_version);
        match scene.cluster.apply(&scene.operation, &scene.object, &guarded, &options).await {
            Err(error @ ApiError::Conflict { .. }) => last = Some(error),
            other => return other.map_err(failed),
        }
    }
    Err(failed(last.unwrap_or(ApiError::DeadlineExceeded { last: None })))
}

/// One diagnostic per conflicting field that somebody has changed since the plan was made.
fn newer(schema: &Schema, conflicts: &[FieldConflict], prior: &Value, live: &Json) -> Diagnostics {
    let now = super::mapping::refresh(&schema.attributes, prior, live);
    let mut newer = Diagnostics::new();
    for conflict in conflicts {
        let path = attribute_path(schema, &conflict.field);
        // What the configuration had not before is claimed for the first time: there was nothing to show.
        if prior.at(&path).is_some_and(|shown| !shown.is_null() && now.at(&path) != Some(shown)) {
            newer.push(
                Diagnostic::error(
                    "Changed since the plan was made",
                    format!(
                        "The field manager {:?} has changed {} after this plan was made, so the plan did not show it. Plan \
                         again to see the new value.",
                        conflict.manager, conflict.field
                    ),
                )
                .at(path),
            );
        }
    }
    newer
}

/// An apply that was refused or did not arrive.
pub(super) struct ApplyFailed {
    /// For the user.
    pub diagnostics: Diagnostics,
    /// What the API said.
    pub error: Option<ApiError>,
}

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
        let adopted = entry["operation"] == "Update"
            && entry.get("subresource").is_none_or(|subresource| subresource == "")
            && entry["manager"].as_str().is_some_and(|manager| memory.adopted_from.iter().any(|from| from == manager));
        if adopted {
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

fn managed(object: &DynamicObject) -> Vec<Entry> {
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

/// What an import takes over: our own fields if there are any, otherwise every field that somebody owns. The managers
/// are those whose ordinary updates own one of them.
pub(super) struct Adoption {
    entries: Vec<Entry>,
    only_ours: bool,
}

impl Adoption {
    /// Looks at who owns what.
    pub(super) fn of(object: &DynamicObject, field_manager: &str) -> Self {
        let mut entries = managed(object);
        let is_ours =
            |entry: &Entry| entry.owner.manager == field_manager && entry.owner.operation == OwnerOperation::Apply;
        let only_ours = entries.iter().any(is_ours);
        if only_ours {
            entries.retain(is_ours);
        } else {
            // What Kamaji writes, and what lives in a subresource, is nobody's configuration.
            entries.retain(|entry| entry.owner.manager != KAMAJI && entry.owner.subresource.is_none());
        }
        Self { entries, only_ours }
    }

    /// True if a field is taken. A webhook's default is owned by nobody.
    pub(super) fn takes(&self, path: &[&str]) -> bool {
        let steps: Vec<Step> = path.iter().map(|key| Step::Field((*key).to_owned())).collect();
        !owners(&self.entries, &steps).is_empty()
    }

    /// The managers to take the fields from at the first apply.
    pub(super) fn managers(&self) -> Vec<String> {
        let mut managers: Vec<String> = self
            .entries
            .iter()
            .filter(|entry| !self.only_ours && entry.owner.operation == OwnerOperation::Update)
            .map(|entry| entry.owner.manager.clone())
            .collect();
        managers.sort();
        managers.dedup();
        managers
    }
}

/// Name of Kamaji's own field manager: that of its executable.
const KAMAJI: &str = "kamaji";

/// A warning for each attribute of ours that somebody changed: who, how and when. The plan shows the values.
pub(super) fn drift(schema: &Schema, object: &DynamicObject, before: &Value, after: &Value) -> Diagnostics {
    let entries = managed(object);
    let mut warnings = Diagnostics::new();
    for change in tfplugin::plan::changes(&schema.attributes, before, after) {
        let Some(api) = api_path(schema, &change.path) else { continue };
        let steps: Vec<Step> = api.into_iter().map(Step::Field).collect();
        let by = owners(&entries, &steps).into_iter().find(|owner| owner.operation == OwnerOperation::Update);
        let who = by.map_or_else(
            || "Nobody owns the field now: it was removed".to_owned(),
            |owner| {
                let subresource =
                    owner.subresource.as_deref().map(|s| format!(" with subresource {s:?}")).unwrap_or_default();
                let time = owner.time.as_deref().map(|time| format!(" at {time}")).unwrap_or_default();
                format!("Field manager {:?}{subresource}{time} changed it", owner.manager)
            },
        );
        warnings.push(
            Diagnostic::warning(
                "Changed outside Terraform",
                format!(
                    "{} was changed behind Terraform's back. {who}. The plan shows what an apply would do.",
                    change.path
                ),
            )
            .at(change.path),
        );
    }
    warnings
}

/// The API keys of an attribute path.
fn api_path(schema: &Schema, path: &tfplugin::Path) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut attributes = &schema.attributes[..];
    for step in path.steps() {
        match step {
            tfplugin::path::Step::Attribute(name) => {
                let attribute = attributes.iter().find(|attribute| attribute.name == *name)?;
                keys.extend(attribute.api.as_ref()?.key.split('.').map(str::to_owned));
                attributes = attribute.nested();
            }
            tfplugin::path::Step::Key(key) => keys.push(key.clone()),
            // Lists are owned as a whole.
            tfplugin::path::Step::Index(_) => break,
        }
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(applied: &Json) -> Memory {
        Memory {
            applied: applied.as_object().cloned().unwrap_or_default(),
            adopted_from: vec!["kubectl-client-side-apply".to_owned()],
            ..Memory::default()
        }
    }

    fn conflict(field: &str, manager: &str, operation: OwnerOperation, subresource: Option<&str>) -> FieldConflict {
        FieldConflict {
            field: field.to_owned(),
            manager: manager.to_owned(),
            subresource: subresource.map(str::to_owned),
            operation,
            time: None,
            message: String::new(),
        }
    }

    #[rstest::rstest]
    #[case::a_one_off_change_of_ours(".metadata.labels.team", "kubectl-label", OwnerOperation::Update, None, true)]
    #[case::a_field_claimed_anew(".spec.other", "kubectl-edit", OwnerOperation::Update, None, false)]
    #[case::an_imported_one(".spec.other", "kubectl-client-side-apply", OwnerOperation::Update, None, true)]
    #[case::an_autoscaler(".spec.replicas", "kubectl", OwnerOperation::Update, Some("scale"), false)]
    #[case::gitops(".metadata.labels.team", "argocd-controller", OwnerOperation::Apply, None, false)]
    fn only_one_off_changes_of_what_we_applied_are_taken_back(
        #[case] field: &str,
        #[case] manager: &str,
        #[case] operation: OwnerOperation,
        #[case] subresource: Option<&str>,
        #[case] taken: bool,
    ) {
        let memory = memory(&json!({"metadata": {"labels": {"team": "a"}}, "spec": {"replicas": 2}}));
        assert_eq!(is_ours(&conflict(field, manager, operation, subresource), &memory), taken);
    }

    #[test]
    fn a_removed_path_takes_hollow_parents_with_it() {
        let mut fields = json!({"f:spec": {".": {}, "f:a": {"f:b": {}}, "f:c": {}}});
        let path = [Step::Field("spec".into()), Step::Field("a".into()), Step::Field("b".into())];
        assert!(remove(&mut fields, &path));
        assert_eq!(fields, json!({"f:spec": {".": {}, "f:c": {}}}));
        assert!(!remove(&mut fields, &path));
    }
}
