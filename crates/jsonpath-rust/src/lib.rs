//! Takes the place of the crate `jsonpath-rust`, of which kube needs one function for one legacy setting: `token-key` and
//! `expiry-key` of the auth provider `gcp` in a kubeconfig, which say where in the output of a command the token is. The
//! whole engine brings two regular expression engines along, half a megabyte of the provider.
//!
//! What there is: the names of members and indices of elements, `$.credential.access_token`, `$['a b'][0]`. Those are all
//! that such a setting holds; anything else is refused with a word about it.

use std::fmt;

use serde_json::Value;

/// A path that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    rest: String,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "only names and indices are understood in paths, as in $.credential.tokens[0], but not {:?}",
            self.rest
        )
    }
}

impl std::error::Error for NotUnderstood {}

/// Queries of JSON.
pub trait JsonPath {
    /// What is at a path, `$` being the whole: one value, or none.
    ///
    /// # Errors
    /// The path has more in it than names and indices.
    fn query(&self, path: &str) -> Result<Vec<&Value>, NotUnderstood>;
}

impl JsonPath for Value {
    fn query(&self, path: &str) -> Result<Vec<&Value>, NotUnderstood> {
        let mut found = Some(self);
        let mut rest = path.strip_prefix('$').ok_or_else(|| NotUnderstood { rest: path.to_owned() })?;
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(|| NotUnderstood { rest: rest.to_owned() })?;
            found = match step {
                Step::Member(name) => found.and_then(|value| value.get(name)),
                Step::Element(index) => found.and_then(|value| value.get(index)),
            };
            rest = after;
        }
        Ok(found.into_iter().collect())
    }
}

enum Step<'a> {
    Member(&'a str),
    Element(usize),
}

/// The first step of a path, and what comes after it.
fn step(path: &str) -> Option<(Step<'_>, &str)> {
    if let Some(path) = path.strip_prefix('.') {
        let (name, after) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        return is_name.then_some((Step::Member(name), after));
    }
    let inside = path.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(quoted) = inside.strip_prefix(quote) {
            let (name, after) = quoted.split_once(quote)?;
            let after = after.strip_prefix(']')?;
            return (!name.contains('\\')).then_some((Step::Member(name), after));
        }
    }
    let (index, after) = inside.split_once(']')?;
    index.parse().ok().map(|index| (Step::Element(index), after))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::whole("$", Some(json!({"a": {"b-c": [1, {"d e": "x"}]}})))]
    #[case::members("$.a.b-c", Some(json!([1, {"d e": "x"}])))]
    #[case::element("$.a.b-c[0]", Some(json!(1)))]
    #[case::quoted("$['a'][\"b-c\"][1]['d e']", Some(json!("x")))]
    #[case::no_member("$.a.z.y", None)]
    #[case::no_element("$.a.b-c[7]", None)]
    fn names_and_indices_lead_to_one_value(#[case] path: &str, #[case] found: Option<Value>) {
        let json = json!({"a": {"b-c": [1, {"d e": "x"}]}});
        assert_eq!(json.query(path), Ok(found.as_ref().into_iter().collect()));
    }

    #[rstest]
    #[case("a")]
    #[case("$..a")]
    #[case("$.a[*]")]
    #[case("$.a[?(@.b)]")]
    #[case("$.a[-1]")]
    #[case("$.a[0")]
    #[case("$['a")]
    #[case("$.")]
    fn everything_else_is_refused(#[case] path: &str) {
        assert!(json!({"a": [1]}).query(path).is_err());
    }
}
