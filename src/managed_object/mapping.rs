//! Terraform value ↔ Kubernetes JSON, along the table.

use serde_json::{Map, Value as Json, json};
use tfplugin::Value;
use tfplugin::schema::{Attribute, Empty, Kind};
use tfplugin::value::{Type, from_json, to_json};

/// The JSON of what is configured: canonical spellings, no nulls, nothing empty but what has a meaning when empty.
/// Unknown values are left out.
pub fn to_api(attributes: &[Attribute], value: &Value) -> Map<String, Json> {
    let mut object = Map::new();
    for attribute in attributes {
        let Some(api) = &attribute.api else { continue };
        if let Some(json) = attribute_to_api(attribute, api.empty, value.get(attribute.name)) {
            put(&mut object, api.key, json);
        }
    }
    object
}

fn attribute_to_api(attribute: &Attribute, empty: Empty, value: &Value) -> Option<Json> {
    let json = match (&attribute.kind, value) {
        (Kind::Object(inner), Value::Null | Value::Unknown) if empty == Empty::Always => {
            Json::Object(to_api(inner, &Value::Null))
        }
        (_, Value::Null | Value::Unknown) => return None,
        (Kind::Object(inner), _) => Json::Object(to_api(inner, value)),
        (Kind::ListOf(inner) | Kind::SetOf(inner), _) => {
            let items = value.as_list().unwrap_or_default();
            Json::Array(items.iter().map(|item| Json::Object(to_api(inner, item))).collect())
        }
        (Kind::MapOf(inner), _) => {
            let items = value.as_object()?.iter();
            Json::Object(items.map(|(key, item)| (key.clone(), Json::Object(to_api(inner, item)))).collect())
        }
        (Kind::Value(ty), _) => to_json(&without_unknown_members(&attribute.to_canonical(value)), ty),
    };
    (empty != Empty::Absent || !is_empty(&json)).then_some(json)
}

/// Members of a map or list that are unknown (at plan) or null are left out: a dry-run goes on without them.
fn without_unknown_members(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().filter(|(_, m)| m.is_set()).map(|(n, m)| (n.clone(), m.clone())).collect())
        }
        Value::List(items) => Value::List(items.iter().filter(|item| item.is_set()).cloned().collect()),
        Value::Set(items) => Value::Set(items.iter().filter(|item| item.is_set()).cloned().collect()),
        other => other.clone(),
    }
}

/// The configured attributes as they are now: what is null in `prior` is not ours and stays null; what means the same
/// keeps the user's spelling.
pub fn refresh(attributes: &[Attribute], prior: &Value, live: &Json) -> Value {
    let members = attributes.iter().map(|attribute| {
        let before = prior.get(attribute.name);
        let now = match &attribute.api {
            Some(api) if !before.is_null() => refresh_attribute(attribute, api.empty, before, at(live, api.key)),
            _ => before.clone(),
        };
        (attribute.name.to_owned(), now)
    });
    Value::Object(members.collect())
}

fn refresh_attribute(attribute: &Attribute, empty: Empty, before: &Value, live: &Json) -> Value {
    match (&attribute.kind, before) {
        // An object whose absence means the same as `{}` stays; one that switches something on is gone with it.
        (Kind::Object(_), _) if live.is_null() && empty == Empty::Presence => Value::Null,
        (Kind::Object(inner), _) => refresh(inner, before, live),
        (Kind::ListOf(inner), Value::List(befores)) => {
            let lives = live.as_array().map(Vec::as_slice).unwrap_or_default();
            if lives.is_empty() && befores.is_empty() {
                return before.clone();
            }
            let items = lives.iter().enumerate().map(|(index, live)| match befores.get(index) {
                Some(before) => refresh(inner, before, live),
                None => adopt(inner, live, &mut |_| true),
            });
            Value::List(items.collect())
        }
        // Of a map only the keys that were given are ours: labels of others are not drift.
        (Kind::Value(ty @ Type::Map(_)), Value::Object(befores)) => {
            let lives = read(live, ty);
            let ours = befores.iter().filter_map(|(key, before)| {
                let now = lives.get(key);
                let same = attribute.means_the_same(&single(key, before), &single(key, now));
                Some((key.clone(), if same { before.clone() } else { now.clone() })).filter(|(_, now)| !now.is_null())
            });
            Value::Object(ours.collect())
        }
        (Kind::Value(ty), _) => {
            let now = read(live, ty);
            let both_empty = now.is_null() && before.as_list().is_some_and(<[Value]>::is_empty);
            if both_empty || attribute.means_the_same(before, &now) { before.clone() } else { now }
        }
        _ => before.clone(),
    }
}

