//! The documentation page of a function, in the layout of the Terraform Registry.

use super::{Function, Parameter, Signature};
use crate::schema::docs::attributes::{self, described};
use crate::schema::docs::{code, example_usage, section};
use crate::schema::{Attribute, Kind};
use crate::value::Type;

/// The page of a function of a provider (`kamaji`), as Markdown with front matter. `examples` are pairs of a title and
/// HCL; an empty title gives no heading.
pub fn page(provider: &str, function: &dyn Function, examples: &[(&str, &str)]) -> String {
    let (name, signature) = (function.name(), function.signature());
    let mut page = format!(
        "---\npage_title: \"{name} function - {provider}\"\nsubcategory: \"\"\ndescription: |-\n  {}\n---\n",
        signature.summary
    );
    section(&mut page, &format!("# function: {name}"));
    if let Some(why) = signature.deprecated {
        section(&mut page, &format!("**Deprecated:** {why}"));
    }
    section(&mut page, signature.description.trim());
    example_usage(&mut page, examples);
    section(&mut page, "## Signature");
    section(&mut page, &code("text", &head(name, signature)));
    let parameters = || signature.parameters.iter().chain(&signature.variadic);
    if parameters().next().is_some() {
        section(&mut page, "## Arguments");
        let fixed = signature.parameters.iter().map(|parameter| argument(parameter, ""));
        let lines: Vec<String> = fixed.chain(signature.variadic.iter().map(|it| argument(it, "Variadic, "))).collect();
        section(&mut page, &lines.join("\n"));
    }
    for Parameter { attribute, .. } in parameters().filter(|parameter| !parameter.attribute.nested().is_empty()) {
        section(&mut page, &format!("### Attributes of `{}`", attribute.name));
        attributes::inside(&mut page, attribute.nested());
    }
    section(&mut page, "## Result");
    section(&mut page, &format!("({}) {}", words(&signature.result), signature.result.description.trim()));
    if !signature.result.nested().is_empty() {
        page.push('\n');
        attributes::list(&mut page, signature.result.nested(), "");
    }
    page
}

/// `name(a string, more string...) string`
fn head(name: &str, signature: &Signature) -> String {
    let one = |parameter: &Parameter| format!("{} {}", parameter.attribute.name, type_word(&parameter.attribute));
    let fixed = signature.parameters.iter().map(one);
    let all: Vec<String> = fixed.chain(signature.variadic.iter().map(|it| format!("{}...", one(it)))).collect();
    format!("{name}({}) {}", all.join(", "), type_word(&signature.result))
}

fn type_word(attribute: &Attribute) -> String {
    match &attribute.kind {
        Kind::Value(ty) => plain_type_word(ty),
        Kind::Object(_) => "object".to_owned(),
        Kind::ListOf(_) => "list of object".to_owned(),
        Kind::SetOf(_) => "set of object".to_owned(),
        Kind::MapOf(_) => "map of object".to_owned(),
    }
}

fn plain_type_word(ty: &Type) -> String {
    match ty {
        Type::String => "string".to_owned(),
        Type::Number => "number".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Dynamic => "dynamic".to_owned(),
        Type::List(element) => format!("list of {}", plain_type_word(element)),
        Type::Set(element) => format!("set of {}", plain_type_word(element)),
        Type::Map(element) => format!("map of {}", plain_type_word(element)),
        Type::Object(_) => "object".to_owned(),
        Type::Tuple(_) => "tuple".to_owned(),
    }
}

/// The type as the Registry writes it: "String", "List of Object".
fn words(attribute: &Attribute) -> String {
    let words: Vec<String> = type_word(attribute).split(' ').map(capitalised).collect();
    words.join(" ").replace(" Of ", " of ").replace("Bool", "Boolean")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn argument(parameter: &Parameter, before: &str) -> String {
    let nullable = if parameter.allow_null() { ", Nullable" } else { "" };
    let Parameter { attribute, .. } = parameter;
    format!("1. `{}` ({before}{}{nullable}) {}", attribute.name, words(attribute), described(attribute, "   "))
}
