//! Names, labels and annotations as Kubernetes' API validates them.

use std::collections::BTreeMap;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

const DNS_LABEL: usize = 63;
const DNS_NAME: usize = 253;

fn lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// True for a DNS-1123 label: `[a-z0-9-]`, alphanumeric at both ends, at most 63 characters.
pub fn is_dns1123_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= DNS_LABEL
        && bytes.first().copied().is_some_and(lower_alphanumeric)
        && bytes.last().copied().is_some_and(lower_alphanumeric)
        && bytes.iter().all(|&byte| lower_alphanumeric(byte) || byte == b'-')
}

/// True for a DNS-1035 label: a DNS-1123 label that starts with a letter. Kamaji wants it of control planes, because
/// their Services are named so.
pub fn is_dns1035_label(text: &str) -> bool {
    is_dns1123_label(text) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// True for a DNS-1123 subdomain: parts as in [`is_dns1123_label`] (of any length, as Kubernetes has it) with dots
/// between, at most 253 characters.
pub fn is_dns1123_subdomain(text: &str) -> bool {
    text.len() <= DNS_NAME
        && text.split('.').all(|part| {
            let bytes = part.as_bytes();
            bytes.first().copied().is_some_and(lower_alphanumeric)
                && bytes.last().copied().is_some_and(lower_alphanumeric)
                && bytes.iter().all(|&byte| lower_alphanumeric(byte) || byte == b'-')
        })
}

/// True for the name part of a label key, and for a label value that is not empty: `[A-Za-z0-9._-]`, alphanumeric at
/// both ends, at most 63 characters.
fn is_label_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= DNS_LABEL
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// True for a key of a label, an annotation or a taint: `name` or `dns.name/name`.
pub fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_dns1123_subdomain(prefix) && is_label_name(name),
        None => is_label_name(text),
    }
}

/// True for a label value; the empty one is allowed.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label_name(text)
}

/// Whether a key of a label, an annotation or a taint is well formed.
///
/// # Errors
/// What is wrong with it.
pub fn check_key(key: &str) -> Result<(), Problem> {
    if is_qualified_name(key) {
        return Ok(());
    }
    Err(Problem::new(
        "Key is not valid in Kubernetes",
        format!(
            "{key:?} is not a valid key: write a name of letters, digits, \"-\", \"_\" and \".\" (at most 63 characters, \
             alphanumeric at both ends), with or without a lower-case DNS name and \"/\" before it, as in \"example.com/pool\"."
        ),
    ))
}

/// Whether the keys and values of a label map are well formed.
///
/// # Errors
/// The first key or value that is not.
pub fn check_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), Problem> {
    for (key, value) in labels {
        check_key(key)?;
        if !is_label_value(value) {
            return Err(Problem::new(
                "Label value is not valid",
                format!(
                    "The value {value:?} of label {key:?} is not valid: at most 63 letters, digits, \"-\", \"_\" and \".\", \
                     alphanumeric at both ends."
                ),
            ));
        }
    }
    Ok(())
}

fn rule(
    words: &'static str,
    summary: &'static str,
    holds: impl Fn(&str) -> bool + Send + Sync + 'static,
    advice: &'static str,
) -> Validator {
    Validator::new(words, move |value| match value.as_str() {
        Some(text) if !holds(text) => Err(Problem::new(summary, format!("{text:?} is not {words}. {advice}"))),
        _ => Ok(()),
    })
}

/// The name of a control plane.
pub fn dns1035_label() -> Validator {
    rule(
        "a DNS-1035 label",
        "Name is not valid in Kubernetes",
        is_dns1035_label,
        "Use at most 63 lower-case letters, digits and \"-\", with a letter first and a letter or digit last.",
    )
}

/// The name of a namespace.
pub fn dns1123_label() -> Validator {
    rule(
        "a DNS-1123 label",
        "Name is not valid in Kubernetes",
        is_dns1123_label,
        "Use at most 63 lower-case letters, digits and \"-\", with a letter or digit at both ends.",
    )
}

/// The name of most other objects: Secrets, DataStores, nodes.
pub fn dns1123_subdomain() -> Validator {
    rule(
        "a DNS-1123 subdomain",
        "Name is not valid in Kubernetes",
        is_dns1123_subdomain,
        "Use at most 253 lower-case letters, digits, \"-\" and \".\", with a letter or digit at both ends of each part.",
    )
}

/// A host name, or all host names of a domain: `*.example.com`.
pub fn dns1123_wildcard() -> Validator {
    rule(
        "a lower-case DNS name, with or without a leading `*.`",
        "Host name is not valid in Kubernetes",
        |text| is_dns1123_subdomain(text.strip_prefix("*.").unwrap_or(text)),
        "Use at most 253 lower-case letters, digits, \"-\" and \".\", with a letter or digit at both ends of each part.",
    )
}

/// The DNS domain of a cluster.
pub fn cluster_domain() -> Validator {
    rule(
        "a DNS name with a dot",
        "Cluster domain is not valid",
        |text| text.contains('.') && is_dns1123_subdomain(text),
        "Use lower-case letters, digits and \"-\" with dots between, like \"cluster.local\".",
    )
}

/// The group of an API; the empty one is the core group.
pub fn api_group() -> Validator {
    rule(
        "the name of an API group",
        "API group is not valid",
        |text| text.is_empty() || is_dns1123_subdomain(text),
        "Use a lower-case DNS name like \"gateway.networking.k8s.io\".",
    )
}

