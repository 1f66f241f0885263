//! The wire form of a schema.
//!
//! A table of a thousand attributes is many thousand strings as a message, and core waits for it at each start. So nothing
//! is copied into messages: texts are borrowed from the table, and what is nested is encoded before what it is in.

use prost::Message;
use prost::bytes::Bytes;

use super::{Attribute, Kind, Mode, Schema};
use crate::proto::tfplugin6::schema::object::NestingMode;
use crate::proto::tfplugin6::{self as proto, StringKind, schema as wire};

/// `Schema.block`, `Block.attributes` and `Object.attributes`; `Attribute` has its fields below.
const BLOCK: u8 = 2;
const BLOCK_ATTRIBUTES: u8 = 2;
const OBJECT_ATTRIBUTES: u8 = 1;

/// A schema as an encoded `Schema` message, with every message that core dereferences without looking.
///
/// What core rejects is found by [`check`](super::check::check), in a test of the provider.
pub fn encode_schema(schema: &Schema) -> Vec<u8> {
    let rest = wire::Block {
        description: schema.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
        ..wire::Block::default()
    };
    let mut block = rest.encode_to_vec();
    encode_attributes(BLOCK_ATTRIBUTES, &schema.attributes, &mut block);
    let mut encoded = proto::Schema { version: schema.version, block: None }.encode_to_vec();
    embed(BLOCK, &block, &mut encoded);
    encoded
}

/// Appends a field with an encoded message. The order of fields does not matter to those who read them.
pub(crate) fn embed(field: u8, message: &[u8], encoded: &mut Vec<u8>) {
    append_key(field, message.len(), encoded);
    encoded.extend_from_slice(message);
}

/// The start of a field that is `length` bytes long: its number, which is less than 16, with the wire type LEN.
fn append_key(field: u8, length: usize, encoded: &mut Vec<u8>) {
    const LEN: u8 = 2;
    encoded.push(field << 3 | LEN);
    // A vector has room for everything.
    let _ = prost::encode_length_delimiter(length, encoded);
}

fn encode_attributes(field: u8, attributes: &[Attribute], encoded: &mut Vec<u8>) {
    for attribute in attributes {
        let message = BorrowedAttribute::of(attribute);
        append_key(field, message.encoded_len(), encoded);
        message.encode_raw(encoded);
    }
}

/// `Schema.Attribute`, whose strings and nested messages are bytes that need no copy: on the wire they are the same.
#[derive(Clone, PartialEq, Message)]
struct BorrowedAttribute {
    #[prost(bytes = "bytes", tag = "1")]
    name: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    r#type: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    description: Bytes,
    #[prost(bool, tag = "4")]
    required: bool,
    #[prost(bool, tag = "5")]
    optional: bool,
    #[prost(bool, tag = "6")]
    computed: bool,
    #[prost(bool, tag = "7")]
    sensitive: bool,
    #[prost(enumeration = "StringKind", tag = "8")]
    description_kind: i32,
    #[prost(bool, tag = "9")]
    deprecated: bool,
    #[prost(bytes = "bytes", tag = "10")]
    nested_type: Bytes,
    #[prost(bool, tag = "11")]
    write_only: bool,
    #[prost(bytes = "bytes", tag = "12")]
    deprecation_message: Bytes,
}

impl BorrowedAttribute {
    fn of(attribute: &Attribute) -> Self {
        let nesting = match &attribute.kind {
            Kind::Value(_) => None,
            Kind::Object(_) => Some(NestingMode::Single),
            Kind::ListOf(_) => Some(NestingMode::List),
            Kind::SetOf(_) => Some(NestingMode::Set),
            Kind::MapOf(_) => Some(NestingMode::Map),
        };
        // Exactly one of the two: both or neither make core reject the schema.
        let (r#type, nested_type) = match nesting {
            None => (attribute.value_type().to_json_bytes(), Bytes::new()),
            Some(nesting) => {
                let object = wire::Object { nesting: nesting.into(), ..wire::Object::default() };
                let mut object = object.encode_to_vec();
                encode_attributes(OBJECT_ATTRIBUTES, attribute.nested(), &mut object);
                (Bytes::new(), object.into())
            }
        };
        Self {
            name: text(attribute.name),
            r#type,
            nested_type,
            description: text(attribute.description),
            description_kind: StringKind::Markdown.into(),
            required: attribute.mode == Mode::Required,
            optional: matches!(attribute.mode, Mode::Optional | Mode::OptionalComputed),
            computed: attribute.is_computed(),
            sensitive: attribute.sensitive,
            write_only: attribute.write_only,
            deprecated: attribute.deprecated.is_some(),
            deprecation_message: text(attribute.deprecated.unwrap_or_default()),
        }
    }
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::schema::{RecomputedBy, boolean, list_of, number, object, string, string_list, string_map};
    use crate::value::Type;

