//! Who wins: what to do about fields that another manager owns.
//!
//! A one-off change of a field that we applied is drift: the plan showed it, so the apply takes it back. A declarative
//! owner (operation Apply), an autoscaler (a subresource) or a field that we claim for the first time is the user's
//! decision.

use kube::api::DynamicObject;
use serde_json::{Value as Json, json};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::adoption::managed;
use super::locate::attribute_path;
use super::memory::Memory;
use super::metadata::{among_all, changed_defaults};
use super::owned::declares;
use super::{Scene, unseen};
use crate::management_cluster::error::{FieldConflict, OwnerOperation};
use crate::management_cluster::field_path::{Step, parse};
use crate::management_cluster::managed_fields::owners;
use crate::management_cluster::{ApiError, ApplyOptions, Written, json_of};

/// True if a conflicting field is ours to take without asking.
pub(super) fn is_ours(conflict: &FieldConflict, memory: &Memory) -> bool {
    let moved = conflict.operation == OwnerOperation::Apply && memory.moved_from.contains(&conflict.manager);
    let one_off = !declares(&conflict.manager, conflict.operation) && conflict.subresource.is_none();
    moved || one_off && (memory.adopted_from.contains(&conflict.manager) || was_applied(&conflict.field, memory))
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
            (OwnerOperation::Update, None) if declares(&conflict.manager, conflict.operation) => {
                "keeps it as it is declared elsewhere".to_owned()
            }
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
    let conflicts = match unseen::apply(scene, write.manifest, &options).await {
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
        match unseen::apply(scene, &guarded, &options).await {
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
        // A default of the provider block is not among the resource's own.
        let places = [Some(path.clone()), among_all(&path)];
        let moved = |place: &tfplugin::Path| {
            prior.at(place).is_some_and(|shown| !shown.is_null() && now.at(place) != Some(shown))
        };
        // What the configuration had not before is claimed for the first time: there was nothing to show.
        if places.iter().flatten().any(moved) {
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

/// A warning for each attribute of ours that somebody changed: who, how and when. The plan shows the values.
pub(super) fn drift(schema: &Schema, object: &DynamicObject, before: &Value, after: &Value) -> Diagnostics {
    let entries = managed(object);
    let mut warnings = Diagnostics::new();
    let own = tfplugin::plan::changes(&schema.attributes, before, after);
    for change in own.into_iter().chain(changed_defaults(before, after)) {
        let Some(api) = api_path(schema, &change.path) else { continue };
        let steps: Vec<Step> = api.into_iter().map(Step::Field).collect();
        // Without an update it was an apply: of another one, or of ours whose answer was lost.
        let all = owners(&entries, &steps);
        let by = all.iter().find(|owner| owner.operation == OwnerOperation::Update).or(all.first());
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
            moved_from: vec!["Terraform".to_owned()],
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
    #[case::a_moved_one(".spec.other", "Terraform", OwnerOperation::Apply, None, true)]
    #[case::gitops(".metadata.labels.team", "argocd-controller", OwnerOperation::Apply, None, false)]
    #[case::gitops_by_updates(".metadata.labels.team", "argocd-controller", OwnerOperation::Update, None, false)]
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
}
