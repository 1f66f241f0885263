//! What core would reject in a schema, and what a schema must not say.
//!
//! Core rejects a schema at load ("Failed to load plugin schemas … which is a bug in the provider"), so a provider's
//! tests assert that [`check`] finds nothing in any of its schemas.

use std::collections::BTreeSet;

use super::{Attribute, Kind, Mode, ObjectKind, OnChange, RecomputedBy, Schema};
use crate::path::Path;
use crate::value::Type;

/// Names that the language takes in blocks of objects.
const RESERVED: [&str; 9] =
    ["_", "connection", "count", "depends_on", "for_each", "lifecycle", "locals", "provider", "provisioner"];

/// Names that the language takes in a provider block.
const RESERVED_IN_PROVIDER: [&str; 9] =
    ["_", "alias", "count", "depends_on", "for_each", "lifecycle", "locals", "source", "version"];

/// Everything that is wrong with a schema, one line each, starting with the attribute.
pub fn check(kind: ObjectKind, schema: &Schema) -> Vec<String> {
    let mut found = Found { kind, schema, lines: Vec::new() };
    if schema.version < 0 {
        found.lines.push(format!("version {} is negative", schema.version));
    }
    if schema.description.trim().is_empty() {
        found.lines.push("the object has no description".to_owned());
    }
    let reserved = if kind == ObjectKind::Provider { &RESERVED_IN_PROVIDER } else { &RESERVED };
    for name in schema.attributes.iter().map(|attribute| attribute.name).filter(|name| reserved.contains(name)) {
        found.lines.push(format!("{name}: the language reserves this name"));
    }
    found.attributes(&schema.attributes, &Path::root(), Around::default());
    found.lines
}

/// What the attributes around one say about it.
#[derive(Clone, Copy, Default)]
struct Around {
    set: bool,
    collection: bool,
    computed: bool,
    write_only: bool,
}

struct Found<'a> {
    kind: ObjectKind,
    schema: &'a Schema,
    lines: Vec<String>,
}

