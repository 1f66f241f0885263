//! The planning rules that every resource shares (protocol, `PlanResourceChange`).
//!
//! Core proposes a new state: configured values, and the prior values of computed attributes. What a provider must do
//! with it follows from the table alone: hide write-only values, keep the prior spelling of what means the same, turn
//! computed values unknown where a change makes them move, and name the changes that need a new object.

mod changes;

pub use changes::{Change, changes};

use crate::path::Path;
use crate::schema::{Attribute, Kind, Mode, OnChange, RecomputedBy, Schema};
use crate::value::Value;

/// What the table says about a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The planned object.
    pub planned: Value,
    /// The attributes whose change needs a new object, with the reason that the table gives.
    pub replaced: Vec<(Path, &'static str)>,
}

/// Plans a create (`prior` null) or an update. `config` and `proposed` are objects of the schema's type.
///
/// A replace is asked for only when a known, non-null value differs from a known, non-null prior one: what is unknown
/// or dropped from the configuration never costs an object.
pub fn propose(schema: &Schema, prior: &Value, config: &Value, proposed: &Value) -> Proposal {
    let mut planned = settle(&schema.attributes, prior, proposed);
    let mut replaced = Vec::new();
    if prior.is_null() {
        mark_unknown(&schema.attributes, config, &mut planned, &mut |_| true);
    } else {
        let changed = changes(&schema.attributes, prior, &planned);
        // What only the provider knows (timeouts, protection) moves nothing of the object, but what is named to move with
        // it.
        let in_api = |change: &&Change| schema.at(&change.path).is_none_or(|attribute| attribute.api.is_some());
        let moving: Vec<Change> = changed.iter().filter(in_api).cloned().collect();
        if !changed.is_empty() {
            mark_unknown(&schema.attributes, config, &mut planned, &mut |by| match by {
                RecomputedBy::AnyChange => recomputed(by, &moving),
                _ => recomputed(by, &changed),
            });
        }
        replaced = changed
            .iter()
            .filter(|change| change.old.is_set() && change.new.is_set() && change.new.is_wholly_known())
            .filter_map(|change| match schema.at(&change.path)?.on_change {
                OnChange::Replace(reason) => Some((change.path.clone(), reason)),
                OnChange::InPlace => None,
            })
            .collect();
    }
    Proposal { planned, replaced }
}

/// True if one of the changes makes such an attribute move.
pub fn recomputed(by: &RecomputedBy, changed: &[Change]) -> bool {
    match by {
        RecomputedBy::Nothing => false,
        RecomputedBy::AnyChange => !changed.is_empty(),
        RecomputedBy::Change(paths) => changed.iter().any(|change| {
            let at = change.path.attributes();
            paths.iter().any(|path| within(&at, path) || within(path, &at))
        }),
    }
}

/// True if the dotted path `inner` is `outer` or lies inside it.
fn within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The proposal without write-only values and with the prior spelling of what means the same: the only deviation from
/// a configured value that core permits.
fn settle(attributes: &[Attribute], prior: &Value, proposed: &Value) -> Value {
    let Value::Object(members) = proposed else { return proposed.clone() };
    let settled = attributes.iter().map(|attribute| {
        let old = prior.get(attribute.name);
        let new = members.get(attribute.name).unwrap_or(&Value::Null);
        (attribute.name.to_owned(), settle_attribute(attribute, old, new))
    });
    Value::object(settled)
}

fn settle_attribute(attribute: &Attribute, old: &Value, new: &Value) -> Value {
    if attribute.write_only {
        return Value::Null;
    }
    match (&attribute.kind, old, new) {
        (Kind::Object(inner), _, Value::Object(_)) => settle(inner, old, new),
        (Kind::ListOf(inner), _, Value::List(items)) => {
            let olds = old.as_list().unwrap_or_default();
            let settled = items.iter().enumerate();
            Value::List(settled.map(|(n, item)| settle(inner, olds.get(n).unwrap_or(&Value::Null), item)).collect())
        }
        (Kind::MapOf(inner), _, Value::Object(items)) => {
            let olds = old.as_object();
            let before = |key| olds.and_then(|olds| olds.get(key)).unwrap_or(&Value::Null);
            let settled = items.iter().map(|(key, item)| (key.clone(), settle(inner, before(key), item)));
            Value::object(settled)
        }
        _ if attribute.means_the_same(old, new) => old.clone(),
        _ => new.clone(),
    }
}

