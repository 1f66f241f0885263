//! Who uses a datastore: tenants whose data are in it, that are about to move there, or that have it for single resources.
//! Kamaji protects only the first ones, and says of no other.

use std::fmt;

use kube::api::DynamicObject;
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Path};

use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::Scene;
use crate::management_cluster::{ApiError, Kind, ObjectRef, json_of};

/// A tenant that uses a datastore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// The control plane.
    pub tenant: ObjectRef,
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    /// Its data are there.
    Data,
    /// Its data are to be there: it is being made, or moves.
    Target,
    /// Only these resources are there.
    Override(String),
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenant = self.tenant.id();
        match &self.how {
            How::Data => write!(f, "{tenant}"),
            How::Target => write!(f, "{tenant} (its data are to move there)"),
            How::Override(resources) => write!(f, "{tenant} (override for {resources})"),
        }
    }
}

impl User {
    /// True if its data are in the datastore: Kamaji rolls it out when the credentials change.
    pub(super) fn has_data(&self) -> bool {
        self.how == How::Data
    }

    fn of(tenant: &DynamicObject, data_store: &str) -> Option<Self> {
        let live = json_of(tenant);
        let view = View::new(&live);
        let overrides = view.at("/spec/dataStoreOverrides").and_then(Json::as_array).into_iter().flatten();
        let overridden: Vec<&str> = overrides
            .filter(|each| each["dataStore"] == data_store)
            .filter_map(|each| each["resource"].as_str())
            .collect();
        let how = if view.data_store() == Some(data_store) {
            How::Data
        } else if view.requested_data_store() == Some(data_store) {
            How::Target
        } else if !overridden.is_empty() {
            How::Override(overridden.join(", "))
        } else {
            return None;
        };
        Some(Self { tenant: ObjectRef::namespaced(Kind::TenantControlPlane, view.namespace(), view.name()), how })
    }
}

/// The users of the scene's datastore, in the order of their names.
pub(super) async fn users(scene: &Scene) -> Result<Vec<User>, ApiError> {
    let name = scene.object.name.as_str();
    let keep = |object: DynamicObject| User::of(&object, name);
    let all = scene.cluster.list_kept(&scene.operation, Kind::TenantControlPlane, None, "", keep).await?;
    let mut users: Vec<User> = all.into_iter().flatten().collect();
    users.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    Ok(users)
}

/// Users that the object itself or a state names, `namespace/name`.
pub(super) fn named<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<User> {
    let user = |id: &str| {
        let (namespace, name) = id.split_once('/')?;
        Some(User { tenant: ObjectRef::namespaced(Kind::TenantControlPlane, namespace, name), how: How::Data })
    };
    ids.into_iter().filter_map(user).collect()
}

/// Why a datastore with these users must not go; [`None`] without any.
pub(super) fn refusal(data_store: &ObjectRef, users: &[User]) -> Option<Diagnostic> {
    if users.is_empty() {
        return None;
    }
    let names: Vec<String> = users.iter().map(ToString::to_string).collect();
    Some(
        Diagnostic::error(
            "Datastore is in use",
            format!(
                "{data_store} is used by {}:\n\n  - {}\n\nWithout it they can neither be changed nor deleted. Move them to another \
                 datastore (`data_store` of kamaji_tenant_control_plane) and apply that, or delete them in the same plan.",
                if names.len() == 1 { "1 control plane".to_owned() } else { format!("{} control planes", names.len()) },
                names.join("\n  - ")
            ),
        )
        .at(Path::of("name")),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[rstest::rstest]
    #[case::data(&json!({"status": {"storage": {"dataStoreName": "d"}}, "spec": {"dataStore": "d"}}), Some("t/a"))]
    #[case::moving_away(&json!({"status": {"storage": {"dataStoreName": "d"}}, "spec": {"dataStore": "e"}}), Some("t/a"))]
    #[case::moving_there(
        &json!({"status": {"storage": {"dataStoreName": "e"}}, "spec": {"dataStore": "d"}}),
        Some("t/a (its data are to move there)")
    )]
    #[case::override_only(
        &json!({"spec": {"dataStore": "e", "dataStoreOverrides": [{"resource": "/events", "dataStore": "d"}]}}),
        Some("t/a (override for /events)")
    )]
    #[case::other(&json!({"spec": {"dataStore": "e"}}), None)]
    fn every_kind_of_use_counts(#[case] object: &Json, #[case] expected: Option<&str>) {
        let mut object = object.clone();
        object["metadata"] = json!({"name": "a", "namespace": "t"});
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        assert_eq!(User::of(&object, "d").map(|user| user.to_string()).as_deref(), expected);
    }

    #[test]
    fn the_refusal_names_them_all() {
        let store = ObjectRef::cluster(Kind::DataStore, "d");
        assert_eq!(refusal(&store, &[]), None);
        let text = refusal(&store, &named(["t/a", "t/b", "?"])).expect("refused").detail;
        assert!(text.contains("2 control planes") && text.contains("- t/a\n  - t/b"), "{text}");
    }
}
