//! What a provider block says about the labels and annotations of all objects: defaults, and keys that are others'
//! business.

use regex_lite::Regex;
use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

use super::names::is_qualified_name;

/// Rules for labels and for annotations.
#[derive(Clone, Debug, Default)]
pub struct MetadataRules {
    /// For labels.
    pub labels: KeyRules,
    /// For annotations.
    pub annotations: KeyRules,
}

/// Rules for the keys of one of the two maps.
#[derive(Clone, Debug)]
pub struct KeyRules {
    /// What every object gets unless it says otherwise: a map of strings whose members may be unknown, null, or unknown
    /// as a whole.
    pub defaults: Value,
    /// What is neither read nor changed nor removed.
    pub ignored: Ignored,
}

impl Default for KeyRules {
    fn default() -> Self {
        Self { defaults: Value::Null, ignored: Ignored::default() }
    }
}

/// Keys that are others' business.
#[derive(Clone, Debug, Default)]
pub struct Ignored(Vec<Pattern>);

#[derive(Clone, Debug)]
enum Pattern {
    Key(String),
    Expression(Regex),
}

impl Ignored {
    /// From a list of keys and regular expressions, as the configuration has it. What is unknown or no pattern, which
    /// has a diagnostic of its own, ignores nothing.
    pub fn of(list: &Value) -> Self {
        let texts = list.as_list().unwrap_or_default().iter().filter_map(Value::as_str);
        Self(texts.filter_map(|text| Pattern::parse(text).ok()).collect())
    }

    /// These, and those of a resource.
    pub fn with(&self, list: &Value) -> Self {
        Self(self.0.iter().cloned().chain(Self::of(list).0).collect())
    }

    /// True if a key is ignored.
    pub fn matches(&self, key: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Key(own) => own == key,
            Pattern::Expression(expression) => expression.is_match(key),
        })
    }
}

impl Pattern {
    /// What is a key means that key; anything else is a regular expression, found anywhere in a key, as in the
    /// hashicorp/kubernetes provider.
    fn parse(text: &str) -> Result<Self, Problem> {
        if is_qualified_name(text) {
            return Ok(Self::Key(text.to_owned()));
        }
        let refused = |why: String| {
            Problem::new(
                "Not a key and no expression",
                format!("{text:?} is neither a key nor a regular expression: {why}. Backslashes are doubled in HCL."),
            )
        };
        if text.is_empty() {
            return Err(refused("it is empty, which would match every key".to_owned()));
        }
        Regex::new(text).map(Self::Expression).map_err(|error| refused(error.to_string()))
    }
}

/// The rule for one entry of a list of ignored keys.
pub fn pattern() -> Validator {
    Validator::new("a key or a regular expression", |value| {
        value.as_str().map_or(Ok(()), |text| Pattern::parse(text).map(drop))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[rstest::rstest]
    #[case::a_key("team", "team", true)]
    #[case::a_key_is_no_pattern("team", "my-team", false)]
    #[case::dots_of_a_key_are_dots("a.b/c", "aXb/c", false)]
    #[case::the_form_of_hashicorp("cni\\.projectcalico\\.org\\/podIP", "cni.projectcalico.org/podIPs", true)]
    #[case::anchored("^service\\.beta\\.kubernetes\\.io/.*", "service.beta.kubernetes.io/x", true)]
    #[case::anchored_elsewhere("^service\\.", "my.service.io/x", false)]
    #[case::found_anywhere("[0-9]+$", "rev-12", true)]
    fn patterns_match(#[case] pattern: &str, #[case] key: &str, #[case] ignored: bool) {
        assert_eq!(Ignored::of(&Value::strings([pattern])).matches(key), ignored);
    }

    #[rstest::rstest]
    #[case("")]
    #[case("a(")]
    #[case("*x")]
    fn what_is_no_pattern_is_refused(#[case] text: &str) {
        assert!(pattern().check(&text.into()).is_err());
    }

    proptest! {
        #[test]
        fn a_key_ignores_itself_and_no_other(key in "[a-z][a-z0-9.-]{0,20}[a-z0-9]", other in "[a-z][a-z0-9.-]{0,20}[a-z0-9]") {
            let ignored = Ignored::of(&Value::strings([key.as_str()]));
            prop_assert!(ignored.matches(&key));
            prop_assert_eq!(ignored.matches(&other), key == other);
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,40}", key in ".{0,40}") {
            Ignored::of(&Value::strings([text.as_str()])).matches(&key);
            let _ = pattern().check(&text.as_str().into());
        }
    }
}
