//! From what core sends to what the parameter says.

use std::collections::BTreeMap;

use crate::path::{Path, Step};
use crate::schema::{Attribute, Kind};
use crate::value::{Type, Value};

/// What is not of the shape of its parameter: where, and in what way.
type Misshapen = (Path, String);

/// An argument in the shape of its parameter: objects with all attributes, those left out as null. What core has converted
/// to a type passes as it is.
///
/// # Errors
/// What is of another shape: an attribute that does not exist, a list where a string is wanted. The value is not repeated.
pub(super) fn shaped(parameter: &Attribute, value: Value) -> Result<Value, String> {
    let shaped = of_kind(&parameter.kind, value).map_err(within(Step::Attribute(parameter.name.to_owned())));
    shaped.map_err(|(path, problem)| format!("`{path}` {problem}"))
}

fn of_kind(kind: &Kind, value: Value) -> Result<Value, Misshapen> {
    let value = inner(value);
    if !value.is_set() {
        return Ok(value);
    }
    match (kind, value) {
        (Kind::Value(ty), value) => of_type(ty, value),
        (Kind::Object(attributes), Value::Object(members)) => object(attributes, members),
        (Kind::ListOf(attributes), Value::List(items) | Value::Set(items)) => {
            Ok(Value::List(each(items, |item| of_kind(&Kind::Object(attributes.clone()), item))?))
        }
        (Kind::SetOf(attributes), Value::List(items) | Value::Set(items)) => {
            Ok(Value::Set(each(items, |item| of_kind(&Kind::Object(attributes.clone()), item))?))
        }
        (Kind::MapOf(attributes), Value::Object(members)) => {
            keyed(members, |item| of_kind(&Kind::Object(attributes.clone()), item))
        }
        (Kind::Object(_), found) => other("an object", &found),
        (Kind::ListOf(_), found) => other("a list of objects", &found),
        (Kind::SetOf(_), found) => other("a set of objects", &found),
        (Kind::MapOf(_), found) => other("a map of objects", &found),
    }
}

fn of_type(ty: &Type, value: Value) -> Result<Value, Misshapen> {
    let value = inner(value);
    if !value.is_set() {
        return Ok(value);
    }
    match (ty, value) {
        (Type::String, value @ Value::String(_))
        | (Type::Number, value @ Value::Number(_))
        | (Type::Bool, value @ Value::Bool(_)) => Ok(value),
        (Type::Dynamic, value) => Ok(Value::Dynamic(Box::new((value.natural_type(), value)))),
        (Type::List(element), Value::List(items) | Value::Set(items)) => {
            Ok(Value::List(each(items, |item| of_type(element, item))?))
        }
        (Type::Set(element), Value::List(items) | Value::Set(items)) => {
            Ok(Value::Set(each(items, |item| of_type(element, item))?))
        }
        (Type::Map(element), Value::Object(members)) => keyed(members, |item| of_type(element, item)),
        // Core has made these what they are: there is nothing to leave out.
        (Type::Object(_), value @ Value::Object(_)) | (Type::Tuple(_), value @ Value::List(_)) => Ok(value),
        (wanted, found) => other(wanted.noun(), &found),
    }
}

/// The value without the type that came with it.
fn inner(value: Value) -> Value {
    if let Value::Dynamic(typed) = value { inner(typed.1) } else { value }
}

fn object(attributes: &[Attribute], mut members: BTreeMap<String, Value>) -> Result<Value, Misshapen> {
    let known = |name: &str| attributes.iter().any(|attribute| attribute.name == name);
    if let Some(name) = members.keys().find(|name| !known(name)) {
        let names: Vec<String> = attributes.iter().map(|attribute| format!("`{}`", attribute.name)).collect();
        return Err((Path::root(), format!("has no attribute {name:?}. There are {}.", names.join(", "))));
    }
    let mut shaped = BTreeMap::new();
    for attribute in attributes {
        let member = members.remove(attribute.name).unwrap_or(Value::Null);
        let member = of_kind(&attribute.kind, member).map_err(within(Step::Attribute(attribute.name.to_owned())))?;
        shaped.insert(attribute.name.to_owned(), member);
    }
    Ok(Value::Object(shaped))
}

fn each(items: Vec<Value>, of: impl Fn(Value) -> Result<Value, Misshapen>) -> Result<Vec<Value>, Misshapen> {
    let mut shaped = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        shaped.push(of(item).map_err(within(Step::Index(i64::try_from(index).unwrap_or(i64::MAX))))?);
    }
    Ok(shaped)
}

fn keyed(members: BTreeMap<String, Value>, of: impl Fn(Value) -> Result<Value, Misshapen>) -> Result<Value, Misshapen> {
    let mut shaped = BTreeMap::new();
    for (key, member) in members {
        let member = of(member).map_err(within(Step::Key(key.clone())))?;
        shaped.insert(key, member);
    }
    Ok(Value::Object(shaped))
}

fn within(step: Step) -> impl FnOnce(Misshapen) -> Misshapen {
    |(path, problem)| (path.within(step), problem)
}

fn other(wanted: &str, found: &Value) -> Result<Value, Misshapen> {
    Err((Path::root(), format!("must be {wanted}, and is {}.", noun(found))))
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Unknown => "unknown",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::List(_) => "a list",
        Value::Set(_) => "a set",
        Value::Object(_) => "an object or a map",
        Value::Dynamic(typed) => noun(&typed.1),
    }
}
