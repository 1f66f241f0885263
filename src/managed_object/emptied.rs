//! Objects that another manager owns as empty ones: Kamaji writes `{}` where nothing was configured. When the last member
//! that we have put into such an object goes, the API server makes null of it, and refuses that; an empty object instead
//! does not help, since it ends as null, too.

use serde_json::{Map, Value as Json};

use super::Scene;
use super::mapping::{put, within};
use crate::management_cluster::{ApiError, Change};

/// The paths of such objects in a refusal of what gives them up; [`None`] if anything else is refused.
pub(super) fn emptied<'a>(error: &'a ApiError, applied: &Map<String, Json>, manifest: &Json) -> Option<Vec<&'a str>> {
    let (ApiError::Invalid(fields), Json::Object(manifest)) = (error, manifest) else { return None };
    let is_emptied = |path: &str, message: &str| {
        message.contains("must be of type object: \"null\"")
            && !within(applied, path).is_null()
            && within(manifest, path).is_null()
    };
    let all = !fields.is_empty() && fields.iter().all(|field| is_emptied(&field.field, &field.message));
    all.then(|| fields.iter().map(|field| field.field.as_str()).collect())
}

/// Removes them, whoever owns them: nothing is in them any more but what is given up.
pub(super) async fn remove(scene: &Scene, uid: &str, paths: &[&str]) -> Result<(), ApiError> {
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
    use crate::management_cluster::InvalidField;

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
        assert_eq!(emptied(&ApiError::AlreadyExists { message: String::new() }, applied, &manifest), None);
    }
}
