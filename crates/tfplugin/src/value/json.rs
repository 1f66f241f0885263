//! Values as JSON, as they stand in a state file (protocol, `RawState`).

mod parse;

use std::collections::BTreeMap;

use serde_json::Value as Json;

pub use self::parse::parse;
use super::{DecodeError, Number, Type, Value};
use crate::path::Step;

/// Reads a value along its type, as lenient as core: numbers and bools may be text, text may be a number or a bool,
/// absent attributes are null.
///
/// Attributes that the type does not have are ignored: older Terraform sends what a former release of the provider
/// stored, although the schema version is the same.
pub fn from_json(json: &Json, ty: &Type) -> Result<Value, DecodeError> {
    Ok(match (ty, json) {
        (_, Json::Null) => Value::Null,
        (Type::String, Json::String(text)) => Value::String(text.clone()),
        (Type::String, Json::Number(number)) => Value::String(number.to_string()),
        (Type::String, Json::Bool(value)) => Value::String(value.to_string()),
        (Type::Number, Json::Number(number)) => number_from(&number.to_string())?,
        (Type::Number, Json::String(text)) => number_from(text)?,
        (Type::Bool, Json::Bool(value)) => Value::Bool(*value),
        (Type::Bool, Json::String(text)) => match text.as_str() {
            "true" | "1" => Value::Bool(true),
            "false" | "0" => Value::Bool(false),
            _ => return Err(DecodeError::new("a bool is wanted, not other text")),
        },
        (Type::List(element), Json::Array(items)) => Value::List(list(items, element)?),
        (Type::Set(element), Json::Array(items)) => {
            // No path leads into a set.
            Value::Set(list(items, element).map_err(DecodeError::in_set)?)
        }
        (Type::Tuple(elements), Json::Array(items)) if items.len() == elements.len() => {
            let elements = items.iter().zip(elements).enumerate();
            Value::List(elements.map(|(index, (item, ty))| element(index, item, ty)).collect::<Result<_, _>>()?)
        }
        (Type::Tuple(elements), Json::Array(items)) => {
            let (wanted, found) = (elements.len(), items.len());
            return Err(DecodeError::new(format!("a tuple of {wanted} elements is wanted, not {found}")));
        }
        (Type::Map(element), Json::Object(members)) => {
            let mut items = BTreeMap::new();
            for (key, member) in members {
                let value = from_json(member, element).map_err(|error| error.within(Step::Key(key.clone())))?;
                items.insert(key.clone(), value);
            }
            Value::Object(items)
        }
        (Type::Object(attributes), Json::Object(members)) => Value::Object(object(members, attributes)?),
        (Type::Dynamic, Json::Object(pair)) => dynamic(pair)?,
        _ => return Err(DecodeError::new(format!("{} is wanted, not {}", ty.noun(), noun(json)))),
    })
}

/// Writes a value along its type. JSON has no unknown values and no infinities: they become null.
pub fn to_json(value: &Value, ty: &Type) -> Json {
    match (value, ty) {
        (Value::Null | Value::Unknown, _) => Json::Null,
        (Value::Dynamic(inner), Type::Dynamic) => {
            let (ty, value) = inner.as_ref();
            let mut pair = serde_json::Map::new();
            pair.insert("value".to_owned(), to_json(value, ty));
            pair.insert("type".to_owned(), ty.to_json());
            Json::Object(pair)
        }
        (Value::Dynamic(inner), _) => to_json(&inner.1, ty),
        (value, Type::Dynamic) => to_json(&Value::Dynamic(Box::new((value.natural_type(), value.clone()))), ty),
        (Value::Bool(value), _) => Json::Bool(*value),
        (Value::Number(number), _) => number_to(number),
        (Value::String(text), _) => Json::String(text.clone()),
        (Value::List(items) | Value::Set(items), Type::List(element) | Type::Set(element)) => {
            Json::Array(items.iter().map(|item| to_json(item, element)).collect())
        }
        (Value::List(items) | Value::Set(items), Type::Tuple(elements)) if items.len() == elements.len() => {
            Json::Array(items.iter().zip(elements).map(|(item, element)| to_json(item, element)).collect())
        }
        (Value::Object(members), Type::Map(element)) => {
            json_object(members.iter().map(|(key, member)| (key.clone(), to_json(member, element))))
        }
        (Value::Object(members), Type::Object(attributes)) => json_object(
            attributes.iter().map(|(name, ty)| (name.clone(), to_json(members.get(name).unwrap_or(&Value::Null), ty))),
        ),
        (Value::List(_) | Value::Set(_) | Value::Object(_), _) => to_json(value, &value.natural_type()),
    }
}

/// An object of JSON.
pub fn json_object(members: impl IntoIterator<Item = (String, Json)>) -> Json {
    // Inserted, since a `collect` brings its own copy of a sort for each kind of iterator.
    let mut object = serde_json::Map::new();
    members.into_iter().for_each(|(key, member)| drop(object.insert(key, member)));
    Json::Object(object)
}

fn number_from(text: &str) -> Result<Value, DecodeError> {
    Number::parse(text).map(Value::Number).ok_or_else(|| DecodeError::new("a number is wanted, not other text"))
}

