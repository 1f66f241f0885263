//! Types and values of every shape, for property tests.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{Number, Type, Value};

/// A type, up to four levels deep.
pub fn ty() -> BoxedStrategy<Type> {
    let leaf = prop_oneof![
        3 => Just(Type::String),
        2 => Just(Type::Number),
        2 => Just(Type::Bool),
        1 => Just(Type::Dynamic),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            vec(inner.clone(), 0..4).prop_map(Type::Tuple),
            btree_map("[a-z_][a-z0-9_]{0,6}", inner, 0..4).prop_map(Type::Object),
        ]
    })
    .boxed()
}

/// A type and a value of it, with nulls and unknowns at any place.
pub fn typed_value() -> BoxedStrategy<(Type, Value)> {
    ty().prop_flat_map(|ty| (Just(ty.clone()), value(&ty))).boxed()
}

/// A type and a value of it that JSON can hold: nothing unknown, no infinity.
pub fn typed_known_value() -> BoxedStrategy<(Type, Value)> {
    ty().prop_flat_map(|ty| (Just(ty.clone()), value_of(&ty, false, 2))).boxed()
}

/// A value of a type, with nulls and unknowns at any place.
pub fn value(ty: &Type) -> BoxedStrategy<Value> {
    value_of(ty, true, 2)
}

/// A number of any size.
pub fn number() -> BoxedStrategy<Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        (-300_i64..300).prop_map(Number::Int),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Number::Float),
        "-?[1-9][0-9]{0,30}(\\.[0-9]{1,20})?".prop_map(Number::Decimal),
        any::<u64>().prop_map(|whole| Number::Decimal(whole.to_string())),
    ]
    .boxed()
}

/// `dynamics` bounds how often a `dynamic` value lies inside another one.
fn value_of(ty: &Type, unknowns: bool, dynamics: u32) -> BoxedStrategy<Value> {
    let known = match ty {
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::Number if unknowns => {
            let infinite = prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY)].prop_map(Number::Float);
            prop_oneof![9 => number(), 1 => infinite].prop_map(Value::Number).boxed()
        }
        Type::Number => number().prop_map(Value::Number).boxed(),
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Dynamic if dynamics == 0 => Just(Value::Null).boxed(),
        Type::Dynamic => self::ty()
            .prop_filter("a type of its own", |ty| *ty != Type::Dynamic)
            .prop_flat_map(move |ty| (Just(ty.clone()), value_of(&ty, unknowns, dynamics - 1)))
            .prop_map(|typed| Value::Dynamic(Box::new(typed)))
            .boxed(),
        Type::List(element) => vec(value_of(element, unknowns, dynamics), 0..4).prop_map(Value::List).boxed(),
        Type::Set(element) => vec(value_of(element, unknowns, dynamics), 0..4).prop_map(Value::Set).boxed(),
        Type::Map(element) => {
            btree_map(any::<String>(), value_of(element, unknowns, dynamics), 0..4).prop_map(Value::Object).boxed()
        }
        Type::Tuple(elements) => elements
            .iter()
            .map(|element| value_of(element, unknowns, dynamics))
            .collect::<Vec<_>>()
            .prop_map(Value::List)
            .boxed(),
        Type::Object(attributes) => {
            let (names, values): (Vec<_>, Vec<_>) =
                attributes.iter().map(|(name, ty)| (name.clone(), value_of(ty, unknowns, dynamics))).unzip();
            values.prop_map(move |values| Value::object(names.iter().cloned().zip(values))).boxed()
        }
    };
    if unknowns {
        prop_oneof![8 => known, 1 => Just(Value::Null), 1 => Just(Value::Unknown)].boxed()
    } else {
        prop_oneof![8 => known, 1 => Just(Value::Null)].boxed()
    }
}