    fn decoded(schema: &Schema) -> proto::Schema {
        proto::Schema::decode(encode_schema(schema).as_slice()).expect("a schema")
    }

    fn only(attribute: Attribute) -> wire::Attribute {
        let mut block = decoded(&Schema::new(0, "A thing.", vec![attribute])).block.expect("a block");
        block.attributes.pop().expect("an attribute")
    }

    #[test]
    fn the_block_is_there_even_without_attributes() {
        let wire = decoded(&Schema::new(3, "A thing.", Vec::new()));
        let block = wire.block.expect("a block");
        assert_eq!((wire.version, block.description.as_str(), block.description_kind), (3, "A thing.", 1));
    }

    #[rstest]
    #[case(string("a"), r#""string""#)]
    #[case(number("a"), r#""number""#)]
    #[case(boolean("a"), r#""bool""#)]
    #[case(string_list("a"), r#"["list","string"]"#)]
    #[case(string_map("a"), r#"["map","string"]"#)]
    #[case(Attribute::new("a", Kind::Value(Type::Dynamic)), r#""dynamic""#)]
    fn plain_types_are_json(#[case] attribute: Attribute, #[case] json: &str) {
        let wire = only(attribute);
        assert_eq!((wire.r#type.as_slice(), wire.nested_type), (json.as_bytes(), None));
    }

    #[rstest]
    #[case(object("a", vec![string("b")]), NestingMode::Single)]
    #[case(list_of("a", vec![string("b")]), NestingMode::List)]
    #[case(Attribute::new("a", Kind::SetOf(vec![string("b")])), NestingMode::Set)]
    #[case(Attribute::new("a", Kind::MapOf(vec![string("b")])), NestingMode::Map)]
    fn nested_attributes_have_a_nested_type_and_no_type(#[case] attribute: Attribute, #[case] nesting: NestingMode) {
        let wire = only(attribute);
        let nested = wire.nested_type.expect("nested");
        assert!(wire.r#type.is_empty());
        assert_eq!((nested.nesting, nested.attributes[0].name.as_str()), (nesting.into(), "b"));
    }

    #[rstest]
    #[case(Mode::Required, (true, false, false))]
    #[case(Mode::Optional, (false, true, false))]
    #[case(Mode::Computed, (false, false, true))]
    #[case(Mode::OptionalComputed, (false, true, true))]
    fn the_mode_is_three_flags(#[case] mode: Mode, #[case] flags: (bool, bool, bool)) {
        let wire = only(Attribute { mode, ..string("a").computed(RecomputedBy::Nothing) });
        assert_eq!((wire.required, wire.optional, wire.computed), flags);
    }

    #[test]
    fn a_deprecation_has_flag_and_message() {
        let wire = only(Attribute { deprecated: Some("Use b."), ..string("a") });
        assert_eq!((wire.deprecated, wire.deprecation_message.as_str()), (true, "Use b."));
        let wire = only(string("a"));
        assert_eq!((wire.deprecated, wire.deprecation_message.as_str()), (false, ""));
    }

    #[test]
    fn secrets_are_marked() {
        let wire = only(Attribute { write_only: true, ..string("a").sensitive() });
        assert!(wire.sensitive && wire.write_only);
    }

    #[test]
    fn what_is_nested_is_where_it_belongs() {
        let inner = object("net", vec![list_of("ports", vec![number("port").doc("A port.")])]);
        let wire = decoded(&Schema::new(0, "A thing.", vec![string("name").required(), inner]));
        let attributes = wire.block.expect("a block").attributes;
        let nested = |attribute: &wire::Attribute| attribute.nested_type.clone().expect("nested").attributes;
        let port = nested(&nested(&attributes[1])[0]).remove(0);
        assert_eq!((attributes[0].name.as_str(), attributes[0].required), ("name", true));
        assert_eq!((port.name.as_str(), port.description.as_str()), ("port", "A port."));
    }
}