/// The kind of an object.
pub fn kind() -> Validator {
    rule(
        "the name of a kind",
        "Kind is not valid",
        |text| {
            text.len() <= DNS_LABEL
                && is_dns1123_label(&text.to_ascii_lowercase())
                && !text.starts_with(|c: char| c.is_ascii_digit())
        },
        "Use letters and digits, with a letter first, like \"Gateway\".",
    )
}

/// The name of a DataStore that control planes are to use: Kamaji puts it into a label of their pods.
pub fn data_store_name() -> Validator {
    rule(
        "a DNS-1123 subdomain of at most 63 characters",
        "DataStore name is not valid",
        |text| text.len() <= DNS_LABEL && is_dns1123_subdomain(text),
        "Kamaji writes the name into a pod label: use at most 63 lower-case letters, digits, \"-\" and \".\".",
    )
}

fn strings(map: &Value) -> BTreeMap<&str, &str> {
    map.as_object()
        .map(|members| {
            members.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect::<BTreeMap<_, _>>()
        })
        .unwrap_or_default()
}

/// A map of labels. Unknown values are left out; keys of theirs too.
pub fn labels() -> Validator {
    Validator::new("valid Kubernetes label keys and values", |map| check_labels(strings(map)))
}

/// The value of a label or a taint; the empty one is allowed.
pub fn label_value() -> Validator {
    rule(
        "a Kubernetes label value",
        "Value is not valid in Kubernetes",
        is_label_value,
        "Use at most 63 letters, digits, \"-\", \"_\" and \".\", alphanumeric at both ends.",
    )
}

/// A map of annotations: only the keys have a form.
pub fn annotations() -> Validator {
    Validator::new("valid Kubernetes annotation keys", |map| {
        map.as_object().into_iter().flatten().try_for_each(|(key, _)| check_key(key))
    })
}

/// The rule for the name of a field manager: printable, at most 128 characters (Kubernetes, `fieldManager`).
pub fn field_manager() -> Validator {
    Validator::new("1 to 128 printable characters", |value| {
        let text = value.as_str().unwrap_or_default();
        let fits = (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits {
            return Ok(());
        }
        let detail = format!("{text:?} is no name of a field manager: 1 to 128 printable characters.");
        Err(Problem::new("Field manager name not valid", detail))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("t1", true)]
    #[case::hyphen("team-a", true)]
    #[case::digit_first("1t", false)]
    #[case::capital("T1", false)]
    #[case::hyphen_last("t-", false)]
    #[case::dot("a.b", false)]
    #[case::underscore("a_b", false)]
    #[case::empty("", false)]
    fn a_control_plane_name_is_a_dns1035_label(#[case] name: &str, #[case] good: bool) {
        assert_eq!(dns1035_label().check(&Value::from(name)).is_ok(), good);
    }

    #[test]
    fn a_control_plane_name_has_at_most_63_characters() {
        assert!(is_dns1035_label(&"a".repeat(63)));
        assert!(!is_dns1035_label(&"a".repeat(64)));
    }

    #[rstest]
    #[case("example.com", true)]
    #[case("1.example", true)]
    #[case("a..b", false)]
    #[case(".a", false)]
    #[case("a.", false)]
    #[case("-a.b", false)]
    #[case("a-.b", false)]
    #[case("*.a", false)]
    fn a_subdomain_is_labels_with_dots(#[case] name: &str, #[case] good: bool) {
        assert_eq!(is_dns1123_subdomain(name), good);
    }

    #[rstest]
    #[case(dns1123_wildcard(), "*.example.com", true)]
    #[case(dns1123_wildcard(), "a.*.com", false)]
    #[case(cluster_domain(), "cluster.local", true)]
    #[case(cluster_domain(), "local", false)]
    #[case(api_group(), "", true)]
    #[case(api_group(), "Apps", false)]
    #[case(kind(), "Gateway", true)]
    #[case(kind(), "1Gateway", false)]
    #[case(kind(), "", false)]
    fn names_of_other_things_have_their_form(#[case] rule: Validator, #[case] name: &str, #[case] good: bool) {
        assert_eq!(rule.check(&Value::from(name)).is_ok(), good);
    }

    #[rstest]
    #[case("pool", true)]
    #[case("Pool_1.a", true)]
    #[case("example.com/pool", true)]
    #[case("example.com/", false)]
    #[case("/pool", false)]
    #[case("Example.com/pool", false)]
    #[case("a/b/c", false)]
    #[case("_pool", false)]
    #[case("", false)]
    fn a_key_is_a_name_with_or_without_a_domain(#[case] key: &str, #[case] good: bool) {
        assert_eq!(check_key(key).is_ok(), good);
    }

    #[rstest]
    #[case("", true)]
    #[case("general", true)]
    #[case("a b", false)]
    #[case("a,b", false)]
    #[case("a=b", false)]
    #[case("-a", false)]
    fn a_label_value_may_be_empty(#[case] value: &str, #[case] good: bool) {
        let map = Value::object([("pool", Value::from(value))]);
        assert_eq!(labels().check(&map).is_ok(), good);
    }

    #[test]
    fn unknown_label_values_are_left_out() {
        assert!(labels().check(&Value::object([("pool", Value::Unknown)])).is_ok());
    }
}
