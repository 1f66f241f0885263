//! The types of Terraform values (cty).

use std::collections::BTreeMap;

use prost::bytes::Bytes;
use serde_json::json;

use super::Value;
use crate::path::{Path, Step};

/// A type of Terraform's type system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// `string`
    String,
    /// `number`
    Number,
    /// `bool`
    Bool,
    /// `any`: the value carries its type.
    Dynamic,
    /// `list(T)`
    List(Box<Type>),
    /// `set(T)`
    Set(Box<Type>),
    /// `map(T)`
    Map(Box<Type>),
    /// `object({…})`
    Object(BTreeMap<String, Type>),
    /// `tuple([…])`
    Tuple(Vec<Type>),
}

impl Type {
    /// `list(T)`
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// `set(T)`
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// `map(T)`
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// `object({…})`
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        // Inserted, since a `collect` brings its own copy of a sort for each kind of iterator.
        let mut members = BTreeMap::new();
        attributes.into_iter().for_each(|(name, ty)| drop(members.insert(name.into(), ty)));
        Self::Object(members)
    }

    /// The kind of value in words: "a list".
    pub fn noun(&self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a bool",
            Self::Dynamic => "a value with its type",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Tuple(_) => "a tuple",
        }
    }

    /// The first member of an object in `value` that its type does not have: a misspelled name, which an encoder would
    /// drop without a word.
    pub fn stranger(&self, value: &Value) -> Option<Path> {
        match (self, value) {
            (Self::Object(attributes), Value::Object(members)) => members.iter().find_map(|(name, member)| {
                let within = |path: Path| path.within(Step::Attribute(name.clone()));
                let Some(ty) = attributes.get(name) else { return Some(within(Path::root())) };
                ty.stranger(member).map(within)
            }),
            (Self::Map(element), Value::Object(members)) => members
                .iter()
                .find_map(|(key, member)| element.stranger(member).map(|path| path.within(Step::Key(key.clone())))),
            (Self::List(element) | Self::Set(element), Value::List(items) | Value::Set(items)) => {
                items.iter().enumerate().find_map(|(index, item)| {
                    let step = Step::Index(i64::try_from(index).unwrap_or(i64::MAX));
                    element.stranger(item).map(|path| path.within(step))
                })
            }
            _ => None,
        }
    }

    /// The type constraint as Terraform reads it: `"string"`, `["list","string"]`, `["object",{…}]`.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::String => json!("string"),
            Self::Number => json!("number"),
            Self::Bool => json!("bool"),
            Self::Dynamic => json!("dynamic"),
            Self::List(element) => json!(["list", element.to_json()]),
            Self::Set(element) => json!(["set", element.to_json()]),
            Self::Map(element) => json!(["map", element.to_json()]),
            Self::Object(members) => {
                let members: serde_json::Map<String, serde_json::Value> =
                    members.iter().map(|(name, member)| (name.clone(), member.to_json())).collect();
                json!(["object", members])
            }
            Self::Tuple(elements) => json!(["tuple", elements.iter().map(Self::to_json).collect::<Vec<_>>()]),
        }
    }

    /// The same as text, which costs nothing for the types that most attributes have.
    pub fn to_json_bytes(&self) -> Bytes {
        match self {
            Self::String => Bytes::from_static(b"\"string\""),
            Self::Number => Bytes::from_static(b"\"number\""),
            Self::Bool => Bytes::from_static(b"\"bool\""),
            Self::List(element) if **element == Self::String => Bytes::from_static(br#"["list","string"]"#),
            Self::Map(element) if **element == Self::String => Bytes::from_static(br#"["map","string"]"#),
            other => other.to_json().to_string().into(),
        }
    }

    /// Reads a type constraint. The optional third element of an object type (names of optional attributes) is
    /// accepted and ignored, as core does for provider values.
    pub fn from_json(constraint: &serde_json::Value) -> Result<Self, String> {
        let unknown = || format!("unknown type constraint {constraint}");
        if let Some(name) = constraint.as_str() {
            return match name {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(unknown()),
            };
        }
        let parts = constraint.as_array().ok_or_else(unknown)?;
        let (Some(kind), Some(argument)) = (parts.first().and_then(|kind| kind.as_str()), parts.get(1)) else {
            return Err(unknown());
        };
        match kind {
            "list" => Ok(Self::list(Self::from_json(argument)?)),
            "set" => Ok(Self::set(Self::from_json(argument)?)),
            "map" => Ok(Self::map(Self::from_json(argument)?)),
            "tuple" => {
                let elements = argument.as_array().ok_or_else(unknown)?;
                Ok(Self::Tuple(elements.iter().map(Self::from_json).collect::<Result<_, _>>()?))
            }
            "object" => {
                let members = argument.as_object().ok_or_else(unknown)?;
                let members = members
                    .iter()
                    .map(|(name, member)| Ok((name.clone(), Self::from_json(member)?)))
                    .collect::<Result<_, String>>()?;
                Ok(Self::Object(members))
            }
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_is_found_at_any_depth() {
        let inner = Type::Object([("port".to_owned(), Type::Number)].into());
        let ty =
            Type::Object([("net".to_owned(), Type::list(inner)), ("tags".to_owned(), Type::map(Type::String))].into());
        let net = |name: &str| Value::object([("net", Value::List(vec![Value::object([(name, Value::Null)])]))]);
        assert_eq!(ty.stranger(&net("port")), None);
        assert_eq!(ty.stranger(&net("prot")).map(|path| path.to_string()).as_deref(), Some("net[0].prot"));
        assert_eq!(ty.stranger(&Value::object([("tags", Value::object([("any", Value::from("x"))]))])), None);
        assert_eq!(ty.stranger(&Value::object([("nte", Value::Null)])), Some(Path::of("nte")));
    }
}