fn single(key: &str, value: &Value) -> Value {
    Value::object([(key, value.clone())])
}

/// Everything that an import takes over: values that differ from the server's default and that `ours` accepts. `ours`
/// gets the path of API keys from `live` down.
pub fn adopt(attributes: &[Attribute], live: &Json, ours: &mut dyn FnMut(&[&str]) -> bool) -> Value {
    adopt_below(attributes, live, &[], ours)
}

fn adopt_below(attributes: &[Attribute], live: &Json, above: &[&str], ours: &mut dyn FnMut(&[&str]) -> bool) -> Value {
    let members = attributes.iter().map(|attribute| {
        let value = match &attribute.api {
            Some(api) => {
                let path: Vec<&str> = above.iter().copied().chain(api.key.split('.')).collect();
                adopt_attribute(attribute, at(live, api.key), &path, ours)
            }
            None => Value::Null,
        };
        (attribute.name.to_owned(), value)
    });
    Value::Object(members.collect())
}

fn adopt_attribute(attribute: &Attribute, live: &Json, path: &[&str], ours: &mut dyn FnMut(&[&str]) -> bool) -> Value {
    let Some(api) = &attribute.api else { return Value::Null };
    let required = attribute.mode == tfplugin::schema::Mode::Required;
    if live.is_null() {
        return Value::Null;
    }
    match &attribute.kind {
        Kind::Object(inner) => {
            let taken = adopt_below(inner, live, path, ours);
            let nothing = taken.as_object().is_some_and(|members| members.values().all(Value::is_null));
            let present = api.empty == Empty::Presence && ours(path);
            if nothing && !required && !present { Value::Null } else { taken }
        }
        _ if !required && (is_default(attribute, live) || is_empty(live) || !ours(path)) => Value::Null,
        Kind::ListOf(inner) => {
            let items = live.as_array().map(Vec::as_slice).unwrap_or_default();
            Value::List(items.iter().map(|item| adopt_below(inner, item, path, &mut |_| true)).collect())
        }
        Kind::Value(ty @ Type::Map(_)) => {
            let Value::Object(members) = read(live, ty) else { return Value::Null };
            let mut kept = members;
            kept.retain(|key, _| ours(&path.iter().copied().chain([key.as_str()]).collect::<Vec<_>>()));
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Kind::Value(ty) => read(live, ty),
        Kind::SetOf(_) | Kind::MapOf(_) => Value::Null,
    }
}

/// True if the server would fill in the same, in this release or in an older one.
fn is_default(attribute: &Attribute, live: &Json) -> bool {
    let Some(api) = &attribute.api else { return false };
    let ty = attribute.value_type();
    let now = read(live, &ty);
    let mut defaults = api.server_default.iter().chain(api.former_defaults);
    defaults.any(|text| {
        serde_json::from_str::<Json>(text).is_ok_and(|default| attribute.means_the_same(&read(&default, &ty), &now))
    })
}

/// Reads a leaf. A value of another type than the table has (a newer CRD) is not ours to interpret: null.
fn read(live: &Json, ty: &Type) -> Value {
    from_json(live, ty).unwrap_or(Value::Null)
}

fn is_empty(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Null => true,
        Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// The JSON at a path of keys with dots; null if it leads nowhere.
pub fn at<'a>(json: &'a Json, dotted: &str) -> &'a Json {
    static NULL: Json = Json::Null;
    dotted.split('.').try_fold(json, |json, key| json.get(key)).unwrap_or(&NULL)
}