/// Turns computed values unknown where `moves` says so and the configuration gives none.
fn mark_unknown(
    attributes: &[Attribute],
    config: &Value,
    planned: &mut Value,
    moves: &mut impl FnMut(&RecomputedBy) -> bool,
) {
    let Some(members) = planned.as_object_mut() else { return };
    for attribute in attributes {
        let given = config.get(attribute.name);
        let Some(value) = members.get_mut(attribute.name) else { continue };
        if attribute.is_computed() && (attribute.mode == Mode::Computed || given.is_null()) {
            if moves(&attribute.recomputed_by) {
                *value = Value::Unknown;
            }
            continue;
        }
        match (&attribute.kind, given) {
            (Kind::Object(inner), Value::Object(_)) => mark_unknown(inner, given, value, moves),
            (Kind::ListOf(inner), Value::List(givens)) => {
                let Value::List(items) = value else { continue };
                for (item, given) in items.iter_mut().zip(givens) {
                    mark_unknown(inner, given, item, moves);
                }
            }
            (Kind::MapOf(inner), Value::Object(givens)) => {
                let Value::Object(items) = value else { continue };
                for (key, item) in items {
                    mark_unknown(inner, givens.get(key).unwrap_or(&Value::Null), item, moves);
                }
            }
            _ => {}
        }
    }
}

/// The configuration that an object of this state could have: without what only the provider gives, what is never
/// stored, and what should not be written any more.
pub fn to_config(attributes: &[Attribute], state: &Value) -> Value {
    let Value::Object(members) = state else { return Value::Null };
    let kept = attributes.iter().map(|attribute| {
        let value = members.get(attribute.name).unwrap_or(&Value::Null);
        let configurable = attribute.is_configurable() && !attribute.write_only && attribute.deprecated.is_none();
        let value = if configurable { to_config_attribute(attribute, value) } else { Value::Null };
        (attribute.name.to_owned(), value)
    });
    Value::object(kept)
}

fn to_config_attribute(attribute: &Attribute, value: &Value) -> Value {
    match (&attribute.kind, value) {
        (Kind::Object(inner), Value::Object(_)) => to_config(inner, value),
        (Kind::ListOf(inner), Value::List(items)) => {
            Value::List(items.iter().map(|item| to_config(inner, item)).collect())
        }
        (Kind::SetOf(inner), Value::Set(items)) => {
            Value::Set(items.iter().map(|item| to_config(inner, item)).collect())
        }
        (Kind::MapOf(inner), Value::Object(items)) => {
            Value::object(items.iter().map(|(key, item)| (key.clone(), to_config(inner, item))))
        }
        _ => value.clone(),
    }
}

