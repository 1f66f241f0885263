//! Checks of a configuration against its schema.

use std::collections::BTreeMap;

use super::{Attribute, Kind, Merge, Mode, Schema};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::value::Value;

/// Checks of a configuration that core leaves to the provider: core looks for the presence of required attributes, not
/// for null, and lets the configuration give what only the provider can.
///
/// What is unknown is skipped; core validates again when it is known. `write_only_allowed` is what the client says of
/// itself: an older one would store write-only values in the state.
pub fn validate(schema: &Schema, config: &Value, write_only_allowed: bool) -> Diagnostics {
    let mut walk = Walk { write_only_allowed, found: Diagnostics::new() };
    if let Value::Object(members) = config {
        walk.object(&schema.attributes, members, &Path::root(), false);
    }
    walk.found
}

/// The same for one value, where a name stands for the object around it: an argument of a function.
pub fn validate_value(attribute: &Attribute, value: &Value) -> Diagnostics {
    let mut walk = Walk { write_only_allowed: false, found: Diagnostics::new() };
    walk.attribute(attribute, value, &Path::of(attribute.name), false);
    walk.found
}

struct Walk {
    write_only_allowed: bool,
    found: Diagnostics,
}

impl Walk {
    fn object(&mut self, attributes: &[Attribute], members: &BTreeMap<String, Value>, path: &Path, secret: bool) {
        for attribute in attributes {
            let value = members.get(attribute.name).unwrap_or(&Value::Null);
            self.attribute(attribute, value, &path.attribute(attribute.name), secret);
        }
    }

    fn attribute(&mut self, attribute: &Attribute, value: &Value, path: &Path, secret: bool) {
        if attribute.mode == Mode::Computed {
            if !value.is_null() {
                self.error("Read-only attribute configured", path, "is set by the provider alone. Remove it.");
            }
            return;
        }
        if value.is_null() && attribute.mode == Mode::Required {
            self.error("Required attribute is null", path, "needs a value, but is null. Give it one.");
        }
        if !value.is_set() {
            return;
        }
        if attribute.write_only && !self.write_only_allowed {
            let detail = "is write-only, which needs Terraform 1.11 or OpenTofu 1.11, or a later release. This one would \
                          store the value in the state. Update it, or remove the attribute.";
            self.error("Write-only attribute not supported", path, detail);
        }
        if let Some(why) = attribute.deprecated {
            let detail = format!("`{path}` is deprecated. {why}");
            self.found.push(Diagnostic::warning("Deprecated attribute", detail).at(path.clone()));
        }
        let secret = secret || attribute.sensitive || attribute.write_only;
        for validator in &attribute.validators {
            for (at, problem) in validator.problems(value, path) {
                // The words of a rule may quote the value.
                let detail = if secret {
                    format!("`{path}` must be {}. Its value is not shown, since it is sensitive.", validator.rule)
                } else {
                    problem.detail
                };
                self.found.push(Diagnostic::error(problem.summary, detail).at(at));
            }
        }
        if let Value::List(items) = value {
            self.repeated(attribute, items, path, secret);
        }
        self.nested(attribute, value, path, secret);
    }