/// Puts JSON at a path of keys with dots, making the objects on the way.
pub fn put(object: &mut Map<String, Json>, dotted: &str, json: Json) {
    match dotted.split_once('.') {
        None => {
            object.insert(dotted.to_owned(), json);
        }
        Some((key, rest)) => {
            let inner = object.entry(key).or_insert_with(|| json!({}));
            if let Json::Object(inner) = inner {
                put(inner, rest, json);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfplugin::schema::{number, object, string, string_list, string_map};

    fn upper(value: &Value) -> Value {
        value.as_str().unwrap_or_default().to_uppercase().into()
    }

    fn table() -> Vec<Attribute> {
        vec![
            string("name").json("metadata.name").required(),
            string_map("labels").json("metadata.labels"),
            string("version").json("spec.kubernetes.version").canonical(upper),
            object(
                "network",
                vec![string_list("sans").json("certSANs"), number("port").json("port").server_default("6443")],
            )
            .json("spec.network")
            .empty(Empty::Always),
            object("addon", vec![string("image").json("image")]).json("spec.addon").empty(Empty::Presence),
            string("wait_for"),
        ]
    }

    fn config(edit: impl FnOnce(&mut Value)) -> Value {
        let mut value =
            Value::object(["name", "labels", "version", "network", "addon", "wait_for"].map(|n| (n, Value::Null)));
        value.set("name", "a".into());
        edit(&mut value);
        value
    }

    #[test]
    fn sends_canonical_values_and_what_the_server_needs_and_nothing_else() {
        let config = config(|value| {
            value.set("version", "v1".into());
            value.set("addon", Value::object([("image", Value::Null)]));
            value.set("wait_for", "ready".into());
        });
        assert_eq!(
            Json::Object(to_api(&table(), &config)),
            json!({"metadata": {"name": "a"}, "spec": {"kubernetes": {"version": "V1"}, "network": {}, "addon": {}}})
        );
    }

    #[test]
    fn an_empty_list_is_not_sent() {
        let config = config(|value| value.set("network.sans", Value::List(Vec::new())));
        assert_eq!(to_api(&table(), &config)["spec"], json!({"network": {}}));
    }

    #[test]
    fn refresh_leaves_alone_what_is_not_ours_and_keeps_the_spelling() {
        let prior = config(|value| {
            value.set("labels", Value::object([("team", Value::from("a")), ("gone", "x".into())]));
            value.set("version", "v1".into());
        });
        let live = json!({
            "metadata": {"name": "a", "labels": {"team": "b", "other": "y"}},
            "spec": {"kubernetes": {"version": "V1"}, "network": {"port": 1}, "addon": {}},
        });
        let now = refresh(&table(), &prior, &live);
        assert_eq!(now.get("labels"), &Value::object([("team", Value::from("b"))]));
        assert_eq!(now.str_at("version"), Some("v1"));
        assert!(now.get("network").is_null() && now.get("addon").is_null());
    }

    #[test]
    fn an_addon_that_is_gone_is_drift() {
        let prior = config(|value| value.set("addon", Value::object([("image", Value::Null)])));
        assert!(refresh(&table(), &prior, &json!({"spec": {}})).get("addon").is_null());
        let live = json!({"spec": {"addon": {}}});
        assert_eq!(refresh(&table(), &prior, &live).get("addon"), prior.get("addon"));
    }

    #[test]
    fn an_import_takes_what_differs_from_the_default() {
        let live = json!({
            "metadata": {"name": "a", "labels": {"mine": "1", "theirs": "2"}},
            "spec": {"kubernetes": {"version": "V1"}, "network": {"port": 6443, "certSANs": ["x"]}, "addon": {}},
        });
        let taken = adopt(&table(), &live, &mut |path| path.last() != Some(&"theirs"));
        assert_eq!(taken.get("labels"), &Value::object([("mine", Value::from("1"))]));
        assert_eq!(taken.get("network.sans"), &Value::strings(["x"]));
        assert!(taken.get("network.port").is_null());
        assert!(!taken.get("addon").is_null());
    }
}