/// Replaces every unknown inside a value by null, as core would store it. For results that are returned with an error.
pub fn without_unknowns(value: &Value) -> Value {
    match value {
        Value::Unknown => Value::Null,
        Value::List(items) => Value::List(items.iter().map(without_unknowns).collect()),
        Value::Set(items) => Value::Set(items.iter().map(without_unknowns).collect()),
        Value::Object(members) => {
            Value::object(members.iter().map(|(name, member)| (name.clone(), without_unknowns(member))))
        }
        Value::Dynamic(inner) => Value::Dynamic(Box::new((inner.0.clone(), without_unknowns(&inner.1)))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{list_of, number, object, string, string_list};

    fn with_v(value: &Value) -> Value {
        format!("v{}", value.as_str().unwrap_or_default().trim_start_matches('v')).into()
    }

    fn schema() -> Schema {
        Schema::new(
            0,
            "A thing.",
            vec![
                string("name").json("name").required().replace("the name is the identity"),
                string("version").json("version").required().canonical(with_v),
                number("replicas").json("replicas"),
                object("network", vec![string("address").json("address"), string_list("sans").json("sans")])
                    .json("network"),
                string("wait_for"),
                string("id").computed(RecomputedBy::Nothing),
                string("endpoint").computed(RecomputedBy::Change(&["network.address"])),
                string("status").computed(RecomputedBy::AnyChange),
                string("rendered").computed(RecomputedBy::Change(&["wait_for"])),
            ],
        )
    }

    fn thing(edit: impl FnOnce(&mut Value)) -> Value {
        let mut value = schema().null_object();
        value.set("name", "a".into());
        value.set("version", "v1.30.0".into());
        value.set("network", Value::object([("address", "10.0.0.1".into()), ("sans", Value::Null)]));
        edit(&mut value);
        value
    }

    fn stored() -> Value {
        thing(|value| {
            value.set("id", "x/a".into());
            value.set("endpoint", "10.0.0.1:6443".into());
            value.set("status", "Ready".into());
        })
    }

    /// What core proposes: the configuration with the prior values of computed attributes.
    fn proposed(config: &Value, prior: &Value) -> Value {
        let mut proposed = config.clone();
        for name in ["id", "endpoint", "status", "rendered"] {
            proposed.set(name, prior.get(name).clone());
        }
        proposed
    }

    fn plan(prior: &Value, config: &Value) -> Proposal {
        propose(&schema(), prior, config, &proposed(config, prior))
    }

    fn unknowns(planned: &Value) -> Vec<&str> {
        ["id", "endpoint", "status", "rendered"].into_iter().filter(|name| planned.get(name).is_unknown()).collect()
    }

    #[test]
    fn all_computed_values_of_a_create_are_unknown() {
        let config = thing(|_| {});
        let proposal = plan(&Value::Null, &config);
        assert_eq!(unknowns(&proposal.planned), ["id", "endpoint", "status", "rendered"]);
        assert_eq!(proposal.planned.get("replicas"), &Value::Null);
    }

    #[test]
    fn nothing_changed_is_planned_as_it_is() {
        let proposal = plan(&stored(), &thing(|_| {}));
        assert_eq!(proposal.planned, stored());
    }

    #[test]
    fn another_spelling_of_the_same_is_no_change() {
        let proposal = plan(&stored(), &thing(|value| value.set("version", "1.30.0".into())));
        assert_eq!(proposal.planned, stored());
    }

    #[rstest::rstest]
    #[case("replicas", Value::from(3), &["status"])]
    #[case("network.sans", Value::strings(["a"]), &["status"])]
    #[case("network.address", "10.0.0.2".into(), &["endpoint", "status"])]
    #[case("network.address", Value::Unknown, &["endpoint", "status"])]
    #[case("wait_for", "ready".into(), &["rendered"])]
    #[case("network", Value::Null, &["endpoint", "status"])]
    #[case("network", Value::Unknown, &["endpoint", "status"])]
    fn a_single_change_moves_only_what_follows_from_it(
        #[case] path: &str,
        #[case] value: Value,
        #[case] moved: &[&str],
    ) {
        let proposal = plan(&stored(), &thing(|config| config.set(path, value)));
        assert_eq!(unknowns(&proposal.planned), moved);
        assert_eq!(proposal.replaced, []);
    }

    #[test]
    fn a_configuration_from_a_state_has_nothing_that_only_the_provider_gives() {
        assert_eq!(to_config(&schema().attributes, &stored()), thing(|_| {}));
    }

    #[test]
    fn a_configuration_from_a_state_has_nothing_that_should_not_be_written() {
        let bed = vec![string("plant"), string("grown").computed(RecomputedBy::Nothing)];
        let attributes = vec![
            Attribute { deprecated: Some("Use name."), ..string("title") },
            string("key").write_only(),
            list_of("beds", bed),
        ];
        let bed = |grown: Value| Value::List(vec![Value::object([("plant", "rose".into()), ("grown", grown)])]);
        let state = Value::object([("title", "a".into()), ("key", "k".into()), ("beds", bed("high".into()))]);
        let config = Value::object([("title", Value::Null), ("key", Value::Null), ("beds", bed(Value::Null))]);
        assert_eq!(to_config(&attributes, &state), config);
    }

    #[test]
    fn a_changed_identity_needs_a_new_object_and_an_unknown_one_does_not() {
        let changed = plan(&stored(), &thing(|value| value.set("name", "b".into())));
        assert_eq!(changed.replaced, [(Path::of("name"), "the name is the identity")]);
        let unknown = plan(&stored(), &thing(|value| value.set("name", Value::Unknown)));
        assert_eq!(unknown.replaced, []);
    }
}
