//! Terraform values and their types.
//!
//! A [`Value`] does not carry its type (but for `dynamic`): the codecs in [`msgpack`] and [`json`] read and write it
//! along a [`Type`], which comes from the schema.

#[cfg(test)]
pub(crate) mod arbitrary;
mod json;
mod msgpack;
mod number;
mod order;
mod types;

use std::collections::BTreeMap;

pub use json::{from_json, json_object, parse as parse_json, to_json};
pub use msgpack::{decode, encode};
pub use number::Number;
pub use types::Type;

use crate::path::{Path, Step};

/// Why bytes from the wire or from a state are not a value of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_root() { String::new() } else { format!("{path}: ") })]
pub struct DecodeError {
    /// Where.
    pub path: Path,
    /// What was found and what was wanted. Never the value itself, which may be a secret.
    pub message: String,
}

impl DecodeError {
    fn new(message: impl Into<String>) -> Self {
        Self { path: Path::root(), message: message.into() }
    }

    /// The same, seen from one level further out.
    fn within(self, step: Step) -> Self {
        Self { path: self.path.within(step), ..self }
    }

    /// The same, seen from the set around it, where paths end.
    fn in_set(self) -> Self {
        Self::new(format!("in an element: {self}"))
    }
}

/// A value of Terraform's type system.
///
/// Equality is Terraform's: sets without order, numbers by value. Two unknown values are equal.
#[derive(Clone, Debug)]
pub enum Value {
    /// Null, of any type.
    Null,
    /// Not known before apply. Refinements that come with it are dropped: a provider may always answer with a plain
    /// unknown, and plan checks compare without them.
    Unknown,
    /// A bool.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string, NFC-normalised by Terraform.
    String(String),
    /// A list or a tuple.
    List(Vec<Value>),
    /// A set; order has no meaning.
    Set(Vec<Value>),
    /// A map or an object. An object has every attribute of its type, absent ones as [`Value::Null`].
    Object(BTreeMap<String, Value>),
    /// A value of type `dynamic` with the type it has.
    Dynamic(Box<(Type, Value)>),
}

static NULL: Value = Value::Null;

impl Value {
    /// An object from its attributes.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Value)>) -> Self {
        // A `collect` brings its own copy of a sort for each kind of iterator, 4 KB of the binary.
        let mut members = BTreeMap::new();
        attributes.into_iter().for_each(|(name, value)| drop(members.insert(name.into(), value)));
        Self::Object(members)
    }

    /// A list of strings.
    pub fn strings<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(items.into_iter().map(|item| Self::String(item.into())).collect())
    }

    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True if the value itself is unknown; members may be unknown all the same.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// True if neither the value nor anything inside it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(items) | Self::Set(items) => items.iter().all(Self::is_wholly_known),
            Self::Object(members) => members.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.1.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// True if the value is known and not null.
    pub fn is_set(&self) -> bool {
        !self.is_null() && !self.is_unknown()
    }

    /// The text of a known string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// A known bool.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// A known whole number that fits.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Number(number) = self { number.as_i64() } else { None }
    }

    /// The elements of a known list or set.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(items) | Self::Set(items) = self { Some(items) } else { None }
    }

    /// The members of a known object or map.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The members of a known object or map, to change.
    pub fn as_object_mut(&mut self) -> Option<&mut BTreeMap<String, Value>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The type that the value shows by itself: what is null or unknown could be anything, a list or a set could hold
    /// different types, a map could be an object.
    pub fn natural_type(&self) -> Type {
        match self {
            Self::Null | Self::Unknown | Self::Dynamic(_) => Type::Dynamic,
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(items) | Self::Set(items) => Type::Tuple(items.iter().map(Self::natural_type).collect()),
            Self::Object(members) => {
                Type::object(members.iter().map(|(name, member)| (name.clone(), member.natural_type())))
            }
        }
    }

    /// The attribute at a dotted path of attribute names. Null where a parent is null or the name is absent, unknown
    /// where a parent is unknown.
    pub fn get(&self, dotted: &str) -> &Value {
        let mut current = self;
        for name in dotted.split('.') {
            match current {
                Self::Object(members) => match members.get(name) {
                    Some(value) => current = value,
                    None => return &NULL,
                },
                Self::Unknown => return current,
                _ => return &NULL,
            }
        }
        current
    }

    /// The text at a dotted path, if it is set.
    pub fn str_at(&self, dotted: &str) -> Option<&str> {
        self.get(dotted).as_str()
    }

    /// Puts a value at a dotted path of attribute names; objects on the way that are null are made.
    pub fn set(&mut self, dotted: &str, value: Value) {
        let mut current = self;
        for name in dotted.split('.') {
            if !matches!(current, Self::Object(_)) {
                *current = Self::Object(BTreeMap::new());
            }
            let Self::Object(members) = current else { return };
            current = members.entry(name.to_owned()).or_insert(Self::Null);
        }
        *current = value;
    }

    /// The value at a path; [`None`] if the path does not lead anywhere. A path into a set leads nowhere.
    pub fn at(&self, path: &Path) -> Option<&Value> {
        let mut current = self;
        for step in path.steps() {
            current = match (step, current) {
                (Step::Attribute(name) | Step::Key(name), Self::Object(members)) => members.get(name)?,
                (Step::Index(index), Self::List(items)) => items.get(usize::try_from(*index).ok()?)?,
                _ => return None,
            };
        }
        Some(current)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Number::from(number))
    }
}

/// [`None`] is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
