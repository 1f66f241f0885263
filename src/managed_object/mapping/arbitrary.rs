//! Values of a table, for property tests.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use tfplugin::Value;
use tfplugin::schema::{Attribute, Form, Kind, Merge, Mode, Validator};
use tfplugin::value::Type;

/// An object with what the API knows: required attributes are given, others sometimes. What only the provider knows or
/// gives is null.
pub fn object(attributes: &[Attribute]) -> BoxedStrategy<Value> {
    let members: Vec<_> = attributes.iter().map(member).collect();
    let names: Vec<&'static str> = attributes.iter().map(|attribute| attribute.name).collect();
    members.prop_map(move |members| Value::object(names.iter().copied().zip(members))).boxed()
}

fn member(attribute: &Attribute) -> BoxedStrategy<Value> {
    if attribute.api.is_none() || !attribute.is_configurable() {
        return Just(Value::Null).boxed();
    }
    let given = given(attribute);
    if attribute.mode == Mode::Required {
        return given;
    }
    option::weighted(0.35, given).prop_map(Value::from).boxed()
}

fn given(attribute: &Attribute) -> BoxedStrategy<Value> {
    match &attribute.kind {
        Kind::Object(inner) => object(inner),
        // Elements with the same keys cannot be told apart, and the API refuses them.
        Kind::ListOf(inner) if matches!(attribute.merge(), Merge::Keys(_)) => {
            vec(object(inner), 0..2).prop_map(Value::List).boxed()
        }
        Kind::ListOf(inner) => vec(object(inner), 0..3).prop_map(Value::List).boxed(),
        Kind::SetOf(inner) => vec(object(inner), 0..3).prop_map(Value::Set).boxed(),
        Kind::MapOf(inner) => btree_map("[a-z]{1,4}", object(inner), 0..3).prop_map(Value::Object).boxed(),
        Kind::Value(ty) => leaf(attribute, ty),
    }
}

fn leaf(attribute: &Attribute, ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => (0_i64..70_000).prop_map(Value::from).boxed(),
        Type::List(element) => vec(leaf(attribute, element), 0..3).prop_map(Value::List).boxed(),
        Type::Set(element) => vec(leaf(attribute, element), 0..3).prop_map(Value::Set).boxed(),
        Type::Map(element) => {
            btree_map("[a-z]{1,4}(/[a-z.]{1,4})?", leaf(attribute, element), 0..3).prop_map(Value::Object).boxed()
        }
        _ => text(attribute).prop_map(Value::String).boxed(),
    }
}

fn text(attribute: &Attribute) -> BoxedStrategy<String> {
    if let Some(allowed) = attribute.validators.iter().find_map(Validator::allowed) {
        return proptest::sample::select(allowed).prop_map(str::to_owned).boxed();
    }
    match attribute.api.as_ref().map_or(Form::Plain, |api| api.form) {
        Form::Plain | Form::Base64 => "[a-z0-9]{1,8}".boxed(),
        Form::Text => "[1-9][0-9]{0,4}(\\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?".boxed(),
        Form::NumberOrText => "[1-9][0-9]{0,4}|[1-9][0-9]?%|[a-z]{1,8}".boxed(),
        Form::Json => json(),
    }
}

fn json() -> BoxedStrategy<String> {
    let leaf = prop_oneof!["[1-9][0-9]{0,3}", "\"[a-z]{0,4}\"", Just("true".to_owned()), Just("{}".to_owned())];
    let nested = |inner: BoxedStrategy<String>| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            vec(inner, 0..3).prop_map(|items| {
                let members: Vec<String> =
                    items.iter().enumerate().map(|(n, item)| format!("\"k{}\": {item}", 9 - n)).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    };
    leaf.prop_recursive(2, 8, 3, move |inner| nested(inner.boxed())).boxed()
}
