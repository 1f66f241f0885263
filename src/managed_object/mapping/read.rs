//! From a live object to the attributes: a refresh of what is ours, and the adoption of an import.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;
use tfplugin::Value;
use tfplugin::schema::{Api, Attribute, Empty, Form, Kind, Merge, Mode};
use tfplugin::value::{Type, from_json};

use super::{at, is_empty};

/// The configured attributes as they are now: what is null in `prior` is not ours and stays null; what means the same
/// keeps the user's spelling.
pub fn refresh(attributes: &[Attribute], prior: &Value, live: &Json) -> Value {
    Refresh { whole: false }.members(attributes, prior, live)
}

/// `whole`: inside of what the API sees as a whole (elements of a list, atomic objects). There everything is ours, also
/// what was null: whoever adds something there has overwritten it all.
#[derive(Clone, Copy)]
struct Refresh {
    whole: bool,
}

impl Refresh {
    fn members(self, attributes: &[Attribute], prior: &Value, live: &Json) -> Value {
        let members = attributes.iter().map(|attribute| {
            let before = prior.get(attribute.name);
            let now = match &attribute.api {
                None => before.clone(),
                Some(api) if !before.is_null() => self.attribute(attribute, api, before, at(live, api.key)),
                Some(api) if self.whole => adopt_attribute(attribute, at(live, api.key), &[], &mut |_| true),
                Some(_) => Value::Null,
            };
            (attribute.name.to_owned(), now)
        });
        Value::object(members)
    }

    fn attribute(self, attribute: &Attribute, api: &Api, before: &Value, live: &Json) -> Value {
        let whole = Self { whole: self.whole || api.merge == Merge::Whole };
        match (&attribute.kind, before) {
            // An object whose absence means the same as `{}` stays; one that switches something on is gone with it.
            (Kind::Object(_), _) if live.is_null() && matches!(api.empty, Empty::Presence | Empty::Cleared) => {
                Value::Null
            }
            (Kind::Object(inner), _) => whole.members(inner, before, live),
            (Kind::ListOf(_) | Kind::SetOf(_), Value::List(befores) | Value::Set(befores)) => {
                self.list(attribute, befores, live)
            }
            (Kind::MapOf(inner), Value::Object(befores)) => {
                let item = |(key, live): (&String, &Json)| {
                    let now = match befores.get(key) {
                        Some(before) => whole.members(inner, before, live),
                        None if whole.whole => adopt(inner, live, &mut |_| true),
                        None => return None,
                    };
                    Some((key.clone(), now))
                };
                Value::object(live.as_object().into_iter().flatten().filter_map(item))
            }
            // Of a map only the keys that were given are ours: labels of others are not drift.
            (Kind::Value(Type::Map(_)), Value::Object(befores)) => {
                let mut now = match leaf(attribute, live) {
                    Value::Object(now) => now,
                    _ if befores.is_empty() => return before.clone(),
                    _ => [].into(),
                };
                let is_ours = |key: &str| befores.get(key).is_some_and(|before| !before.is_null());
                now.retain(|key, value| !value.is_null() && (whole.whole || is_ours(key)));
                // A member that is null by configuration is left to others, whatever it has.
                let nobodys = befores.iter().filter(|(_, before)| before.is_null()).map(|(key, _)| key);
                for key in nobodys {
                    now.entry(key.clone()).or_insert(Value::Null);
                }
                for (key, value) in &mut now {
                    if let Some(before) = befores.get(key)
                        && attribute.means_the_same(&single(key, before), &single(key, value))
                    {
                        *value = before.clone();
                    }
                }
                Value::Object(now)
            }
            (Kind::Value(_), _) => {
                let now = leaf(attribute, live);
                let both_empty = now.is_null() && before.as_list().is_some_and(<[Value]>::is_empty);
                if both_empty || attribute.means_the_same(before, &now) { before.clone() } else { now }
            }
            _ => before.clone(),
        }
    }

    fn list(self, attribute: &Attribute, befores: &[Value], live: &Json) -> Value {
        let lives = live.as_array().map(Vec::as_slice).unwrap_or_default();
        if live.is_null() && !befores.is_empty() {
            return Value::Null;
        }
        let inner = attribute.nested();
        let now = match attribute.merge() {
            Merge::Keys(keys) if !self.whole => {
                // Elements that others have added are not ours.
                let find = |before: &Value| {
                    let ours = super::to_api(inner, before);
                    let same = |live: &&Json| keys.iter().all(|key| is_key(inner, key, ours.get(*key), live.get(*key)));
                    Some(Self { whole: false }.members(inner, before, lives.iter().find(same)?))
                };
                befores.iter().filter_map(find).collect()
            }
            _ => {
                let item = |(index, live)| match befores.get(index) {
                    Some(before) => Self { whole: true }.members(inner, before, live),
                    None => adopt(inner, live, &mut |_| true),
                };
                lives.iter().enumerate().map(item).collect()
            }
        };
        if matches!(attribute.kind, Kind::SetOf(_)) { Value::Set(now) } else { Value::List(now) }
    }
}

