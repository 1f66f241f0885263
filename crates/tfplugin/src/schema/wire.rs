//! The wire form of a schema.
//!
//! A table of a thousand attributes is many thousand strings as a message, and core waits for it at each start. So nothing
//! is copied into messages: texts are borrowed from the table, and what is written is at its place.

use prost::bytes::Bytes;

use super::{Attribute, Kind, Mode, Schema};
use crate::backwards::Backwards;
use crate::proto::tfplugin6::schema::object::NestingMode;
use crate::proto::tfplugin6::{self as proto, StringKind, schema as wire};

/// `Schema.block`, and of `Block` and `Object` what is written field by field.
const BLOCK: u8 = 2;
const BLOCK_ATTRIBUTES: u8 = 2;
const OBJECT_ATTRIBUTES: u8 = 1;
const OBJECT_NESTING: u8 = 3;

/// The fields of `Schema.Attribute`.
const NAME: u8 = 1;
const TYPE: u8 = 2;
const DESCRIPTION: u8 = 3;
const REQUIRED: u8 = 4;
const OPTIONAL: u8 = 5;
const COMPUTED: u8 = 6;
const SENSITIVE: u8 = 7;
const DESCRIPTION_KIND: u8 = 8;
const DEPRECATED: u8 = 9;
const NESTED_TYPE: u8 = 10;
const WRITE_ONLY: u8 = 11;
const DEPRECATION_MESSAGE: u8 = 12;

/// A schema as an encoded `Schema` message, with every message that core dereferences without looking.
///
/// What core rejects is found by [`check`](super::check::check), in a test of the provider.
pub fn encode_schema(schema: &Schema) -> Bytes {
    let mut encoded = Backwards::new();
    write_schema(schema, &mut encoded);
    encoded.into_bytes()
}

/// The same as a part of another message.
pub(crate) fn write_schema(schema: &Schema, encoded: &mut Backwards) {
    encoded.message(BLOCK, |block| {
        write_attributes(BLOCK_ATTRIBUTES, &schema.attributes, block);
        block.fields(&wire::Block {
            description: schema.description.to_owned(),
            description_kind: StringKind::Markdown.into(),
            ..wire::Block::default()
        });
    });
    encoded.fields(&proto::Schema { version: schema.version, block: None });
}

fn write_attributes(field: u8, attributes: &[Attribute], encoded: &mut Backwards) {
    for attribute in attributes.iter().rev() {
        encoded.message(field, |message| write_attribute(attribute, message));
    }
}

/// Field by field: a message of the generated type is moved and compared with the empty one for longer than it is written.
fn write_attribute(attribute: &Attribute, encoded: &mut Backwards) {
    encoded.text(DEPRECATION_MESSAGE, attribute.deprecated.unwrap_or_default().as_bytes());
    encoded.flag(WRITE_ONLY, attribute.write_only);
    encoded.flag(DEPRECATED, attribute.deprecated.is_some());
    encoded.number(DESCRIPTION_KIND, StringKind::Markdown as u8);
    encoded.flag(SENSITIVE, attribute.sensitive);
    encoded.flag(COMPUTED, attribute.is_computed());
    encoded.flag(OPTIONAL, matches!(attribute.mode, Mode::Optional | Mode::OptionalComputed));
    encoded.flag(REQUIRED, attribute.mode == Mode::Required);
    encoded.text(DESCRIPTION, attribute.description.as_bytes());
    // Exactly one of the two: both or neither make core reject the schema.
    let mut nested = |nesting, attributes| {
        encoded.message(NESTED_TYPE, |object| {
            write_attributes(OBJECT_ATTRIBUTES, attributes, object);
            object.number(OBJECT_NESTING, nesting as u8);
        });
    };
    match &attribute.kind {
        Kind::Object(inner) => nested(NestingMode::Single, inner),
        Kind::ListOf(inner) => nested(NestingMode::List, inner),
        Kind::SetOf(inner) => nested(NestingMode::Set, inner),
        Kind::MapOf(inner) => nested(NestingMode::Map, inner),
        Kind::Value(plain) => encoded.text(TYPE, &plain.to_json_bytes()),
    }
    encoded.text(NAME, attribute.name.as_bytes());
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use rstest::rstest;

    use super::*;
    use crate::schema::{RecomputedBy, boolean, list_of, number, object, string, string_list, string_map};
    use crate::value::Type;

    fn decoded(schema: &Schema) -> proto::Schema {
        proto::Schema::decode(encode_schema(schema)).expect("a schema")
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
