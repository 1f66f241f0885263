//! What core would reject in a signature, and what a signature must not say.

use super::Function;
use crate::schema::check::{check, is_name};
use crate::schema::{Attribute, Mode, ObjectKind, Schema};

/// Everything that is wrong with a function, one line each.
pub fn check_function(function: &dyn Function) -> Vec<String> {
    let signature = function.signature();
    let mut lines = Vec::new();
    let mut rule = |broken: bool, problem: &str| {
        if broken {
            lines.push(problem.to_owned());
        }
    };
    rule(!is_name(function.name()), "the name does not match ^[a-z_][a-z0-9_]*$");
    rule(signature.summary.trim().is_empty(), "there is no summary");
    rule(signature.summary.contains('\n'), "the summary has several lines");
    rule(signature.deprecated == Some(""), "the deprecation says nothing");
    let all: Vec<Attribute> =
        signature.parameters.iter().chain(&signature.variadic).map(|parameter| parameter.attribute.clone()).collect();
    rule(all.iter().any(|attribute| attribute.mode == Mode::Computed), "a parameter is computed");
    // Of what is said of attributes, this is what parameters and results have in common with them.
    let schema = |attributes| Schema::new(0, signature.description, attributes);
    lines.extend(check(ObjectKind::DataSource, &schema(all)));
    lines.extend(check(ObjectKind::DataSource, &schema(vec![signature.result.clone()])));
    lines
}
