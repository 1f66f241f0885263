//! Do the tables say what Kamaji's definitions say? Compared release by release with the CustomResourceDefinitions in
//! the folder that `KAMAJI_CRDS` names; each release is a folder there. CI sets it; without it the tests are skipped,
//! and say so.

mod definition;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::schema::{Attribute, Empty, Form, Kind, Mode, OnChange, Schema, Validator, number, string};
use tfplugin::value::Type;

use self::definition::{holds_nothing, merge_in, releases, snake_case, type_in, validations};
use crate::kamaji::release::Release;
use crate::{datastore, tenant_control_plane};

/// What the table asks for although the API does not: Kamaji's controller does, for ever and in silence.
/// A reference without name and namespace means nothing in a cluster-wide object such as a datastore.
const REQUIRED_IN_PRACTICE: [&str; 4] = [
    "controlPlane.ingress.hostname",
    "controlPlane.gateway.hostname",
    ".secretReference.name",
    ".secretReference.namespace",
];

#[test]
fn the_table_of_control_planes_has_every_field_of_every_release() {
    compare_with_releases("tenantcontrolplane", None, &tenant_control_plane::schema::SCHEMA, 600);
}

#[test]
fn the_table_of_datastores_has_every_field_of_every_release() {
    compare_with_releases("datastore", None, &datastore::schema::SCHEMA, 26);
}

#[test]
fn the_table_of_kubeconfig_generators_has_every_field_of_every_release() {
    let schema = &crate::kubeconfig_generator::schema::SCHEMA;
    compare_with_releases("kubeconfiggenerator", Some("edge-25.9.5"), schema, 13);
}

