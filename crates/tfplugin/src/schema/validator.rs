//! Rules about single values.

use std::fmt;
use std::sync::Arc;

use crate::path::Path;
use crate::value::Value;

/// What a [`Validator`] found: a title and the explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The title, at most eight words.
    pub summary: String,
    /// What is wrong, with what value, and what to do.
    pub detail: String,
}

impl Problem {
    /// A problem.
    pub fn new(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { summary: summary.into(), detail: detail.into() }
    }
}

/// The function inside a [`Validator`]: a known, non-null value in, what is wrong with it out.
pub type Check = Arc<dyn Fn(&Value) -> Result<(), Problem> + Send + Sync>;

/// A rule about one value. Called only with known, non-null values; of collections, with the collection.
#[derive(Clone)]
pub struct Validator {
    /// The rule in words that complete "must be …", for messages and the documentation: "one of `a`, `b`".
    pub rule: String,
    scope: Scope,
    allowed: Option<&'static [&'static str]>,
}

#[derive(Clone)]
enum Scope {
    Value(Check),
    Elements(Box<Validator>),
}

impl Validator {
    /// A rule from its words and its check.
    pub fn new(rule: impl Into<String>, check: impl Fn(&Value) -> Result<(), Problem> + Send + Sync + 'static) -> Self {
        Self { rule: rule.into(), scope: Scope::Value(Arc::new(check)), allowed: None }
    }