    /// The remote API takes no two elements that it cannot tell apart.
    fn repeated(&mut self, attribute: &Attribute, items: &[Value], path: &Path, secret: bool) {
        let keys: Vec<&Attribute> = match attribute.merge() {
            Merge::Set => Vec::new(),
            Merge::Keys(keys) => {
                let is_key = |inner: &&Attribute| inner.api.as_ref().is_some_and(|api| keys.contains(&api.key));
                attribute.nested().iter().filter(is_key).collect()
            }
            Merge::Members | Merge::Whole => return,
        };
        let mut seen: Vec<Vec<Value>> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let identity: Vec<Value> = match keys.as_slice() {
                [] => vec![item.clone()],
                keys => keys.iter().map(|key| or_default(key, item.get(key.name))).collect(),
            };
            // What is unknown may become anything, and what is null is found elsewhere.
            if identity.iter().any(|part| !part.is_set()) {
                continue;
            }
            if !seen.contains(&identity) {
                seen.push(identity);
                continue;
            }
            let (at, told_apart) = match keys.as_slice() {
                [] => (path.index(index), String::new()),
                [key] => {
                    (path.index(index).attribute(key.name), format!(" Elements are told apart by `{}`.", key.name))
                }
                keys => {
                    let names: Vec<_> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
                    (path.index(index), format!(" Elements are told apart by {}.", names.join(" and ")))
                }
            };
            let quoted: Vec<_> = identity.iter().map(quoted).collect();
            let what = if secret { String::new() } else { format!(" {}", quoted.join(" with ")) };
            let detail = format!("`{path}` has{what} twice.{told_apart} Remove one, or change it.");
            self.found.push(Diagnostic::error("Element is given twice", detail).at(at));
        }
    }

    fn nested(&mut self, attribute: &Attribute, value: &Value, path: &Path, secret: bool) {
        let mut element = |inner: &[Attribute], element: &Value, path: &Path| {
            if let Value::Object(members) = element {
                self.object(inner, members, path, secret);
            }
        };
        match (&attribute.kind, value) {
            (Kind::Object(inner), _) => element(inner, value, path),
            (Kind::ListOf(inner), Value::List(items)) => {
                items.iter().enumerate().for_each(|(index, item)| element(inner, item, &path.index(index)));
            }
            (Kind::SetOf(inner), Value::Set(items)) => {
                // No path leads into a set: what is inside is reported at the set.
                let mut inside = Self { write_only_allowed: self.write_only_allowed, found: Diagnostics::new() };
                for members in items.iter().filter_map(Value::as_object) {
                    inside.object(inner, members, path, secret);
                }
                self.found.extend(inside.found.into_iter().map(|diagnostic| diagnostic.at(path.clone())));
            }
            (Kind::MapOf(inner), Value::Object(items)) => {
                items.iter().for_each(|(key, item)| element(inner, item, &path.key(key)));
            }
            _ => {}
        }
    }

    fn error(&mut self, summary: &str, path: &Path, detail: &str) {
        self.found.push(Diagnostic::error(summary, format!("`{path}` {detail}")).at(path.clone()));
    }
}

/// The value of a key; the server's default, where it is a text, counts for one that is absent.
fn or_default(key: &Attribute, value: &Value) -> Value {
    let default = || serde_json::from_str::<String>(key.api.as_ref()?.server_default()?).ok();
    if value.is_null() { default().map_or(Value::Null, Value::from) } else { value.clone() }
}

