//! Equality of values, which is Terraform's: sets without order and duplicates, numbers by value.

use std::cmp::Ordering;

use super::Value;

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        order(self, other).is_eq()
    }
}

/// Some total order that agrees with equality.
///
/// Sets are sorted by it before they are compared: to look each element up in the other set takes the square of their
/// size, and as many times again for each set around them.
fn order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.order(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => order_all(a.iter(), b.iter()),
        (Value::Set(a), Value::Set(b)) => order_all(sorted(a).into_iter(), sorted(b).into_iter()),
        (Value::Object(a), Value::Object(b)) => a.keys().cmp(b.keys()).then_with(|| order_all(a.values(), b.values())),
        (Value::Dynamic(a), Value::Dynamic(b)) => a.0.cmp(&b.0).then_with(|| order(&a.1, &b.1)),
        _ => kind(one).cmp(&kind(other)),
    }
}

fn order_all<'a>(
    one: impl ExactSizeIterator<Item = &'a Value>,
    other: impl ExactSizeIterator<Item = &'a Value>,
) -> Ordering {
    let by_length = one.len().cmp(&other.len());
    by_length
        .then_with(|| one.zip(other).map(|(a, b)| order(a, b)).find(|found| found.is_ne()).unwrap_or(Ordering::Equal))
}

fn sorted(items: &[Value]) -> Vec<&Value> {
    let mut items: Vec<_> = items.iter().collect();
    items.sort_by(|a, b| order(a, b));
    items.dedup();
    items
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Unknown => 1,
        Value::Bool(_) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::List(_) => 5,
        Value::Set(_) => 6,
        Value::Object(_) => 7,
        Value::Dynamic(_) => 8,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::value::{Number, arbitrary};

    proptest! {
        #[test]
        fn the_order_is_total(
            (_, a) in arbitrary::typed_value(),
            (_, b) in arbitrary::typed_value(),
            (_, c) in arbitrary::typed_value(),
        ) {
            prop_assert_eq!(order(&a, &a), Ordering::Equal);
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b) == order(&b, &c) {
                prop_assert_eq!(order(&a, &c), order(&a, &b));
            }
        }

        #[test]
        fn a_set_in_another_order_is_the_same(mut items in prop::collection::vec(arbitrary::typed_value(), 0..6)) {
            let set = |items: &[(_, Value)]| Value::Set(items.iter().map(|(_, value)| value.clone()).collect());
            let one = set(&items);
            items.reverse();
            prop_assert_eq!(&one, &set(&items));
            items.extend(items.clone().first().cloned());
            prop_assert_eq!(&one, &set(&items));
        }
    }

    fn set(items: &[Value]) -> Value {
        Value::Set(items.to_vec())
    }

    #[rstest]
    #[case::numbers_by_value(set(&[1.into(), 2.into()]), set(&[Value::Number(Number::Float(2.0)), Value::Number(Number::Decimal("1.0".into()))]), true)]
    #[case::twice(set(&[1.into(), 1.into()]), set(&[1.into()]), true)]
    #[case::another_element(set(&[1.into(), 2.into()]), set(&[1.into(), 3.into()]), false)]
    #[case::lists_have_an_order(Value::strings(["a", "b"]), Value::strings(["b", "a"]), false)]
    #[case::a_list_is_no_set(Value::strings(["a"]), set(&["a".into()]), false)]
    #[case::nothing_is_not_unknown(Value::Null, Value::Unknown, false)]
    fn equality_is_terraforms(#[case] one: Value, #[case] other: Value, #[case] equal: bool) {
        assert_eq!(one == other, equal);
    }

    /// Compared element by element this takes 2^150 steps.
    #[test]
    fn sets_deep_in_sets_are_compared_in_no_time() {
        let deep = |end: &str| (0..150).fold(Value::from(end), |inner, _| set(&[Value::Null, inner]));
        assert_eq!(deep("a"), deep("a"));
        assert_ne!(deep("a"), deep("b"));
    }

    #[test]
    fn sets_of_many_elements_are_compared_in_no_time() {
        let ascending = Value::Set((0..50_000).map(Value::from).collect());
        let descending = Value::Set((0..50_000).rev().map(Value::from).collect());
        assert_eq!(ascending, descending);
    }
}
