//! From msgpack to a value.

use std::collections::BTreeMap;

use rmp::Marker;
use rmp::decode as read;

use crate::path::Step;
use crate::value::{DecodeError, Number, Type, Value, parse_json};

/// How deep values may lie inside each other. Types from a schema stay far below; only the types that `dynamic` values
/// bring along could go deeper.
const MAX_DEPTH: usize = 200;

/// Elements that memory is reserved for before they are read.
const LARGEST_RESERVE: usize = 1024;

/// Reads a value along its type. Empty bytes are null: core leaves a `DynamicValue` empty for it.
///
/// Every ext is an unknown value, its refinements are dropped. Objects come with exactly the attributes of their type.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, DecodeError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let mut input = Input(bytes);
    let value = input.value(ty, 0)?;
    match input.0.len() {
        0 => Ok(value),
        more => Err(DecodeError::new(format!("{more} bytes follow the value"))),
    }
}

/// One item of the input; of collections only the length.
enum Token<'a> {
    Nil,
    Unknown,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// Text; core's decoder takes binary for it too.
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
}

impl Token<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Nil => "null",
            Self::Unknown => "unknown",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Bytes(_) => "a string",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
        }
    }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        let first = *self.0.first().ok_or_else(cut_off)?;
        let rest = &mut self.0;
        Ok(match Marker::from_u8(first) {
            Marker::Null => {
                read::read_nil(rest).map_err(|_| cut_off())?;
                Token::Nil
            }
            Marker::True | Marker::False => Token::Bool(read::read_bool(rest).map_err(|_| cut_off())?),
            Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::U8
            | Marker::U16
            | Marker::U32
            | Marker::U64
            | Marker::I8
            | Marker::I16
            | Marker::I32
            | Marker::I64 => Token::Int(read::read_int(rest).map_err(|_| cut_off())?),
            Marker::F32 => Token::Float(read::read_f32(rest).map_err(|_| cut_off())?.into()),
            Marker::F64 => Token::Float(read::read_f64(rest).map_err(|_| cut_off())?),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let length = read::read_str_len(rest).map_err(|_| cut_off())?;
                Token::Bytes(self.take(length)?)
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = read::read_bin_len(rest).map_err(|_| cut_off())?;
                Token::Bytes(self.take(length)?)
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let length = read::read_array_len(rest).map_err(|_| cut_off())?;
                Token::Array(self.count(length, 1)?)
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let length = read::read_map_len(rest).map_err(|_| cut_off())?;
                Token::Map(self.count(length, 2)?)
            }
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => {
                let meta = read::read_ext_meta(rest).map_err(|_| cut_off())?;
                self.take(meta.size)?;
                Token::Unknown
            }
            Marker::Reserved => return Err(DecodeError::new("the byte c1 starts no msgpack value")),
        })
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) =
            usize::try_from(length).ok().and_then(|at| self.0.split_at_checked(at)).ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The number of elements of a collection, which take at least `bytes` each: so a claimed length allocates nothing
    /// that is not there.
    fn count(&self, claimed: u32, bytes: usize) -> Result<usize, DecodeError> {
        usize::try_from(claimed).ok().filter(|count| *count <= self.0.len() / bytes).ok_or_else(cut_off)
    }

    fn value(&mut self, ty: &Type, depth: usize) -> Result<Value, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::new(format!("values lie more than {MAX_DEPTH} levels deep")));
        }
        let inner = depth + 1;
        Ok(match (self.token()?, ty) {
            (Token::Nil, _) => Value::Null,
            (Token::Unknown, _) => Value::Unknown,
            (Token::Array(2), Type::Dynamic) => self.dynamic(inner)?,
            (Token::Bool(value), Type::Bool) => Value::Bool(value),
            (Token::Bytes(bytes), Type::String) => Value::String(text(bytes)?.to_owned()),
            (Token::Int(whole), Type::Number) => Value::Number(match i64::try_from(whole) {
                Ok(whole) => Number::Int(whole),
                Err(_) => Number::Decimal(whole.to_string()),
            }),
            (Token::Float(float), Type::Number) if !float.is_nan() => Value::Number(Number::Float(float)),
            (Token::Bytes(bytes), Type::Number) => Value::Number(
                Number::parse(text(bytes)?).ok_or_else(|| DecodeError::new("a number is wanted, not other text"))?,
            ),
            (Token::Array(length), Type::List(element)) => Value::List(self.list(length, element, inner)?),
            (Token::Array(length), Type::Set(element)) => {
                // No path leads into a set.
                Value::Set(self.list(length, element, inner).map_err(DecodeError::in_set)?)
            }
            (Token::Array(length), Type::Tuple(elements)) if length == elements.len() => {
                let mut items = Vec::with_capacity(length);
                for (index, element) in elements.iter().enumerate() {
                    items.push(self.value(element, inner).map_err(|error| error.within(at(index)))?);
                }
                Value::List(items)
            }
            (Token::Array(length), Type::Tuple(elements)) => {
                let wanted = elements.len();
                return Err(DecodeError::new(format!("a tuple of {wanted} elements is wanted, not {length}")));
            }
            (Token::Map(length), Type::Map(element)) => Value::Object(self.map(length, element, inner)?),
            (Token::Map(length), Type::Object(attributes)) => Value::Object(self.object(length, attributes, inner)?),
            (found, wanted) => {
                return Err(DecodeError::new(format!("{} is wanted, not {}", wanted.noun(), found.name())));
            }
        })
    }

    /// A pair of a type constraint as JSON and the value.
    fn dynamic(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let Token::Bytes(constraint) = self.token()? else {
            return Err(DecodeError::new("a value of any type comes with its type as JSON"));
        };
        let constraint = parse_json(constraint)
            .map_err(|error| DecodeError::new(format!("the type of the value is no JSON: {error}")))?;
        let ty = Type::from_json(&constraint).map_err(DecodeError::new)?;
        let value = self.value(&ty, depth)?;
        Ok(Value::Dynamic(Box::new((ty, value))))
    }

    fn list(&mut self, length: usize, element: &Type, depth: usize) -> Result<Vec<Value>, DecodeError> {
        // A claimed length costs a byte an element, a value thirty: what is claimed at many depths at once would not fit.
        let mut items = Vec::with_capacity(length.min(LARGEST_RESERVE));
        for index in 0..length {
            items.push(self.value(element, depth).map_err(|error| error.within(at(index)))?);
        }
        Ok(items)
    }

    fn map(&mut self, length: usize, element: &Type, depth: usize) -> Result<BTreeMap<String, Value>, DecodeError> {
        let mut members = BTreeMap::new();
        for _ in 0..length {
            let key = self.key()?;
            let value = self.value(element, depth).map_err(|error| error.within(Step::Key(key.to_owned())))?;
            if members.insert(key.to_owned(), value).is_some() {
                return Err(DecodeError::new(format!("the key {key:?} stands twice in the map")));
            }
        }
        Ok(members)
    }

    fn object(
        &mut self,
        length: usize,
        attributes: &BTreeMap<String, Type>,
        depth: usize,
    ) -> Result<BTreeMap<String, Value>, DecodeError> {
        let mut members = BTreeMap::new();
        for _ in 0..length {
            let name = self.key()?;
            let ty = attributes
                .get(name)
                .ok_or_else(|| DecodeError::new(format!("the object has no attribute {name:?} in the schema")))?;
            let value = self.value(ty, depth).map_err(|error| error.within(Step::Attribute(name.to_owned())))?;
            if members.insert(name.to_owned(), value).is_some() {
                return Err(DecodeError::new(format!("the attribute {name:?} stands twice in the object")));
            }
        }
        match attributes.keys().find(|name| !members.contains_key(*name)) {
            None => Ok(members),
            Some(missing) => Err(DecodeError::new(format!("the attribute {missing:?} is missing"))),
        }
    }

    fn key(&mut self) -> Result<&'a str, DecodeError> {
        match self.token()? {
            Token::Bytes(bytes) => text(bytes),
            other => Err(DecodeError::new(format!("a string is wanted as key, not {}", other.name()))),
        }
    }
}