/// A key in a message.
fn quoted(key: &Value) -> String {
    match key {
        Value::String(text) => format!("{text:?}"),
        Value::Number(number) => number.to_string(),
        _ => "an element".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::schema::{RecomputedBy, Validator, list_of, number, object, string, string_list};
    use crate::value::arbitrary;

    fn ports() -> Vec<Attribute> {
        vec![number("port").required().rule(Validator::between(1, 9)), string("note").computed(RecomputedBy::Nothing)]
    }

    fn doors() -> Vec<Attribute> {
        vec![number("number").json("number").required(), string("side").json("side").server_default("\"left\"")]
    }

    fn door(number: impl Into<Value>, side: impl Into<Value>) -> Value {
        Value::object([("number", number.into()), ("side", side.into())])
    }

    fn named(name: impl Into<Value>) -> Value {
        Value::object([("name", name.into())])
    }

    fn schema() -> Schema {
        Schema::new(
            0,
            "A thing.",
            vec![
                string("name").required(),
                string("kind").rule(Validator::one_of(&["a", "b"])),
                string("id").computed(RecomputedBy::Nothing),
                string_list("words").merging(Merge::Set),
                list_of("doors", doors()).merging(Merge::Keys(&["number", "side"])),
                list_of("names", vec![string("name").json("name").required()]).merging(Merge::Keys(&["name"])),
                string_list("tags").rule(Validator::each(Validator::one_of(&["x"]))),
                object("net", ports()),
                list_of("list", ports()),
                Attribute::new("set", Kind::SetOf(ports())),
                Attribute::new("map", Kind::MapOf(ports())),
                Attribute { deprecated: Some("Use `kind`."), ..string("sort") },
                Attribute { write_only: true, ..string("key").rule(Validator::one_of(&["k"])) },
                object("secret", vec![string("pin").rule(Validator::one_of(&["1"]))]).sensitive(),
            ],
        )
    }

    fn config(name: &str, value: Value) -> Value {
        let mut config = schema().null_object();
        config.set("name", "n".into());
        config.set(name, value);
        config
    }

    fn port(value: impl Into<Value>) -> Value {
        Value::object([("port", value.into()), ("note", Value::Null)])
    }

    fn found(config: &Value, write_only_allowed: bool) -> Vec<(String, String)> {
        let diagnostics = validate(&schema(), config, write_only_allowed);
        diagnostics.iter().map(|found| (found.path.to_string(), found.summary.clone())).collect()
    }

    #[rstest]
    #[case::null_required("name", Value::Null, "name", "Required attribute is null")]
    #[case::read_only("id", "x".into(), "id", "Read-only attribute configured")]
    #[case::unknown_read_only("id", Value::Unknown, "id", "Read-only attribute configured")]
    #[case::rule("kind", "c".into(), "kind", "Value not allowed")]
    #[case::rule_of_elements("tags", Value::strings(["x", "y"]), "tags[1]", "Value not allowed")]
    #[case::in_object("net", port(0), "net.port", "Number out of range")]
    #[case::null_in_object("net", port(Value::Null), "net.port", "Required attribute is null")]
    #[case::in_list("list", Value::List(vec![port(1), port(0)]), "list[1].port", "Number out of range")]
    #[case::in_set("set", Value::Set(vec![port(1), port(0)]), "set", "Number out of range")]
    #[case::in_map("map", Value::object([("k", port(0))]), "map[\"k\"].port", "Number out of range")]
    #[case::same_word("words", Value::strings(["a", "b", "a"]), "words[2]", "Element is given twice")]
    #[case::same_name("names", Value::List(vec![named("a"), named("a")]), "names[1].name", "Element is given twice")]
    #[case::same_keys("doors", Value::List(vec![door(1, "left"), door(1, Value::Null)]), "doors[1]", "Element is given twice")]
    #[case::deprecated("sort", "x".into(), "sort", "Deprecated attribute")]
    fn is_reported_at_the_attribute(
        #[case] name: &str,
        #[case] value: Value,
        #[case] path: &str,
        #[case] summary: &str,
    ) {
        assert_eq!(found(&config(name, value), true), [(path.to_owned(), summary.to_owned())]);
    }

    #[rstest]
    #[case::unknown_required("name", Value::Unknown)]
    #[case::unknown_value("kind", Value::Unknown)]
    #[case::unknown_parent("net", Value::Unknown)]
    #[case::null_parent("net", Value::Null)]
    #[case::unknown_member("net", port(Value::Unknown))]
    #[case::unknown_elements("list", Value::List(vec![Value::Unknown, Value::Null]))]
    #[case::words("words", Value::List(vec!["a".into(), Value::Unknown, Value::Unknown, "b".into()]))]
    #[case::names("names", Value::List(vec![named("a"), named(Value::Unknown), named(Value::Unknown)]))]
    #[case::keys("doors", Value::List(vec![door(1, "left"), door(1, "right"), door(2, "left")]))]
    #[case::no_key("list", Value::List(vec![port(1), port(1)]))]
    #[case::write_only("key", "k".into())]
    fn is_accepted(#[case] name: &str, #[case] value: Value) {
        assert_eq!(found(&config(name, value), true), []);
    }

    #[rstest]
    #[case::set("k".into(), true)]
    #[case::null(Value::Null, false)]
    #[case::unknown(Value::Unknown, false)]
    fn write_only_values_need_a_client_that_knows_them(#[case] value: Value, #[case] refused: bool) {
        let config = config("key", value);
        assert_eq!(found(&config, false).iter().any(|(path, _)| path == "key"), refused);
        assert_eq!(found(&config, true), []);
    }

    #[rstest]
    #[case("key", "hunter2".into())]
    #[case("secret", Value::object([("pin", "hunter2")].map(|(name, pin)| (name, Value::from(pin)))))]
    fn no_secret_is_quoted(#[case] name: &str, #[case] value: Value) {
        let diagnostics = validate(&schema(), &config(name, value), true);
        assert!(diagnostics.has_errors());
        assert!(!format!("{diagnostics:?}").contains("hunter2"), "{diagnostics:?}");
    }

    proptest! {
        #[test]
        fn nothing_in_a_configuration_panics(config in arbitrary::value(schema().object_type())) {
            let _ = validate(&schema(), &config, false);
        }
    }
}