    /// One of some strings.
    pub fn one_of(allowed: &'static [&'static str]) -> Self {
        let list = allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        let rule = format!("one of {list}");
        let wanted = rule.replace('`', "\"");
        let rule = Self::new(rule, move |value| match value.as_str() {
            Some(text) if !allowed.contains(&text) => {
                Err(Problem::new("Value not allowed", format!("{text:?} is not {wanted}.")))
            }
            _ => Ok(()),
        });
        Self { allowed: Some(allowed), ..rule }
    }

    /// The strings that the rule (or the rule for each element) allows, if it is [`Validator::one_of`].
    pub fn allowed(&self) -> Option<&'static [&'static str]> {
        match &self.scope {
            Scope::Value(_) => self.allowed,
            Scope::Elements(rule) => rule.allowed(),
        }
    }

    /// A whole number of 64 bits.
    pub fn whole() -> Self {
        Self::new("a whole number", |value| match value.as_i64() {
            Some(_) => Ok(()),
            None => Err(Problem::new("Not a whole number", "A whole number is wanted.")),
        })
    }

    /// A whole number from a bound on; at most what 32 bits hold.
    pub fn at_least(low: i64) -> Self {
        Self { rule: format!("a whole number, at least {low}"), ..Self::between(low, i64::from(i32::MAX)) }
    }

    /// Text that is there.
    pub fn non_empty() -> Self {
        Self::new("at least one character", |value| match value.as_str() {
            Some("") => Err(Problem::new("Empty text", "The text is empty. Leave the attribute out, or fill it.")),
            _ => Ok(()),
        })
    }

    /// At most so many elements.
    pub fn at_most(count: usize) -> Self {
        Self::new(format!("at most {count} entries"), move |value| match value.as_list() {
            Some(items) if items.len() > count => {
                Err(Problem::new("Too many entries", format!("{} entries are more than {count}.", items.len())))
            }
            _ => Ok(()),
        })
    }

    /// A whole number within bounds, both included.
    pub fn between(low: i64, high: i64) -> Self {
        Self::new(format!("a whole number from {low} to {high}"), move |value| match value.as_i64() {
            Some(number) if (low..=high).contains(&number) => Ok(()),
            Some(number) => {
                Err(Problem::new("Number out of range", format!("{number} is not between {low} and {high}.")))
            }
            None => Err(Problem::new("Not a whole number", format!("A whole number from {low} to {high} is wanted."))),
        })
    }

    /// Applies a rule to each known, non-null element of a list, set or map.
    pub fn each(rule: Self) -> Self {
        Self { rule: format!("each {}", rule.rule), scope: Scope::Elements(Box::new(rule)), allowed: None }
    }

    /// Applies the rule; the first problem.
    pub fn check(&self, value: &Value) -> Result<(), Problem> {
        match self.problems(value, &Path::root()).into_iter().next() {
            Some((_, problem)) => Err(problem),
            None => Ok(()),
        }
    }

    /// Applies the rule to the value at a path. Problems of elements are at the elements, those of sets, into which no
    /// path leads, at the set.
    pub fn problems(&self, value: &Value, path: &Path) -> Vec<(Path, Problem)> {
        let rule = match &self.scope {
            Scope::Value(check) => {
                return check(value).err().map(|problem| (path.clone(), problem)).into_iter().collect();
            }
            Scope::Elements(rule) => rule,
        };
        let elements: Vec<(Path, &Value)> = match value {
            Value::List(items) => items.iter().enumerate().map(|(index, item)| (path.index(index), item)).collect(),
            Value::Set(items) => items.iter().map(|item| (path.clone(), item)).collect(),
            Value::Object(members) => members.iter().map(|(key, item)| (path.key(key), item)).collect(),
            _ => Vec::new(),
        };
        let known = elements.into_iter().filter(|(_, item)| item.is_set());
        known.flat_map(|(path, item)| rule.problems(item, &path)).collect()
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Validator").field(&self.rule).finish()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::value::Number;

    fn at(rule: &Validator, value: &Value) -> Vec<String> {
        let problems = rule.problems(value, &Path::of("a"));
        problems.into_iter().map(|(path, problem)| format!("{path}: {}", problem.detail)).collect()
    }

    #[rstest]
    #[case::allowed(Validator::one_of(&["x", "y"]), "y".into(), &[])]
    #[case::not_allowed(Validator::one_of(&["x", "y"]), "z".into(), &["a: \"z\" is not one of \"x\", \"y\"."])]
    #[case::low(Validator::between(1, 3), 1.into(), &[])]
    #[case::high(Validator::between(1, 3), 4.into(), &["a: 4 is not between 1 and 3."])]
    #[case::whole(Validator::whole(), i64::MIN.into(), &[])]
    #[case::fraction(Validator::whole(), Value::Number(Number::Float(1.5)), &["a: A whole number is wanted."])]
    #[case::least(Validator::at_least(1), 0.into(), &["a: 0 is not between 1 and 2147483647."])]
    #[case::empty(Validator::non_empty(), "".into(), &["a: The text is empty. Leave the attribute out, or fill it."])]
    #[case::most(Validator::at_most(1), Value::strings(["x", "y"]), &["a: 2 entries are more than 1."])]
    fn a_rule_reports_the_value(#[case] rule: Validator, #[case] value: Value, #[case] expected: &[&str]) {
        assert_eq!(at(&rule, &value), expected);
        assert_eq!(rule.check(&value).is_ok(), expected.is_empty());
    }

    #[test]
    fn the_allowed_strings_can_be_read_back() {
        let rule = Validator::one_of(&["x"]);
        assert_eq!(rule.allowed(), Some(["x"].as_slice()));
        assert_eq!(Validator::each(rule).allowed(), Some(["x"].as_slice()));
        assert_eq!(Validator::whole().allowed(), None);
    }

    #[rstest]
    #[case::list(Value::List(vec![5.into(), Value::Null, 6.into(), Value::Unknown, 1.into()]), &["a[0]", "a[2]"])]
    #[case::set(Value::Set(vec![5.into(), 1.into()]), &["a"])]
    #[case::map(Value::object([("k", 5), ("l", 1)].map(|(k, v)| (k, Value::from(v)))), &["a[\"k\"]"])]
    fn each_points_to_the_element(#[case] value: Value, #[case] paths: &[&str]) {
        let rule = Validator::each(Validator::between(1, 3));
        let found: Vec<String> =
            rule.problems(&value, &Path::of("a")).iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(found, paths);
        assert_eq!(rule.rule, "each a whole number from 1 to 3");
    }
}
