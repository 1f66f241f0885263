//! The wire form of a signature.

use super::{Parameter, Signature};
use crate::proto::tfplugin6::{self as proto};
use crate::proto::tfplugin6::{StringKind, function as wire};

/// The wire form of a signature, with every message that core dereferences without looking.
///
/// What core rejects is found by [`check`](super::check::check), in a test of the provider.
pub fn signature_to_proto(signature: &Signature) -> proto::Function {
    proto::Function {
        parameters: signature.parameters.iter().map(parameter_to_proto).collect(),
        variadic_parameter: signature.variadic.as_ref().map(parameter_to_proto),
        r#return: Some(wire::Return { r#type: signature.result.value_type().to_json_bytes().into() }),
        summary: signature.summary.to_owned(),
        description: signature.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
        deprecation_message: signature.deprecated.unwrap_or_default().to_owned(),
    }
}

fn parameter_to_proto(parameter: &Parameter) -> wire::Parameter {
    wire::Parameter {
        name: parameter.attribute.name.to_owned(),
        r#type: parameter.wire_type().to_json_bytes().into(),
        allow_null_value: parameter.allow_null(),
        allow_unknown_values: parameter.allow_unknown,
        description: parameter.attribute.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
    }
}
