//! Strings with a meaning of their own: quantities, numbers or text, JSON.

use serde_json::Value as Json;
use tfplugin::Value;
use tfplugin::schema::{Attribute, Form, Problem, Validator, string, string_map};

use crate::kamaji::quantity;

/// `name = "1Gi"`
pub fn quantity(name: &'static str) -> Attribute {
    string(name).form(Form::Text).canonical(quantity::canonical_value).rule(quantity::validator())
}

/// `name = { memory = "1Gi" }`
pub fn quantities(name: &'static str) -> Attribute {
    let each = Validator::each(quantity::validator());
    string_map(name).form(Form::Text).canonical(quantity::canonical_value).rule(each)
}

/// `name = "1"` or `name = "25%"`
pub fn number_or_percentage(name: &'static str) -> Attribute {
    number_or_text(name).rule(Validator::new("a whole number or a percentage", |value| {
        let text = value.as_str().unwrap_or_default();
        let digits = text.strip_suffix('%').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Ok(());
        }
        let detail = format!("{text:?} is neither a whole number such as \"1\" nor a percentage such as \"25%\".");
        Err(Problem::new("Neither number nor percentage", detail))
    }))
}

/// `name = "8080"` or `name = "http"`
pub fn port_number_or_name(name: &'static str) -> Attribute {
    number_or_text(name).rule(Validator::new("a port number from 1 to 65535, or the name of a port", |value| {
        let text = value.as_str().unwrap_or_default();
        let sound = match text.parse::<i64>() {
            Ok(number) => (1..=65535).contains(&number),
            Err(_) => is_port_name(text),
        };
        if sound {
            return Ok(());
        }
        let detail = format!(
            "{text:?} is neither a port number from 1 to 65535 nor the name of a port: at most 15 lower-case letters, \
             digits and single `-`, with a letter among them."
        );
        Err(Problem::new("Not a port", detail))
    }))
}

/// A path that does not lead back (`validatePathNoBacksteps`).
pub fn without_backsteps() -> Validator {
    Validator::new("a path without `..`", |value| match value.as_str() {
        Some(path) if path.split('/').any(|step| step == "..") => {
            Err(Problem::new("Path leads back", format!("{path:?} has a `..` in it. Write the path itself.")))
        }
        _ => Ok(()),
    })
}

/// The name of a port (`IANA_SVC_NAME`).
pub fn port_name() -> Validator {
    Validator::new(
        "at most 15 lower-case letters, digits and single `-`, with a letter among them",
        |value| match value.as_str() {
            Some(text) if !is_port_name(text) => {
                Err(Problem::new("Not the name of a port", format!("{text:?} is not the name of a port.")))
            }
            _ => Ok(()),
        },
    )
}

fn is_port_name(text: &str) -> bool {
    (1..=15).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

fn number_or_text(name: &'static str) -> Attribute {
    string(name).form(Form::NumberOrText).canonical(without_zeros)
}

/// `007` is sent as 7.
fn without_zeros(value: &Value) -> Value {
    let number = value.as_str().and_then(|text| text.parse::<i64>().ok());
    number.map_or_else(|| value.clone(), |number| number.to_string().into())
}

/// `name = jsonencode(…)`: any JSON but null, compared by what it means.
pub fn json(name: &'static str) -> Attribute {
    string(name).form(Form::Json).canonical(plain_json).rule(Validator::new("JSON, but not `null`", |value| {
        match serde_json::from_str::<Json>(value.as_str().unwrap_or_default()) {
            Ok(Json::Null) => Err(Problem::new(
                "JSON null not possible",
                "The API server drops a `null` here, as if there were no value. Leave the attribute out.",
            )),
            Ok(_) => Ok(()),
            Err(error) => Err(Problem::new(
                "Not JSON",
                format!("The text is not JSON: {error}. Write `jsonencode(…)`; a plain string needs it too."),
            )),
        }
    }))
}

/// JSON without spaces and with its keys in order.
fn plain_json(value: &Value) -> Value {
    let json = value.as_str().and_then(|text| serde_json::from_str::<Json>(text).ok());
    json.map_or_else(|| value.clone(), |json| json.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(attribute: &Attribute, text: &str) -> bool {
        attribute.validators.iter().all(|rule| rule.check(&text.into()).is_ok())
    }

    #[rstest::rstest]
    #[case::number(number_or_percentage("a"), "1", true)]
    #[case::percentage(number_or_percentage("a"), "25%", true)]
    #[case::negative(number_or_percentage("a"), "-1", false)]
    #[case::nothing(number_or_percentage("a"), "%", false)]
    #[case::port(port_number_or_name("a"), "8080", true)]
    #[case::port_name(port_number_or_name("a"), "http-alt", true)]
    #[case::port_too_high(port_number_or_name("a"), "65536", false)]
    #[case::port_name_too_long(port_number_or_name("a"), "a-name-of-a-port", false)]
    #[case::port_name_in_capitals(port_number_or_name("a"), "HTTP", false)]
    #[case::object(json("a"), "{\"a\":[1]}", true)]
    #[case::text(json("a"), "\"systemd\"", true)]
    #[case::bare_text(json("a"), "systemd", false)]
    #[case::null(json("a"), "null", false)]
    #[case::quantity(quantity("a"), "1.5Gi", true)]
    #[case::no_quantity(quantity("a"), "1.5 GB", false)]
    fn are_judged_before_they_are_sent(#[case] attribute: Attribute, #[case] text: &str, #[case] fine: bool) {
        assert_eq!(accepts(&attribute, text), fine);
    }

    #[rstest::rstest]
    #[case::json(json("a"), "{\"b\": 1, \"a\": {}}", "{\"a\":{},\"b\":1}")]
    #[case::number(number_or_percentage("a"), "01", "1")]
    #[case::quantity(quantity("a"), "1024Mi", "1Gi")]
    fn are_compared_by_meaning(#[case] attribute: Attribute, #[case] one: &str, #[case] other: &str) {
        assert!(attribute.means_the_same(&one.into(), &other.into()));
        assert!(!attribute.means_the_same(&one.into(), &"2".into()));
    }
}