fn number_to(number: &Number) -> Json {
    if !number.as_f64().is_finite() && matches!(number, Number::Float(_)) {
        return Json::Null;
    }
    let text = number.to_string();
    // Digits that JSON does not allow, such as leading zeros, stay text, which reads as the same number.
    text.parse().map_or(Json::String(text), Json::Number)
}

fn list(items: &[Json], ty: &Type) -> Result<Vec<Value>, DecodeError> {
    items.iter().enumerate().map(|(index, item)| element(index, item, ty)).collect()
}

fn element(index: usize, item: &Json, ty: &Type) -> Result<Value, DecodeError> {
    from_json(item, ty).map_err(|error| error.within(Step::Index(i64::try_from(index).unwrap_or(i64::MAX))))
}

fn object(
    members: &serde_json::Map<String, Json>,
    attributes: &BTreeMap<String, Type>,
) -> Result<BTreeMap<String, Value>, DecodeError> {
    let mut values = BTreeMap::new();
    for (name, ty) in attributes {
        let value = from_json(members.get(name).unwrap_or(&Json::Null), ty)
            .map_err(|error| error.within(Step::Attribute(name.clone())))?;
        values.insert(name.clone(), value);
    }
    Ok(values)
}

fn dynamic(pair: &serde_json::Map<String, Json>) -> Result<Value, DecodeError> {
    let (Some(value), Some(constraint), 2) = (pair.get("value"), pair.get("type"), pair.len()) else {
        return Err(DecodeError::new("a value of any type is an object of \"value\" and \"type\""));
    };
    let ty = Type::from_json(constraint).map_err(DecodeError::new)?;
    let value = from_json(value, &ty)?;
    Ok(Value::Dynamic(Box::new((ty, value))))
}

fn noun(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::value::arbitrary;

    fn object_of(members: &[(&str, Type)]) -> Type {
        Type::Object(members.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect())
    }

    proptest! {
        #[test]
        fn every_known_value_comes_back((ty, value) in arbitrary::typed_known_value()) {
            let text = to_json(&value, &ty).to_string();
            let json = parse(text.as_bytes()).expect("JSON");
            prop_assert_eq!(from_json(&json, &ty), Ok(value));
        }

        #[test]
        fn json_of_another_type_never_panics((ty, value) in arbitrary::typed_value(), other in arbitrary::ty()) {
            let _ = from_json(&to_json(&value, &ty), &other);
            let _ = to_json(&value, &other);
        }
    }

    #[rstest]
    #[case::number_as_text(Type::Number, json!("12.50"), Value::Number(Number::Decimal("12.50".into())))]
    #[case::number_beyond_64_bits(
        Type::Number,
        serde_json::from_str("18446744073709551616").expect("JSON"),
        Value::Number(Number::Decimal("18446744073709551616".into()))
    )]
    #[case::bool_as_text(Type::Bool, json!("true"), true.into())]
    #[case::bool_as_digit(Type::Bool, json!("0"), false.into())]
    #[case::text_from_number(Type::String, json!(30080), "30080".into())]
    #[case::text_from_bool(Type::String, json!(false), "false".into())]
    #[case::absent_attribute(object_of(&[("a", Type::Bool)]), json!({}), Value::object([("a", Value::Null)]))]
    #[case::removed_attribute(object_of(&[]), json!({"a": [1]}), Value::object::<&str>([]))]
    #[case::any(
        Type::Dynamic,
        json!({"type": ["list", "string"], "value": ["x"]}),
        Value::Dynamic(Box::new((Type::list(Type::String), Value::strings(["x"]))))
    )]
    fn is_lenient_like_core(#[case] ty: Type, #[case] json: Json, #[case] value: Value) {
        assert_eq!(from_json(&json, &ty), Ok(value));
    }

    #[rstest]
    #[case(Type::Bool, json!(1), "", "a bool is wanted, not a number")]
    #[case(Type::Bool, json!("yes"), "", "a bool is wanted, not other text")]
    #[case(Type::Number, json!("abc"), "", "a number is wanted, not other text")]
    #[case(Type::list(Type::String), json!({}), "", "a list is wanted, not an object")]
    #[case(Type::Tuple(vec![Type::Bool]), json!([]), "", "a tuple of 1 elements is wanted, not 0")]
    #[case(Type::Dynamic, json!({"value": 1}), "", "a value of any type is an object of \"value\" and \"type\"")]
    #[case(
        object_of(&[("a", Type::list(Type::map(Type::Bool)))]),
        json!({"a": [{}, {"k": []}]}),
        "a[1][\"k\"]",
        "a bool is wanted, not an array"
    )]
    #[case(
        object_of(&[("a", Type::set(Type::Bool))]),
        json!({"a": [true, []]}),
        "a",
        "in an element: [1]: a bool is wanted, not an array"
    )]
    fn says_what_is_wrong_and_where(#[case] ty: Type, #[case] json: Json, #[case] path: &str, #[case] message: &str) {
        let error = from_json(&json, &ty).expect_err("refused");
        assert_eq!((error.path.to_string().as_str(), error.message.as_str()), (path, message));
    }
}