/// Says something that is seen although the test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Compares a table with the definitions of a kind, which are in each release `since` one, and have at least so many
/// leaves in the newest.
fn compare_with_releases(kind: &str, since: Option<&str>, schema: &Schema, leaves: usize) {
    let Some(folder) = std::env::var_os("KAMAJI_CRDS").filter(|folder| !folder.is_empty()) else {
        say(&format!(
            "SKIPPED: the table of {kind} was not compared with Kamaji's definitions: KAMAJI_CRDS is not set"
        ));
        return;
    };
    let since = since.and_then(Release::parse);
    let releases = releases(Path::new(&folder), kind, |release| since.is_none_or(|since| since <= release));
    assert!(!releases.is_empty(), "no release with a {kind} definition in {}", folder.display());
    let newest = releases.iter().map(|(release, ..)| *release).max();
    let mut wrong = Vec::new();
    for (release, name, spec) in releases {
        let mut comparison = Comparison { release, is_newest: Some(release) == newest, ..Comparison::default() };
        let table = schema.attributes.iter().filter_map(|attribute| {
            let key = attribute.api.as_ref()?.key.strip_prefix("spec.")?;
            Some((key, attribute))
        });
        comparison.object(&table.collect::<Vec<_>>(), &spec, "", None);
        say(&format!(
            "{kind} {name}: {} fields, {} of them leaves, {} stricter in the table",
            comparison.fields, comparison.leaves, comparison.stricter
        ));
        wrong.extend(comparison.wrong.into_iter().map(|problem| format!("{name}: {problem}")));
        if comparison.is_newest {
            let found = comparison.leaves;
            assert!(found >= leaves, "the newest release has at least {leaves} leaves, not {found}");
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

struct Comparison {
    release: Release,
    is_newest: bool,
    fields: usize,
    leaves: usize,
    /// Values that the table refuses and the definition does not: what Kubernetes would refuse later.
    stricter: usize,
    wrong: Vec<String>,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            release: Release::parse("v0.0.0").expect("a release"),
            is_newest: false,
            fields: 0,
            leaves: 0,
            stricter: 0,
            wrong: Vec::new(),
        }
    }
}

impl Comparison {
    fn wrong(&mut self, path: &str, problem: impl std::fmt::Display) {
        self.wrong.push(format!("{path}: {problem}"));
    }

    fn members(&mut self, attributes: &[Attribute], crd: &Json, path: &str, since: Option<Release>) {
        let keyed: Vec<(&str, &Attribute)> =
            attributes.iter().filter_map(|attribute| Some((attribute.api.as_ref()?.key, attribute))).collect();
        // What is write-only, and its version, becomes something else in the API.
        let write_only = attributes.iter().filter(|it| it.write_only || it.name.ends_with("_wo_version")).count();
        if keyed.len() + write_only != attributes.len() {
            self.wrong(path, "a member has no key of the API");
        }
        self.object(&keyed, crd, path, since);
    }

    /// Compares the members of an object. `since` is the first release that has the object.
    fn object(&mut self, table: &[(&str, &Attribute)], crd: &Json, path: &str, since: Option<Release>) {
        let there = crd["properties"].as_object().cloned().unwrap_or_default();
        for (key, crd) in &there {
            let known = table.iter().any(|(known, _)| known == key);
            if !known && !holds_nothing(crd) {
                self.wrong(&format!("{path}{key}"), "is not in the table");
            }
        }
        for (key, attribute) in table {
            let path = format!("{path}{key}");
            let own = attribute.api.as_ref().and_then(|api| api.since);
            if own.is_some_and(|own| Release::parse(own).is_none()) {
                self.wrong(&path, format!("{own:?} is no release"));
            }
            let since = own.and_then(Release::parse).max(since);
            let expected = since.is_none_or(|since| since <= self.release);
            match there.get(*key) {
                None if expected => self.wrong(&path, format!("does not exist, although the table says since {own:?}")),
                None => {}
                Some(_) if !expected => self.wrong(&path, format!("exists, although the table says since {own:?}")),
                Some(found) => {
                    let is_required =
                        crd["required"].as_array().is_some_and(|keys| keys.iter().any(|name| name == key));
                    self.attribute(attribute, found, &path, is_required);
                    self.inside(attribute, found, &path, since);
                }
            }
        }
    }

    fn inside(&mut self, attribute: &Attribute, crd: &Json, path: &str, since: Option<Release>) {
        match &attribute.kind {
            Kind::Value(_) => self.leaves += 1,
            Kind::Object(inner) => self.members(inner, crd, &format!("{path}."), since),
            Kind::ListOf(inner) | Kind::SetOf(inner) => {
                self.members(inner, &crd["items"], &format!("{path}[]."), since)
            }
            Kind::MapOf(inner) => self.members(inner, &crd["additionalProperties"], &format!("{path}{{}}."), since),
        }
    }

    fn attribute(&mut self, attribute: &Attribute, crd: &Json, path: &str, is_required: bool) {
        self.fields += 1;
        let key = path.rsplit('.').next().unwrap_or(path);
        if attribute.name != snake_case(key) {
            self.wrong(path, format!("is named {}, not {}", attribute.name, snake_case(key)));
        }
        let (table, definition) = (type_of(attribute), type_in(crd));
        if table != definition {
            self.wrong(path, format!("is {table} in the table, and {definition}"));
        }
        self.mode(attribute, path, is_required);
        self.default_of(attribute, crd, path);
        self.rules(attribute, crd, path);
        let merge = merge_in(crd);
        // The list of address types became a set; what the newest release does is right for a list, too.
        if self.is_newest && attribute.merge() != merge {
            self.wrong(path, format!("merges {:?} in the table, and {merge:?}", attribute.merge()));
        }
        let is_fixed = validations(crd).any(|rule| rule == "self == oldSelf");
        if is_fixed && attribute.on_change == OnChange::InPlace {
            self.wrong(path, "cannot be changed, but the table updates in place");
        }
    }

    fn mode(&mut self, attribute: &Attribute, path: &str, is_required: bool) {
        let always = attribute.api.as_ref().is_some_and(|api| api.empty == Empty::Always);
        match attribute.mode {
            Mode::Required if !is_required && !REQUIRED_IN_PRACTICE.iter().any(|known| path.ends_with(known)) => {
                self.wrong(path, "is required in the table only");
            }
            Mode::Optional if is_required && !always => self.wrong(path, "is required, but not in the table"),
            Mode::Computed | Mode::OptionalComputed => self.wrong(path, "is computed"),
            _ => {}
        }
    }

    fn default_of(&mut self, attribute: &Attribute, crd: &Json, path: &str) {
        let parse = |release: &str| Release::parse(release).unwrap_or_else(|| panic!("{path}: {release:?}"));
        let defaults = attribute.api.iter().flat_map(|api| &api.server_defaults);
        let mut now = defaults.filter(|default| {
            default.since.is_none_or(|since| parse(since) <= self.release)
                && default.until.is_none_or(|until| self.release < parse(until))
        });
        let now = now.next().map(|default| default.json);
        let table: Json = now.map_or(Json::Null, |json| serde_json::from_str(json).expect("a default is JSON"));
        let definition = &crd["default"];
        if table != *definition {
            self.wrong(path, format!("has the default {table} in the table, and {definition}"));
        }
    }

    fn rules(&mut self, attribute: &Attribute, crd: &Json, path: &str) {
        let strings = |values: &Json| -> Option<BTreeSet<String>> {
            values.as_array().map(|values| values.iter().filter_map(Json::as_str).map(str::to_owned).collect())
        };
        let definition = strings(&crd["enum"]).or_else(|| strings(&crd["items"]["enum"]));
        let table = attribute.validators.iter().find_map(Validator::allowed);
        let table: Option<BTreeSet<String>> =
            table.map(|allowed| allowed.iter().map(|&text| text.to_owned()).collect());
        match (table, definition) {
            (Some(_), None) => self.stricter += 1,
            (table, definition) if table != definition => {
                self.wrong(path, format!("allows {table:?} in the table, and {definition:?}"));
            }
            _ => {}
        }
        self.bounds(attribute, crd, path);
    }

    /// Bounds and patterns, by what the rules of the table refuse.
    fn bounds(&mut self, attribute: &Attribute, crd: &Json, path: &str) {
        let refuses_value = |value: Value| attribute.validators.iter().any(|rule| rule.check(&value).is_err());
        let refuses = |number: i64| refuses_value(number.into());
        let refuses_text = |text: String| refuses_value(text.into());
        if let Some(low) = crd["minimum"].as_i64()
            && (refuses(low) || !refuses(low - 1))
        {
            self.wrong(path, format!("is at least {low}, but the table says something else"));
        }
        if let Some(high) = crd["maximum"].as_i64()
            && (refuses(high) || !refuses(high + 1))
        {
            self.wrong(path, format!("is at most {high}, but the table says something else"));
        }
        let half = Value::Number(tfplugin::value::Number::Float(1.5));
        if type_of(attribute) == "a number" && !refuses_value(half) {
            self.wrong(path, "is a whole number, but the table takes fractions");
        }
        if crd["minLength"].as_u64().is_some_and(|low| low > 0) && !refuses_text(String::new()) {
            self.wrong(path, "is not empty, but the table takes empty text");
        }
        if let Some(high) = crd["maxLength"].as_u64().and_then(|high| usize::try_from(high).ok())
            && !refuses_text("a".repeat(high + 1))
        {
            self.wrong(path, format!("has at most {high} characters, but the table takes more"));
        }
        // No pattern of a definition takes this.
        if crd["pattern"].is_string() && !refuses_text("!".to_owned()) {
            self.wrong(path, "has a pattern, but the table takes any text");
        }
        if crd["minItems"].as_u64().is_some_and(|low| low > 0) && !refuses_value(Value::List(Vec::new())) {
            self.wrong(path, "is not empty, but the table takes an empty list");
        }
        if let Some(high) = crd["maxItems"].as_u64().and_then(|high| usize::try_from(high).ok()) {
            let takes = |item: &str, count| !refuses_value(Value::strings(vec![item; count]));
            let fitting = ["10.0.0.1", "10.0.0.0/16"].into_iter().find(|item| takes(item, 1));
            if fitting.is_none_or(|item| takes(item, high + 1)) {
                self.wrong(path, format!("has at most {high} entries, but the table takes more"));
            }
        }
    }
}

fn type_of(attribute: &Attribute) -> String {
    let form = attribute.api.as_ref().map_or(Form::Plain, |api| api.form);
    match &attribute.kind {
        Kind::Value(ty) => leaf_type_of(ty, form),
        Kind::Object(_) => "an object".to_owned(),
        Kind::ListOf(_) | Kind::SetOf(_) => "a list of an object".to_owned(),
        Kind::MapOf(_) => "a map of an object".to_owned(),
    }
}

fn leaf_type_of(ty: &Type, form: Form) -> String {
    match (ty, form) {
        (Type::List(element) | Type::Set(element), _) => format!("a list of {}", leaf_type_of(element, form)),
        (Type::Map(element), _) => format!("a map of {}", leaf_type_of(element, form)),
        (Type::String, Form::Text) => "a quantity".to_owned(),
        (Type::String, Form::NumberOrText) => "a number or text".to_owned(),
        (Type::String, Form::Json) => "any JSON".to_owned(),
        (Type::String, Form::Base64) => "bytes".to_owned(),
        _ => ty.noun().to_owned(),
    }
}

/// Each kind of difference is found.
#[rstest::rstest]
#[case::missing(json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}), "b: is not in the table")]
#[case::extra(json!({"properties": {}}), "a: does not exist, although the table says since None")]
#[case::other_type(json!({"properties": {"a": {"type": "integer"}}}), "a: is a string in the table, and a number")]
#[case::required(
    json!({"properties": {"a": {"type": "string"}}, "required": ["a"]}),
    "a: is required, but not in the table"
)]
#[case::other_default(
    json!({"properties": {"a": {"type": "string", "default": "x"}}}),
    "a: has the default null in the table, and \"x\""
)]
#[case::other_enum(
    json!({"properties": {"a": {"type": "string", "enum": ["x"]}}}),
    "a: allows None in the table, and Some({\"x\"})"
)]
#[case::pattern(
    json!({"properties": {"a": {"type": "string", "pattern": "^x$"}}}),
    "a: has a pattern, but the table takes any text"
)]
#[case::length(
    json!({"properties": {"a": {"type": "string", "maxLength": 3}}}),
    "a: has at most 3 characters, but the table takes more"
)]
#[case::fixed(
    json!({"properties": {"a": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}}),
    "a: cannot be changed, but the table updates in place"
)]
#[case::merged_otherwise(
    json!({"properties": {"a": {"type": "string", "x-kubernetes-list-type": "set"}}}),
    "a: merges Members in the table, and Set"
)]
fn a_difference_is_found(#[case] definition: Json, #[case] found: &str) {
    assert_eq!(differences(&string("a").json("a"), &definition), [found]);
}

#[test]
fn releases_count() {
    let definition = json!({"properties": {"a": {"type": "string"}}});
    assert_eq!(
        differences(&string("a").json("a").since("26.1.1-edge"), &definition),
        ["a: exists, although the table says since Some(\"26.1.1-edge\")"]
    );
    assert_eq!(differences(&string("a").json("a").since("edge-24.1.1"), &definition), [""; 0]);
    let number = number("a").json("a").rule(Validator::at_least(1));
    let definition = json!({"properties": {"a": {"type": "integer", "minimum": 0}}});
    assert_eq!(differences(&number, &definition), ["a: is at least 0, but the table says something else"]);
}

fn differences(attribute: &Attribute, definition: &Json) -> Vec<String> {
    let release = Release::parse("edge-25.1.1").expect("a release");
    let mut comparison = Comparison { release, is_newest: true, ..Comparison::default() };
    comparison.members(std::slice::from_ref(attribute), definition, "", None);
    comparison.wrong
}
