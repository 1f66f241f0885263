//! The types of Terraform values (cty).

use std::collections::BTreeMap;

use serde_json::json;

/// A type of Terraform's type system.
#[derive(Clone, Debug, PartialEq, Eq)]
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
