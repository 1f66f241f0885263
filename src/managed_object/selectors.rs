//! How lists of objects are chosen: by namespace, labels and fields, in words that the API server reads itself.

use tfplugin::schema::{Attribute, Problem, Validator, string, string_list};
use tfplugin::{Diagnostic, Path, Value};

use super::schema::not_empty;
use crate::kamaji::names;
use crate::management_cluster::{ApiError, Selectors};

/// `namespaces`, optional.
pub fn namespaces() -> Attribute {
    string_list("namespaces")
        .rule(Validator::each(names::dns1123_label()))
        .rule(not_empty("without `namespaces` all of them are meant"))
        .doc(
            "Only those of these namespaces. By default those of all, which needs the right to list across the \
             management cluster.",
        )
}

/// `field_selector`, optional.
pub fn field_selector() -> Attribute {
    string("field_selector").rule(selector_of_fields()).doc(
        "Only those whose fields fit, in the form of `kubectl --field-selector`: `metadata.name=blue`, \
         `metadata.namespace!=default`. API servers know these two fields of the objects of Kamaji.",
    )
}

fn selector_of_fields() -> Validator {
    Validator::new("`field=value` or `field!=value`, several with commas between them", |value| {
        let Some(text) = value.as_str() else { return Ok(()) };
        let is_term = |term: &str| {
            let field = term.split_once('=').map(|(field, _)| field.trim_end_matches('!').trim());
            field.is_some_and(|field| !field.is_empty() && !field.contains(char::is_whitespace))
        };
        match text.split(',').find(|term| !is_term(term)) {
            Some(term) => Err(Problem::new(
                "Field selector not readable",
                format!("{term:?} is not of the form `field=value` or `field!=value`, like `metadata.name=blue`."),
            )),
            None => Ok(()),
        }
    })
}

/// `label_selector`, optional.
pub fn label_selector() -> Attribute {
    string("label_selector")
        .doc("Only those whose labels fit, in the form of `kubectl -l`: `env=prod`, `team in (a, b)`, `!retired`.")
}

/// `label_selector` and `field_selector` of a configuration.
pub fn selectors(config: &Value) -> Selectors<'_> {
    let selector = |name| config.str_at(name).unwrap_or_default();
    Selectors { labels: selector("label_selector"), fields: selector("field_selector") }
}

/// The namespaces of a configuration, each once; [`None`] for all.
pub fn chosen_namespaces(config: &Value) -> Option<Vec<String>> {
    let given = config.get("namespaces").as_list()?;
    let mut namespaces: Vec<String> = given.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    Some(namespaces)
}

/// The diagnostic for a list that failed. `doing` completes "Failed to …".
pub fn refused(error: &ApiError, doing: &str) -> Diagnostic {
    bad_selector(error).unwrap_or_else(|| error.to_diagnostic(doing))
}

/// The diagnostic for a list that failed because of `label_selector` or `field_selector`: the only parts of the request that
/// the user words.
pub fn bad_selector(error: &ApiError) -> Option<Diagnostic> {
    let ApiError::Other { status: 400, message } = error else { return None };
    if ["known field selector", "field label not supported"].iter().any(|said| message.contains(said)) {
        let detail = format!(
            "The API server says: {message}. It chooses objects of Kamaji by `metadata.name` and `metadata.namespace`."
        );
        return Some(Diagnostic::error("Field selector not possible", detail).at(Path::of("field_selector")));
    }
    let detail = format!("The API server says: {message}. Examples: `env=prod`, `team in (a, b)`, `!retired`.");
    Some(Diagnostic::error("Label selector not readable", detail).at(Path::of("label_selector")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("metadata.name=a", None)]
    #[case("metadata.name==a,metadata.namespace!=b", None)]
    #[case("metadata.name", Some("metadata.name"))]
    #[case("metadata.name=a,", Some(""))]
    #[case("=a", Some("=a"))]
    fn field_selectors_are_read_offline(#[case] text: &str, #[case] wrong: Option<&str>) {
        let found = field_selector().validators.iter().flat_map(|it| it.problems(&text.into(), &Path::root())).next();
        assert_eq!(found.is_some(), wrong.is_some(), "{text}");
        assert!(
            found.is_none_or(|(_, problem)| problem.detail.starts_with(&format!("{:?}", wrong.unwrap_or_default())))
        );
    }

    #[rstest::rstest]
    #[case("unable to parse requirement: found '=', expected: identifier", "label_selector")]
    #[case(
        "Unable to find \"kamaji.clastix.io/v1alpha1, Resource=datastores\" that match label selector \"\", field selector \
         \"spec.driver=etcd\": \"spec.driver\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        "field_selector"
    )]
    fn a_selector_that_the_server_cannot_read_is_named(#[case] message: &str, #[case] attribute: &str) {
        let error = ApiError::Other { status: 400, message: message.to_owned() };
        assert_eq!(bad_selector(&error).map(|it| it.path), Some(Path::of(attribute)));
    }
}