fn at(index: usize) -> Step {
    Step::Index(i64::try_from(index).unwrap_or(i64::MAX))
}

fn cut_off() -> DecodeError {
    DecodeError::new("the msgpack data ends in the middle of a value")
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::new("the string is no valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::path::Path;
    use crate::value::{arbitrary, encode};

    fn object(members: &[(&str, Type)]) -> Type {
        Type::Object(members.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect())
    }

    proptest! {
        #[test]
        fn no_prefix_is_a_value((ty, value) in arbitrary::typed_value(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&value, &ty);
            let cut = cut.index(bytes.len());
            prop_assert!(cut == 0 || decode(&bytes[..cut], &ty).is_err());
        }

        #[test]
        fn random_bytes_never_panic(ty in arbitrary::ty(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, &ty);
        }

        #[test]
        fn damaged_values_never_panic(
            (ty, value) in arbitrary::typed_value(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = encode(&value, &ty);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(read) = decode(&bytes, &ty) {
                prop_assert_eq!(decode(&encode(&read, &ty), &ty), Ok(read));
            }
        }
    }

    #[rstest]
    #[case::empty_is_null(&[], Type::String, Value::Null)]
    #[case::nil(&[0xc0], object(&[("a", Type::String)]), Value::Null)]
    #[case::plain_unknown(&[0xd4, 0, 0], Type::Bool, Value::Unknown)]
    #[case::refined_unknown(&[0xc7, 7, 12, 0x82, 1, 0xc2, 2, 0xa2, b'x', b'-'], Type::String, Value::Unknown)]
    #[case::empty_ext(&[0xc7, 0, 0], Type::String, Value::Unknown)]
    #[case::binary_as_text(&[0xc4, 1, b'x'], Type::String, "x".into())]
    #[case::negative(&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], Type::Number, i64::MIN.into())]
    #[case::unsigned(
        &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        Type::Number,
        Value::Number(Number::Decimal("18446744073709551615".into()))
    )]
    #[case::fraction(&[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Type::Number, Value::Number(Number::Float(1.5)))]
    #[case::short_fraction(&[0xca, 0x3f, 0xc0, 0, 0], Type::Number, Value::Number(Number::Float(1.5)))]
    #[case::decimal(b"\xa30.1", Type::Number, Value::Number(Number::Decimal("0.1".into())))]
    #[case::any_order(
        b"\x82\xa1b\xc3\xa1a\xc0",
        object(&[("a", Type::String), ("b", Type::Bool)]),
        Value::object([("a", Value::Null), ("b", true.into())])
    )]
    #[case::untyped_null(&[0xc0], Type::Dynamic, Value::Null)]
    #[case::untyped_unknown(&[0xd4, 0, 0], Type::Dynamic, Value::Unknown)]
    #[case::typed_null(b"\x92\xc4\x08\"string\"\xc0", Type::Dynamic, Value::Dynamic(Box::new((Type::String, Value::Null))))]
    #[case::type_as_text(b"\x92\xa6\"bool\"\xc3", Type::Dynamic, Value::Dynamic(Box::new((Type::Bool, true.into()))))]
    fn reads_what_core_sends(#[case] bytes: &[u8], #[case] ty: Type, #[case] value: Value) {
        assert_eq!(decode(bytes, &ty), Ok(value));
    }

    #[rstest]
    #[case::trailing(&[0xc0, 0xc0], Type::String, "", "1 bytes follow the value")]
    #[case::reserved(&[0xc1], Type::String, "", "the byte c1 starts no msgpack value")]
    #[case::utf8(&[0xa1, 0xff], Type::String, "", "the string is no valid UTF-8")]
    #[case::other_type(&[0xc3], Type::list(Type::String), "", "a list is wanted, not a bool")]
    #[case::not_a_number(&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1], Type::Number, "", "a number is wanted, not a number")]
    #[case::words_for_a_number(b"\xa3abc", Type::Number, "", "a number is wanted, not other text")]
    #[case::huge_array(&[0xdd, 0xff, 0xff, 0xff, 0xff], Type::list(Type::Bool), "", "the msgpack data ends in the middle of a value")]
    #[case::huge_map(&[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa0], Type::map(Type::Bool), "", "the msgpack data ends in the middle of a value")]
    #[case::huge_string(&[0xdb, 0xff, 0xff, 0xff, 0xff, b'x'], Type::String, "", "the msgpack data ends in the middle of a value")]
    #[case::huge_ext(&[0xc9, 0xff, 0xff, 0xff, 0xff, 0], Type::String, "", "the msgpack data ends in the middle of a value")]
    #[case::missing(b"\x81\xa1a\xc0", object(&[("a", Type::Bool), ("b", Type::Bool)]), "", "the attribute \"b\" is missing")]
    #[case::unknown_attribute(b"\x81\xa1c\xc0", object(&[("a", Type::Bool)]), "", "the object has no attribute \"c\" in the schema")]
    #[case::twice(b"\x82\xa1a\xc0\xa1a\xc0", Type::map(Type::Bool), "", "the key \"a\" stands twice in the map")]
    #[case::inside(
        b"\x81\xa1a\x92\x80\x81\xa1k\x01",
        object(&[("a", Type::list(Type::map(Type::Bool)))]),
        "a[1][\"k\"]",
        "a bool is wanted, not a number"
    )]
    #[case::inside_set(
        b"\x81\xa1a\x91\x81\xa1b\x01",
        object(&[("a", Type::set(object(&[("b", Type::Bool)])))]),
        "a",
        "in an element: [0].b: a bool is wanted, not a number"
    )]
    #[case::dynamic_without_type(b"\x92\xc0\xc0", Type::Dynamic, "", "a value of any type comes with its type as JSON")]
    #[case::dynamic_of_no_type(b"\x92\xa3\"x\"\xc0", Type::Dynamic, "", "unknown type constraint \"x\"")]
    #[case::short_tuple(b"\x91\xc3", Type::Tuple(vec![]), "", "a tuple of 0 elements is wanted, not 1")]
    fn says_what_is_wrong_and_where(#[case] bytes: &[u8], #[case] ty: Type, #[case] path: &str, #[case] message: &str) {
        let error = decode(bytes, &ty).expect_err("refused");
        assert_eq!((error.path.to_string().as_str(), error.message.as_str()), (path, message));
    }

    #[test]
    fn a_depth_bomb_is_refused() {
        let bomb = b"\x92\xc4\x09\"dynamic\"".repeat(100_000);
        let error = decode(&bomb, &Type::Dynamic).expect_err("refused");
        assert_eq!(error.path, Path::root());
        assert_eq!(error.message, "values lie more than 200 levels deep");
    }
}
