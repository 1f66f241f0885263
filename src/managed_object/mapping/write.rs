//! From the configuration to what is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};
use tfplugin::Value;
use tfplugin::schema::{Api, Attribute, Empty, Form, Kind, Mode};
use tfplugin::value::{json_object, to_json};

use super::{is_empty, put, within};

/// The JSON of what is configured: canonical spellings, no nulls, nothing empty but what has a meaning when empty.
/// Unknown values are left out.
pub fn to_api(attributes: &[Attribute], value: &Value) -> Map<String, Json> {
    let mut object = Map::new();
    for attribute in attributes {
        let Some(api) = &attribute.api else { continue };
        if let Some(json) = attribute_to_api(attribute, api, value.get(attribute.name)) {
            put(&mut object, api.key, json);
        }
    }
    object
}

fn attribute_to_api(attribute: &Attribute, api: &Api, value: &Value) -> Option<Json> {
    let json = match (&attribute.kind, value) {
        (Kind::Object(inner), Value::Null | Value::Unknown) if api.empty == Empty::Always => {
            Json::Object(to_api(inner, &Value::Null))
        }
        (_, Value::Null | Value::Unknown) => return None,
        (Kind::Object(inner), _) => Json::Object(to_api(inner, value)),
        (Kind::ListOf(inner) | Kind::SetOf(inner), _) => {
            let items = value.as_list()?.iter().filter(|item| item.is_set());
            Json::Array(items.map(|item| Json::Object(to_api(inner, item))).collect())
        }
        (Kind::MapOf(inner), _) => {
            let items = value.as_object()?.iter().filter(|(_, item)| item.is_set());
            json_object(items.map(|(key, item)| (key.clone(), Json::Object(to_api(inner, item)))))
        }
        (Kind::Value(ty), _) => formed(to_json(&without_unknown_members(&attribute.to_canonical(value)), ty), api.form),
    };
    // What the API requires is there even if it is empty: its own error says more than an absence. Free JSON means what
    // it says.
    let means_something = api.empty != Empty::Absent || attribute.mode == Mode::Required || api.form == Form::Json;
    let sent = means_something || !is_empty(&json);
    sent.then_some(json)
}

/// Strings in the form that the API takes them in, also those in a list or map.
fn formed(json: Json, form: Form) -> Json {
    match (form, json) {
        (Form::Plain | Form::Text, json) => json,
        (_, Json::Array(items)) => Json::Array(items.into_iter().map(|item| formed(item, form)).collect()),
        (_, Json::Object(members)) => json_object(members.into_iter().map(|(key, member)| (key, formed(member, form)))),
        (Form::NumberOrText, Json::String(text)) => text.parse::<i64>().map_or(Json::String(text), Json::from),
        // A validator has refused what is no JSON; the API may say the same of the text.
        (Form::Base64, Json::String(text)) => Json::String(BASE64.encode(text)),
        (Form::Json, Json::String(text)) => serde_json::from_str(&text).unwrap_or(Json::String(text)),
        (_, json) => json,
    }
}

/// Members of a map or list that are unknown (at plan) or null are left out: a dry-run goes on without them.
fn without_unknown_members(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::object(members.iter().filter(|(_, m)| m.is_set()).map(|(n, m)| (n.clone(), m.clone())))
        }
        Value::List(items) => Value::List(items.iter().filter(|item| item.is_set()).cloned().collect()),
        Value::Set(items) => Value::Set(items.iter().filter(|item| item.is_set()).cloned().collect()),
        other => other.clone(),
    }
}

/// Puts an empty object where one was applied whose mere absence would not end what it does ([`Empty::Cleared`]).
pub fn cleared(attributes: &[Attribute], applied: &Map<String, Json>, manifest: &mut Map<String, Json>) {
    clear(attributes, "", applied, manifest);
}

fn clear(attributes: &[Attribute], above: &str, applied: &Map<String, Json>, manifest: &mut Map<String, Json>) {
    for attribute in attributes {
        let (Some(api), Kind::Object(inner)) = (&attribute.api, &attribute.kind) else { continue };
        let path = if above.is_empty() { api.key.to_owned() } else { format!("{above}.{}", api.key) };
        if within(applied, &path).is_null() {
            continue;
        }
        if api.empty == Empty::Cleared && within(manifest, &path).is_null() {
            put(manifest, &path, json!({}));
        }
        clear(inner, &path, applied, manifest);
    }
}
