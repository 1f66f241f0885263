//! The wire form of a schema.

use super::{Attribute, Kind, Mode, Schema};
use crate::proto::tfplugin6::schema::object::NestingMode;
use crate::proto::tfplugin6::{self as proto, StringKind, schema as wire};

/// The wire form of a schema, with every message that core dereferences without looking.
///
/// What core rejects is found by [`check`](super::check::check), in a test of the provider.
pub fn schema_to_proto(schema: &Schema) -> proto::Schema {
    proto::Schema {
        version: schema.version,
        block: Some(wire::Block {
            attributes: attributes_to_proto(&schema.attributes),
            description: schema.description.to_owned(),
            description_kind: StringKind::Markdown.into(),
            ..wire::Block::default()
        }),
    }
}

fn attributes_to_proto(attributes: &[Attribute]) -> Vec<wire::Attribute> {
    attributes.iter().map(attribute_to_proto).collect()
}

fn attribute_to_proto(attribute: &Attribute) -> wire::Attribute {
    let nesting = match &attribute.kind {
        Kind::Value(_) => None,
        Kind::Object(_) => Some(NestingMode::Single),
        Kind::ListOf(_) => Some(NestingMode::List),
        Kind::SetOf(_) => Some(NestingMode::Set),
        Kind::MapOf(_) => Some(NestingMode::Map),
    };
    // Exactly one of the two: both or neither make core reject the schema.
    let (ty, nested_type) = match nesting {
        None => (attribute.value_type().to_json().to_string().into_bytes(), None),
        Some(nesting) => {
            let attributes = attributes_to_proto(attribute.nested());
            let object = wire::Object { attributes, nesting: nesting.into(), ..wire::Object::default() };
            (Vec::new(), Some(object))
        }
    };
    wire::Attribute {
        name: attribute.name.to_owned(),
        r#type: ty,
        nested_type,
        description: attribute.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
        required: attribute.mode == Mode::Required,
        optional: matches!(attribute.mode, Mode::Optional | Mode::OptionalComputed),
        computed: attribute.is_computed(),
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use rstest::rstest;

    use super::*;
    use crate::schema::{RecomputedBy, boolean, list_of, number, object, string, string_list, string_map};
    use crate::value::Type;

    fn only(attribute: Attribute) -> wire::Attribute {
        attribute_to_proto(&attribute)
    }

    #[test]
    fn the_block_is_there_even_without_attributes() {
        let wire = schema_to_proto(&Schema::new(3, "A thing.", Vec::new()));
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
    fn survives_the_wire() {
        let wire = schema_to_proto(&Schema::new(
            0,
            "A thing.",
            vec![string("name").required(), object("net", vec![list_of("ports", vec![number("port")])])],
        ));
        assert_eq!(proto::Schema::decode(wire.encode_to_vec().as_slice()), Ok(wire));
    }
}
