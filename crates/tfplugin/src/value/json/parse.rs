//! JSON text as it is.
//!
//! `serde_json` carries numbers of any length, and raw texts, through serde as objects with one member of a reserved name.
//! Its own [`Json`] takes an object of somebody else's that begins with such a name for one of those: a map of a state
//! would come back as a number, or not at all.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

/// Parses a text of JSON. Every object stays one, whatever its members are called.
pub fn parse(text: &[u8]) -> Result<Json, serde_json::Error> {
    serde_json::from_slice(text).map(|Exact(json)| json)
}

struct Exact(Json);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExactVisitor).map(Self)
    }
}

struct ExactVisitor;

impl<'de> Visitor<'de> for ExactVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(Exact(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(name) = members.next_key()? {
            match name {
                Name::Member(name) => {
                    let Exact(value) = members.next_value()?;
                    object.insert(name, value);
                }
                Name::Digits => {
                    let digits: String = members.next_value()?;
                    return digits.parse().map(Json::Number).map_err(serde::de::Error::custom);
                }
            }
        }
        Ok(Json::Object(object))
    }
}

enum Name {
    /// That of a member in the text.
    Member(String),
    /// The reserved one, of a number that is written with a fraction, an exponent or many digits.
    Digits,
}

impl<'de> Deserialize<'de> for Name {
    /// A name in the text can be asked for as an option, as some maps have such keys; the reserved one of a number is
    /// always given as text.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_some<D: Deserializer<'de>>(self, name: D) -> Result<Name, D::Error> {
        String::deserialize(name).map(Name::Member)
    }

    fn visit_str<E>(self, _: &str) -> Result<Name, E> {
        Ok(Name::Digits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::parse;

    #[rstest]
    #[case::number(r#"{"$serde_json::private::Number":"12"}"#)]
    #[case::no_number(r#"{"a":[{"$serde_json::private::Number":"x","b":true}]}"#)]
    #[case::raw(r#"{"$serde_json::private::RawValue":"[1]"}"#)]
    #[case::no_raw(r#"{"$serde_json::private::RawValue":null}"#)]
    #[case::digits(r#"{"$serde_json::private::Number":12345678901234567890123.50}"#)]
    fn a_reserved_name_is_one_like_others(#[case] text: &str) {
        assert_eq!(parse(text.as_bytes()).expect("JSON").to_string(), text);
    }

    #[rstest]
    #[case::cut("{\"a\":1")]
    #[case::trailing("1 2")]
    #[case::bare("abc")]
    #[case::deep(&"[".repeat(1000))]
    fn what_is_no_json_is_refused(#[case] text: &str) {
        assert_eq!(
            parse(text.as_bytes()).expect_err("refused").to_string(),
            serde_json::from_str::<serde_json::Value>(text).expect_err("refused").to_string()
        );
    }

    proptest! {
        #[test]
        fn numbers_keep_their_digits(text in "(0|-?[1-9][0-9]{0,30})(\\.[0-9]{1,20})?(e[+-][1-9][0-9]?)?") {
            let json = parse(text.as_bytes()).expect("a number");
            prop_assert_eq!(&json, &serde_json::from_str::<serde_json::Value>(&text).expect("a number"));
            prop_assert_eq!(json.to_string(), text);
        }
    }
}