/// True if both have the same value of a key; the server's default counts for one that is absent.
fn is_key(attributes: &[Attribute], key: &str, ours: Option<&Json>, live: Option<&Json>) -> bool {
    let attribute = attributes.iter().find(|attribute| attribute.api.as_ref().is_some_and(|api| api.key == key));
    let default = attribute.and_then(|attribute| serde_json::from_str(attribute.api.as_ref()?.server_default()?).ok());
    let or_default = |given: Option<&Json>| given.cloned().or_else(|| default.clone());
    or_default(ours) == or_default(live)
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
    Value::object(members)
}

fn adopt_attribute(attribute: &Attribute, live: &Json, path: &[&str], ours: &mut dyn FnMut(&[&str]) -> bool) -> Value {
    let Some(api) = &attribute.api else { return Value::Null };
    let required = attribute.mode == Mode::Required;
    // A secret that stands in the object comes into the state only by the configuration.
    if attribute.sensitive || live.is_null() || (!required && is_default(attribute, api, live)) {
        return Value::Null;
    }
    match &attribute.kind {
        Kind::Object(inner) => {
            let taken = adopt_below(inner, live, path, ours);
            let nothing = taken.as_object().is_some_and(|members| members.values().all(Value::is_null));
            let present = matches!(api.empty, Empty::Presence | Empty::Cleared) && ours(path);
            if nothing && !required && !present { Value::Null } else { taken }
        }
        _ if !required && (!ours(path) || (is_empty(live) && api.form != Form::Json)) => Value::Null,
        Kind::ListOf(inner) | Kind::SetOf(inner) => {
            let items = live.as_array().map(Vec::as_slice).unwrap_or_default();
            let items = items.iter().map(|item| adopt_below(inner, item, path, &mut |_| true)).collect();
            if matches!(attribute.kind, Kind::SetOf(_)) { Value::Set(items) } else { Value::List(items) }
        }
        Kind::MapOf(inner) => {
            let taken = live.as_object().into_iter().flatten().filter_map(|(key, item)| {
                let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
                ours(&path).then(|| (key.clone(), adopt_below(inner, item, &path, ours)))
            });
            or_null(taken.collect())
        }
        Kind::Value(Type::Map(_)) => {
            let Value::Object(mut members) = leaf(attribute, live) else { return Value::Null };
            members.retain(|key, _| ours(&path.iter().copied().chain([key.as_str()]).collect::<Vec<_>>()));
            or_null(members)
        }
        Kind::Value(_) => leaf(attribute, live),
    }
}

fn or_null(members: std::collections::BTreeMap<String, Value>) -> Value {
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

/// Everything as it is, whoever gave it: for a data source. Attributes that the API does not know are null.
pub fn show(attributes: &[Attribute], live: &Json) -> Value {
    let members = attributes.iter().map(|attribute| {
        let shown = attribute.api.as_ref().map_or(Value::Null, |api| show_attribute(attribute, at(live, api.key)));
        (attribute.name.to_owned(), shown)
    });
    Value::object(members)
}

fn show_attribute(attribute: &Attribute, live: &Json) -> Value {
    let items = |inner| live.as_array().map(|items| items.iter().map(|item| show(inner, item)).collect());
    match &attribute.kind {
        Kind::Value(_) => leaf(attribute, live),
        Kind::Object(inner) if live.is_object() => show(inner, live),
        Kind::Object(_) => Value::Null,
        Kind::ListOf(inner) => items(inner).map_or(Value::Null, Value::List),
        Kind::SetOf(inner) => items(inner).map_or(Value::Null, Value::Set),
        Kind::MapOf(inner) => live.as_object().map_or(Value::Null, |members| {
            Value::object(members.iter().map(|(key, item)| (key.clone(), show(inner, item))))
        }),
    }
}

/// True if the server would fill in the same, in this release or in an older one, or if it stands for nothing.
fn is_default(attribute: &Attribute, api: &Api, live: &Json) -> bool {
    let mut defaults = api.server_defaults.iter().map(|default| default.json).chain(api.also_unset);
    defaults.any(|default| {
        let Ok(default) = serde_json::from_str::<Json>(default) else { return false };
        match attribute.kind {
            Kind::Value(_) => attribute.means_the_same(&leaf(attribute, &default), &leaf(attribute, live)),
            _ => default == *live,
        }
    })
}

/// The text behind base64; [`None`] if it is none.
fn decoded(text: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(text).ok()?).ok()
}

/// Reads a leaf. A value of another type than the table has (a newer CRD) is not ours to interpret: null.
fn leaf(attribute: &Attribute, live: &Json) -> Value {
    let (Some(api), Kind::Value(ty)) = (&attribute.api, &attribute.kind) else { return Value::Null };
    match (api.form, live) {
        (_, Json::Null) => Value::Null,
        (Form::Json, _) => live.to_string().into(),
        (Form::Base64, Json::String(text)) => decoded(text).map_or(Value::Null, Value::from),
        _ => from_json(live, ty).unwrap_or(Value::Null),
    }
}
