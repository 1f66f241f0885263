//! Field paths as the API server writes them, as steps.
//!
//! Validation writes `spec.networkProfile.certSANs[1]` and `metadata.annotations[a.b/c]`; server-side apply writes a
//! leading dot, `["a.b/c"]` or `.metadata.annotations.kamaji.clastix.io/paused` for keys, `[name="x"]` or
//! `[port=80,protocol="TCP"]` for elements of keyed lists, and `[="x"]` for elements of sets.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// One step of a field path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Field(String),
    /// An element of a list, from zero.
    Index(usize),
    /// An entry of a map.
    Key(String),
    /// An element of a keyed list (`x-kubernetes-list-type: map`): the values of its keys.
    Element(BTreeMap<String, Value>),
    /// An element of a set (`x-kubernetes-list-type: set`): the value itself.
    Member(Value),
}

impl Step {
    /// True for steps that lead to the same place; the server writes map keys both as fields and as keys.
    pub fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Field(a) | Self::Key(a), Self::Field(b) | Self::Key(b)) => a == b,
            _ => self == other,
        }
    }
}

/// Steps, as the API server would write them.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) => write!(f, "[{key:?}]"),
            Self::Element(keys) => {
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "[{}]", keys.join(","))
            }
            Self::Member(value) => write!(f, "[={value}]"),
        }
    }
}

/// Maps with free keys. Server-side apply writes a key with dots like fields; what follows one of these is one key.
const FREE_KEYS: [&str; 6] = ["annotations", "labels", "limits", "matchLabels", "nodeSelector", "requests"];

/// Reads a field path. What cannot be read ends it: the steps before lead to the parent, which is better than nothing.
pub fn parse(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path.trim();
    if rest == "<nil>" {
        return steps;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let Some(end) = end_of_bracket(after) else { break };
            let (inside, after) = (after.get(..end).unwrap_or_default(), after.get(end + 1..).unwrap_or_default());
            let Some(step) = bracket(inside) else { break };
            steps.push(step);
            rest = after;
        } else {
            let after = rest.strip_prefix('.').unwrap_or(rest);
            let free = matches!(steps.last(), Some(Step::Field(name)) if FREE_KEYS.contains(&name.as_str()));
            let end = if free { after.len() } else { after.find(['.', '[']).unwrap_or(after.len()) };
            let (name, after) = after.split_at(end);
            if name.is_empty() {
                break;
            }
            steps.push(if free { Step::Key(name.to_owned()) } else { Step::Field(name.to_owned()) });
            rest = after;
        }
    }
    steps
}

/// The position of the `]` that is in no string.
fn end_of_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some(position),
            _ => {}
        }
    }
    None
}

fn bracket(inside: &str) -> Option<Step> {
    if inside.is_empty() {
        return None;
    }
    if let Ok(index) = inside.parse() {
        return Some(Step::Index(index));
    }
    if inside.starts_with('"') {
        return serde_json::from_str(inside).ok().map(Step::Key);
    }
    if let Some(member) = inside.strip_prefix('=') {
        return serde_json::from_str(member).ok().map(Step::Member);
    }
    Some(element(inside).unwrap_or_else(|| Step::Key(inside.to_owned())))
}

/// `key=value,key=value`, the values in JSON.
fn element(inside: &str) -> Option<Step> {
    let mut keys = BTreeMap::new();
    let mut rest = inside;
    loop {
        let (key, after) = rest.split_once('=')?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        let value = values.next()?.ok()?;
        let after = after.get(values.byte_offset()..)?;
        keys.insert(key.trim().to_owned(), value);
        match after.trim_start().strip_prefix(',') {
            Some(next) => rest = next,
            None if after.trim().is_empty() => return Some(Step::Element(keys)),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(name: &str) -> Step {
        Step::Field(name.into())
    }

    fn key(name: &str) -> Step {
        Step::Key(name.into())
    }

    #[rstest::rstest]
    #[case(".spec.networkProfile.certSANs[1]", vec![field("spec"), field("networkProfile"), field("certSANs"), Step::Index(1)])]
    #[case("spec.x[\"a.b/c\"].d", vec![field("spec"), field("x"), key("a.b/c"), field("d")])]
    #[case("metadata.annotations[a.b/c]", vec![field("metadata"), field("annotations"), key("a.b/c")])]
    #[case("spec.x[\"a]\\\"b\"]", vec![field("spec"), field("x"), key("a]\"b")])]
    #[case(".metadata.annotations.kamaji.clastix.io/paused", vec![field("metadata"), field("annotations"), key("kamaji.clastix.io/paused")])]
    #[case("spec[2][3]", vec![field("spec"), Step::Index(2), Step::Index(3)])]
    #[case("", vec![])]
    #[case("<nil>", vec![])]
    #[case("spec.x[", vec![field("spec"), field("x")])]
    #[case("spec..x", vec![field("spec")])]
    fn is_read_step_by_step(#[case] path: &str, #[case] expected: Vec<Step>) {
        assert_eq!(parse(path), expected);
    }

    #[test]
    fn elements_of_keyed_lists_and_sets_are_read() {
        let keys = BTreeMap::from([("port".to_owned(), json!(80)), ("protocol".to_owned(), json!("T,C]P"))]);
        let path = ".spec.ports[port=80,protocol=\"T,C]P\"].name";
        assert_eq!(parse(path), [field("spec"), field("ports"), Step::Element(keys), field("name")]);
        assert_eq!(parse(".f[=\"x\"]"), [field("f"), Step::Member(json!("x"))]);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(steps in proptest::collection::vec(step(), 1..6)) {
            let text: String = steps.iter().map(ToString::to_string).collect();
            proptest::prop_assert_eq!(parse(&text), steps);
        }

        #[test]
        fn no_text_is_a_panic(text in ".*") {
            let _ = parse(&text);
        }
    }

    fn step() -> impl proptest::strategy::Strategy<Value = Step> {
        use proptest::prelude::*;
        prop_oneof![
            "[a-zA-Z][a-zA-Z0-9-]{0,8}"
                .prop_filter("free keys", |name| !FREE_KEYS.contains(&name.as_str()))
                .prop_map(Step::Field),
            (0_usize..1000).prop_map(Step::Index),
            "[a-z./\\[\\]\"\\\\]{0,8}".prop_map(Step::Key),
            proptest::collection::btree_map("[a-z]{1,4}", "[a-z\",\\]=]{0,4}".prop_map(Value::from), 1..3)
                .prop_map(Step::Element),
            "[a-z\"\\]]{0,4}".prop_map(|text| Step::Member(Value::from(text))),
        ]
    }
}