impl Found<'_> {
    fn attributes(&mut self, attributes: &[Attribute], parent: &Path, around: Around) {
        let mut names = BTreeSet::new();
        for attribute in attributes {
            let path = parent.attribute(attribute.name);
            if !names.insert(attribute.name) {
                self.lines.push(format!("{path}: there are two of this name"));
            }
            self.lines.extend(self.problems(attribute, around).into_iter().map(|problem| format!("{path}: {problem}")));
            let around = Around {
                set: around.set || matches!(attribute.kind, Kind::SetOf(_)),
                collection: around.collection || matches!(attribute.kind, Kind::ListOf(_) | Kind::MapOf(_)),
                computed: around.computed || attribute.mode == Mode::Computed,
                write_only: around.write_only || attribute.write_only,
            };
            self.attributes(attribute.nested(), &path, around);
        }
    }

    fn problems(&self, attribute: &Attribute, around: Around) -> Vec<String> {
        let mut problems = Vec::new();
        let mut rule = |broken: bool, problem: &str| {
            if broken {
                problems.push(problem.to_owned());
            }
        };
        rule(!is_name(attribute.name), "the name does not match ^[a-z_][a-z0-9_]*$");
        rule(attribute.description.trim().is_empty(), "there is no description");
        rule(attribute.deprecated == Some(""), "the deprecation says nothing");

        rule(attribute.write_only && attribute.is_computed(), "write-only and computed exclude each other");
        rule(attribute.write_only && around.set, "write-only attributes must not lie in a set");
        rule(attribute.write_only && self.kind != ObjectKind::Resource, "only managed resources have write-only ones");
        rule(around.write_only && !attribute.write_only, "it lies in a write-only one and must be write-only too");
        rule(attribute.write_only && attribute.on_change != OnChange::InPlace, "write-only values cannot be compared");

        rule(attribute.is_computed() && self.kind == ObjectKind::Action, "an action has no state to compute it into");

        let computed_only = attribute.mode == Mode::Computed;
        rule(around.computed && !computed_only, "it lies in a computed one and must be computed too");
        rule(computed_only && attribute.on_change != OnChange::InPlace, "what is computed cannot ask for a new object");
        rule(computed_only && !attribute.validators.is_empty(), "what is computed has no configuration to check");
        let moves = attribute.recomputed_by != RecomputedBy::Nothing;
        rule(moves && !attribute.is_computed(), "recomputed_by is for computed ones");
        if let RecomputedBy::Change(paths) = attribute.recomputed_by {
            for path in paths.iter().filter(|path| self.schema.attribute(path).is_none()) {
                rule(true, &format!("recomputed_by names {path}, which does not exist"));
            }
        }

        if let Kind::Value(ty) = &attribute.kind {
            // Core dies of a collection whose elements differ in type.
            let within = (around.set || around.collection) && has_dynamic(ty);
            rule(within || collects_dynamic(ty), "a value of any type must not lie in a list, set or map");
        }
        problems
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn has_dynamic(ty: &Type) -> bool {
    match ty {
        Type::Dynamic => true,
        Type::String | Type::Number | Type::Bool => false,
        Type::List(element) | Type::Set(element) | Type::Map(element) => has_dynamic(element),
        Type::Object(members) => members.values().any(has_dynamic),
        Type::Tuple(elements) => elements.iter().any(has_dynamic),
    }
}

fn collects_dynamic(ty: &Type) -> bool {
    match ty {
        Type::Dynamic | Type::String | Type::Number | Type::Bool => false,
        Type::List(element) | Type::Set(element) | Type::Map(element) => has_dynamic(element),
        Type::Object(members) => members.values().any(collects_dynamic),
        Type::Tuple(elements) => elements.iter().any(collects_dynamic),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::schema::{Validator, list_of, object, string, string_list};

    fn schema(attributes: Vec<Attribute>) -> Schema {
        Schema::new(0, "A thing.", attributes)
    }

    fn said(name: &'static str) -> Attribute {
        string(name).doc("Said.")
    }

    fn write_only(name: &'static str) -> Attribute {
        Attribute { write_only: true, ..said(name) }
    }

    fn of(name: &'static str, kind: Kind) -> Attribute {
        Attribute::new(name, kind).doc("Said.")
    }

    fn any(name: &'static str) -> Attribute {
        of(name, Kind::Value(Type::Dynamic))
    }

    #[test]
    fn a_sound_schema_is_accepted() {
        let sound = schema(vec![
            said("name").required().replace("the name is the identity"),
            write_only("password").sensitive(),
            object("net", vec![said("name"), said("port_1")]).doc("Said."),
            any("anything"),
            said("id").computed(RecomputedBy::Change(&["net.name"])),
            of("status", Kind::Object(vec![said("phase").computed(RecomputedBy::AnyChange)]))
                .computed(RecomputedBy::AnyChange),
        ]);
        assert_eq!(check(ObjectKind::Resource, &sound), Vec::<String>::new());
    }

    #[rstest]
    #[case::pattern(said("certSANs"), "certSANs: the name does not match ^[a-z_][a-z0-9_]*$")]
    #[case::digit(said("1st"), "1st: the name does not match ^[a-z_][a-z0-9_]*$")]
    #[case::reserved(said("provider"), "provider: the language reserves this name")]
    #[case::description(string("a"), "a: there is no description")]
    #[case::deprecation(Attribute { deprecated: Some(""), ..said("a") }, "a: the deprecation says nothing")]
    #[case::twice(of("a", Kind::Object(vec![said("b"), said("b")])), "a.b: there are two of this name")]
    #[case::write_only_computed(
        Attribute { mode: Mode::OptionalComputed, ..write_only("a") },
        "a: write-only and computed exclude each other"
    )]
    #[case::write_only_in_set(
        of("a", Kind::SetOf(vec![of("b", Kind::Object(vec![write_only("c")]))])),
        "a.b.c: write-only attributes must not lie in a set"
    )]
    #[case::write_only_parent(
        Attribute { write_only: true, ..of("a", Kind::Object(vec![said("b")])) },
        "a.b: it lies in a write-only one and must be write-only too"
    )]
    #[case::write_only_replace(write_only("a").replace("why"), "a: write-only values cannot be compared")]
    #[case::computed_parent(
        of("a", Kind::Object(vec![said("b")])).computed(RecomputedBy::Nothing),
        "a.b: it lies in a computed one and must be computed too"
    )]
    #[case::computed_replace(
        said("a").computed(RecomputedBy::Nothing).replace("why"),
        "a: what is computed cannot ask for a new object"
    )]
    #[case::computed_rule(
        said("a").computed(RecomputedBy::Nothing).rule(Validator::one_of(&["x"])),
        "a: what is computed has no configuration to check"
    )]
    #[case::recomputed_optional(
        Attribute { recomputed_by: RecomputedBy::AnyChange, ..said("a") },
        "a: recomputed_by is for computed ones"
    )]
    #[case::recomputed_by_nobody(
        said("a").computed(RecomputedBy::Change(&["b.c"])),
        "a: recomputed_by names b.c, which does not exist"
    )]
    #[case::any_in_list(
        list_of("a", vec![any("b")]).doc("Said."),
        "a.b: a value of any type must not lie in a list, set or map"
    )]
    #[case::map_of_any(
        of("a", Kind::Value(Type::map(Type::Dynamic))),
        "a: a value of any type must not lie in a list, set or map"
    )]
    fn a_broken_attribute_is_named(#[case] attribute: Attribute, #[case] line: &str) {
        assert_eq!(check(ObjectKind::Resource, &schema(vec![attribute])), [line]);
    }

    #[test]
    fn the_provider_block_reserves_other_names() {
        let block = schema(vec![said("alias"), said("provider"), string_list("version").doc("Said.")]);
        assert_eq!(
            check(ObjectKind::Provider, &block),
            ["alias: the language reserves this name", "version: the language reserves this name"]
        );
    }

    #[rstest]
    #[case(ObjectKind::Provider)]
    #[case(ObjectKind::DataSource)]
    #[case(ObjectKind::Ephemeral)]
    #[case(ObjectKind::List)]
    #[case(ObjectKind::Action)]
    fn only_resources_are_write_only(#[case] kind: ObjectKind) {
        assert_eq!(check(kind, &schema(vec![write_only("a")])), ["a: only managed resources have write-only ones"]);
    }

    #[test]
    fn an_action_computes_nothing() {
        let computed = schema(vec![said("id").computed(RecomputedBy::Nothing)]);
        assert_eq!(check(ObjectKind::Action, &computed), ["id: an action has no state to compute it into"]);
    }

    #[test]
    fn the_object_itself_is_checked() {
        let broken = Schema::new(-1, " ", Vec::new());
        assert_eq!(check(ObjectKind::Resource, &broken), ["version -1 is negative", "the object has no description"]);
    }
}
