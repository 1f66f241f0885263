//! From a value to msgpack.

use rmp::encode as write;

use crate::value::{Number, Type, Value};

/// A plain unknown value: ext type 0 with one byte, which nobody reads. Core takes it for any type.
const UNKNOWN: [u8; 3] = [0xd4, 0, 0];

/// Writes a value along its type.
///
/// Objects get exactly the attributes of their type, absent ones as null. A value of another shape than its type is
/// written as it is, for core to refuse.
pub fn encode(value: &Value, ty: &Type) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, value, ty);
    out
}

fn put(out: &mut Vec<u8>, value: &Value, ty: &Type) {
    match (value, ty) {
        (Value::Null, _) => in_memory(write::write_nil(out)),
        (Value::Unknown, _) => out.extend_from_slice(&UNKNOWN),
        (Value::Dynamic(inner), Type::Dynamic) => {
            let (ty, value) = inner.as_ref();
            in_memory(write::write_array_len(out, 2));
            in_memory(write::write_bin(out, &ty.to_json_bytes()));
            put(out, value, ty);
        }
        (Value::Dynamic(inner), _) => put(out, &inner.1, ty),
        (value, Type::Dynamic) => put(out, &Value::Dynamic(Box::new((value.natural_type(), value.clone()))), ty),
        (Value::Bool(value), _) => in_memory(write::write_bool(out, *value)),
        (Value::Number(number), _) => put_number(out, number),
        (Value::String(text), _) => in_memory(write::write_str(out, text)),
        (Value::List(items) | Value::Set(items), Type::List(element) | Type::Set(element)) => {
            put_array_len(out, items.len());
            items.iter().for_each(|item| put(out, item, element));
        }
        (Value::List(items) | Value::Set(items), Type::Tuple(elements)) if items.len() == elements.len() => {
            put_array_len(out, items.len());
            items.iter().zip(elements).for_each(|(item, element)| put(out, item, element));
        }
        (Value::Object(members), Type::Map(element)) => {
            put_map_len(out, members.len());
            for (key, member) in members {
                in_memory(write::write_str(out, key));
                put(out, member, element);
            }
        }
        (Value::Object(members), Type::Object(attributes)) => {
            put_map_len(out, attributes.len());
            for (name, ty) in attributes {
                in_memory(write::write_str(out, name));
                put(out, members.get(name).unwrap_or(&Value::Null), ty);
            }
        }
        (Value::List(_) | Value::Set(_) | Value::Object(_), _) => put(out, value, &value.natural_type()),
    }
}

fn put_number(out: &mut Vec<u8>, number: &Number) {
    match number {
        Number::Int(whole) => in_memory(write::write_sint(out, *whole)),
        // Core dies of a NaN; of the text it says that it is no number.
        Number::Float(float) if float.is_nan() => in_memory(write::write_str(out, "NaN")),
        Number::Float(float) => in_memory(write::write_f64(out, *float)),
        Number::Decimal(text) => in_memory(write::write_str(out, text)),
    }
}

fn put_array_len(out: &mut Vec<u8>, length: usize) {
    in_memory(write::write_array_len(out, u32::try_from(length).unwrap_or(u32::MAX)));
}

fn put_map_len(out: &mut Vec<u8>, length: usize) {
    in_memory(write::write_map_len(out, u32::try_from(length).unwrap_or(u32::MAX)));
}

/// Writing to memory does not fail.
fn in_memory<T, E>(_written: Result<T, E>) {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::value::{arbitrary, decode};

    fn object(members: &[(&str, Type)]) -> Type {
        Type::Object(members.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect())
    }

    proptest! {
        #[test]
        fn every_value_comes_back((ty, value) in arbitrary::typed_value()) {
            let bytes = encode(&value, &ty);
            prop_assert_eq!(decode(&bytes, &ty), Ok(value));
        }

        #[test]
        fn a_value_of_another_type_is_written_without_panic(
            (_, value) in arbitrary::typed_value(),
            ty in arbitrary::ty(),
        ) {
            prop_assert!(!encode(&value, &ty).is_empty());
        }
    }

    #[rstest]
    #[case::unknown(Value::Unknown, Type::set(Type::String), &[0xd4, 0, 0])]
    #[case::small(5.into(), Type::Number, &[5])]
    #[case::decimals_stay_text(Value::Number(Number::Decimal("0.1".into())), Type::Number, b"\xa30.1")]
    #[case::fractions_are_doubles(Value::Number(Number::Float(1.5)), Type::Number, &[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0])]
    #[case::no_number(Value::Number(Number::Float(f64::NAN)), Type::Number, b"\xa3NaN")]
    #[case::absent_attribute(Value::object([("x", 1)].map(|(n, v)| (n, Value::from(v)))), object(&[("a", Type::String)]), b"\x81\xa1a\xc0")]
    #[case::empty_object(Value::object::<&str>([]), object(&[]), &[0x80])]
    #[case::dynamic(
        Value::Dynamic(Box::new((Type::list(Type::Bool), Value::List(vec![true.into()])))),
        Type::Dynamic,
        b"\x92\xc4\x0f[\"list\",\"bool\"]\x91\xc3"
    )]
    #[case::dynamic_without_type("x".into(), Type::Dynamic, b"\x92\xc4\x08\"string\"\xa1x")]
    fn writes_what_core_accepts(#[case] value: Value, #[case] ty: Type, #[case] bytes: &[u8]) {
        assert_eq!(encode(&value, &ty), bytes);
    }
}
