//! Objects whose last member is given up and that stay as empty ones: since Kamaji owns them as such (it writes `{}` where
//! nothing was configured), or since an empty one is what is wanted. The API server makes null of them, and refuses that;
//! an empty object in what is applied does not help, since it ends as null, too.

use serde_json::{Map, Value as Json};

use super::Scene;
use super::mapping::{put, within};
use crate::management_cluster::{ApiError, Change, InvalidField};

/// What has to be removed before, as paths, if an apply was refused for nothing but such objects: the object itself, or
/// its members where an empty one is wanted. [`None`] if anything else is refused.
pub(super) fn emptied(error: &ApiError, applied: &Map<String, Json>, manifest: &Json) -> Option<Vec<String>> {
    let (ApiError::Invalid(fields), Json::Object(manifest)) = (error, manifest) else { return None };
    let mut paths = Vec::new();
    for InvalidField { field, message, .. } in fields {
        let (before, now) = (within(applied, field), within(manifest, field));
        if !message.contains("must be of type object: \"null\"") || before.is_null() {
            return None;
        }
        match (before, now) {
            (_, Json::Null) => paths.push(field.clone()),
            (Json::Object(before), Json::Object(now)) if now.is_empty() => {
                paths.extend(before.keys().map(|key| format!("{field}.{key}")));
            }
            _ => return None,
        }
    }
    (!paths.is_empty()).then_some(paths)
}

/// Removes them, whoever owns them: nothing is in them any more but what is given up.
pub(super) async fn remove(scene: &Scene, uid: &str, paths: &[String]) -> Result<(), ApiError> {
    let mut change = Map::new();
    put(&mut change, "metadata.uid", uid.into());
    for path in paths {
        put(&mut change, path, Json::Null);
    }
    let change = Change::Merge(Json::Object(change));
    scene.cluster.patch(&scene.operation, &scene.object, &change, &scene.field_manager).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    fn refused(fields: &[(&str, &str)]) -> ApiError {
        let field = |(field, message): &(&str, &str)| InvalidField {
            field: (*field).to_owned(),
            message: format!("Invalid value: \"null\": {field} in body must be of type {message}"),
        };
        ApiError::Invalid(fields.iter().map(field).collect())
    }

    #[test]
    fn only_a_refusal_of_what_is_given_up_counts() {
        let applied = json!({"spec": {"addons": {"coreDNS": {}}, "writePermissions": {"blockUpdate": true}}});
        let applied = applied.as_object().expect("an object");
        let manifest = json!({"spec": {"writePermissions": {"blockCreation": true}}});
        let of = |fields: &[(&str, &str)]| {
            let error = refused(fields);
            emptied(&error, applied, &manifest).map(|paths| paths.join(" "))
        };
        let null = "object: \"null\"";
        assert_eq!(of(&[("spec.addons", null)]).as_deref(), Some("spec.addons"));
        assert_eq!(of(&[("spec.addons", "object: \"string\"")]), None);
        assert_eq!(of(&[("spec.writePermissions", null)]), None, "it is configured");
        assert_eq!(of(&[("spec.addons", null), ("spec.never", null)]), None, "it was never ours");
        assert_eq!(of(&[]), None);
        let manifest = json!({"spec": {"addons": {}, "writePermissions": {}}});
        let given_up = emptied(&refused(&[("spec.writePermissions", null)]), applied, &manifest);
        assert_eq!(given_up, Some(vec!["spec.writePermissions.blockUpdate".to_owned()]), "an empty one is wanted");
        assert_eq!(emptied(&ApiError::AlreadyExists { message: String::new() }, applied, &manifest), None);
    }
}
