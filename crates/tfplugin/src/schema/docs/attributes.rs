//! The attributes of an object, level by level.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use super::section;
use crate::schema::{Api, Attribute, Kind, Mode, OnChange};
use crate::value::Type;

/// Adds the groups of the outermost attributes, then a section for each kind of attributes inside.
pub(super) fn write(page: &mut String, attributes: &[Attribute]) {
    let homes = Homes::find(attributes);
    groups(page, attributes, &homes, "### ", "");
    nested_sections(page, attributes, "", &homes);
}

/// The attributes of one level, split by who gives the value. `before` and `after` stand around each group's title.
fn groups(page: &mut String, attributes: &[Attribute], homes: &Homes, before: &str, after: &str) {
    let of = |wanted: &[Mode]| -> Vec<&Attribute> {
        sorted(attributes).into_iter().filter(|attribute| wanted.contains(&attribute.mode)).collect()
    };
    for (title, members) in [
        ("Required", of(&[Mode::Required])),
        ("Optional", of(&[Mode::Optional, Mode::OptionalComputed])),
        ("Read-Only", of(&[Mode::Computed])),
    ] {
        if !members.is_empty() {
            let lines = members.into_iter().map(|attribute| line(attribute, homes)).collect::<Vec<_>>();
            section(page, &format!("{before}{title}{after}\n\n{}", lines.join("\n")));
        }
    }
}

/// A section for each kind of attributes inside an attribute, a parent before its children.
fn nested_sections(page: &mut String, attributes: &[Attribute], parent: &str, homes: &Homes) {
    for attribute in sorted(attributes).into_iter().filter(|attribute| !attribute.nested().is_empty()) {
        let path = join(parent, attribute.name);
        let Some(home) = homes.of(attribute).filter(|home| home.path == path) else { continue };
        let also = home.also.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        let also = if also.is_empty() { also } else { format!("\n\nThe same for {also}.") };
        section(page, &format!("<a id=\"{}\"></a>\n### Nested Schema for `{path}`{also}", anchor(&path)));
        groups(page, attribute.nested(), homes, "", ":");
        nested_sections(page, attribute.nested(), &path, homes);
    }
}

/// Where the attributes inside an attribute are described. What is the same in several places is described at the first.
struct Homes(HashMap<String, Home>);

struct Home {
    path: String,
    also: Vec<String>,
}

impl Homes {
    fn find(attributes: &[Attribute]) -> Self {
        let mut homes = Self(HashMap::new());
        homes.collect(attributes, "");
        homes
    }

    fn collect(&mut self, attributes: &[Attribute], parent: &str) {
        for attribute in sorted(attributes).into_iter().filter(|attribute| !attribute.nested().is_empty()) {
            let path = join(parent, attribute.name);
            match self.0.entry(content(attribute.nested())) {
                Entry::Occupied(mut home) => home.get_mut().also.push(path),
                Entry::Vacant(home) => {
                    home.insert(Home { path: path.clone(), also: Vec::new() });
                    self.collect(attribute.nested(), &path);
                }
            }
        }
    }

    fn of(&self, attribute: &Attribute) -> Option<&Home> {
        self.0.get(&content(attribute.nested()))
    }
}

/// Everything that is said about some attributes.
fn content(attributes: &[Attribute]) -> String {
    let parts = attributes
        .iter()
        .map(|attribute| format!("{:?} {}\n{}.\n", attribute.mode, words(attribute), content(attribute.nested())));
    parts.collect()
}

fn sorted(attributes: &[Attribute]) -> Vec<&Attribute> {
    let mut sorted: Vec<&Attribute> = attributes.iter().collect();
    sorted.sort_by_key(|attribute| attribute.name);
    sorted
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

fn line(attribute: &Attribute, homes: &Homes) -> String {
    let mut line = words(attribute);
    if let Some(home) = homes.of(attribute).filter(|_| !attribute.nested().is_empty()) {
        let _ = write!(line, " (see [below for nested schema](#{}))", anchor(&home.path));
    }
    line
}

/// The line of an attribute without its link.
fn words(attribute: &Attribute) -> String {
    let mut traits = type_words(attribute);
    if attribute.sensitive {
        traits.push_str(", Sensitive");
    }
    if attribute.write_only {
        traits.push_str(", Write-only");
    }
    if attribute.deprecated.is_some() {
        traits.push_str(", Deprecated");
    }
    let mut line = format!("- `{}` ({traits})", attribute.name);
    let described = described(attribute, "  ");
    if !described.is_empty() {
        let _ = write!(line, " {described}");
    }
    line
}

/// What is said of an attribute, as the text of a list item whose continuation lines are indented so.
pub(crate) fn described(attribute: &Attribute, indent: &str) -> String {
    let text = sentences(attribute).join(" ");
    text.replace('\n', &format!("\n{indent}")).replace(&format!("\n{indent}\n"), "\n\n")
}

/// Adds the attributes of an argument of a function, then a section for each kind of attributes inside.
pub(crate) fn inside(page: &mut String, attributes: &[Attribute]) {
    let homes = Homes::find(attributes);
    groups(page, attributes, &homes, "", ":");
    nested_sections(page, attributes, "", &homes);
}

/// Adds the attributes of a result of a function, with those inside them indented.
pub(crate) fn list(page: &mut String, attributes: &[Attribute], indent: &str) {
    for attribute in sorted(attributes) {
        let _ = writeln!(page, "{indent}{}", words(attribute).replace('\n', &format!("\n{indent}")));
        list(page, attribute.nested(), &format!("{indent}  "));
    }
}

/// The description and what follows from the table.
fn sentences(attribute: &Attribute) -> Vec<String> {
    let mut sentences = Vec::new();
    if !attribute.description.trim().is_empty() {
        sentences.push(sentence(attribute.description.trim()));
    }
    for validator in &attribute.validators {
        sentences.push(sentence(&match validator.rule.strip_prefix("each ") {
            Some(rule) => format!("Each element must be {rule}"),
            None => format!("Must be {}", validator.rule),
        }));
    }
    if let Some(default) = attribute.default {
        sentences.push(format!("Default: `{default}`."));
    }
    let api = attribute.api.as_ref();
    if let Some(default) = api.and_then(Api::server_default) {
        sentences.push(format!("Server default: `{default}`."));
    }
    if let Some(release) = api.and_then(|api| api.since) {
        sentences.push(format!("Since {release}."));
    }
    if let OnChange::Replace(reason) = attribute.on_change {
        sentences.push(sentence(&format!("Changing it makes a new object: {reason}")));
    }
    if let Some(why) = attribute.deprecated {
        sentences.push(sentence(&format!("**Deprecated:** {why}")));
    }
    sentences
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?', ':']) { text.to_owned() } else { format!("{text}.") }
}

fn type_words(attribute: &Attribute) -> String {
    match &attribute.kind {
        Kind::Value(ty) => plain_type_words(ty),
        Kind::Object(_) => "Attributes".to_owned(),
        Kind::ListOf(_) => "Attributes List".to_owned(),
        Kind::SetOf(_) => "Attributes Set".to_owned(),
        Kind::MapOf(_) => "Attributes Map".to_owned(),
    }
}

fn plain_type_words(ty: &Type) -> String {
    match ty {
        Type::String => "String".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::Bool => "Boolean".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(element) => format!("List of {}", plain_type_words(element)),
        Type::Set(element) => format!("Set of {}", plain_type_words(element)),
        Type::Map(element) => format!("Map of {}", plain_type_words(element)),
        Type::Object(_) => "Object".to_owned(),
        Type::Tuple(_) => "Tuple".to_owned(),
    }
}
