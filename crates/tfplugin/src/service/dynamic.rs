//! Values of the wire along a schema.

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::proto::tfplugin6::DynamicValue;
use crate::schema::Schema;
use crate::schema::validate::validate;
use crate::value::{self, Type, Value};

/// Reads a value of a schema. `what` names it in the error: "configuration", "prior state".
pub(super) fn read(what: &str, value: Option<&DynamicValue>, schema: &Schema) -> Result<Value, Diagnostics> {
    read_type(what, value, schema.object_type())
}

/// Reads a value that must be an object of the schema.
pub(super) fn read_object(what: &str, value: Option<&DynamicValue>, schema: &Schema) -> Result<Value, Diagnostics> {
    match read(what, value, schema)? {
        object @ Value::Object(_) => Ok(object),
        other => Err(undecodable(what, &Path::root(), if other.is_null() { "it is null" } else { "it is unknown" })),
    }
}

/// Reads a value that must be an object of the schema, with nothing in it unknown: what was stored, or what is done now.
pub(super) fn read_known(what: &str, value: Option<&DynamicValue>, schema: &Schema) -> Result<Value, Diagnostics> {
    known(what, read_object(what, value, schema)?)
}

/// The value if nothing in it is unknown.
pub(super) fn known(what: &str, value: Value) -> Result<Value, Diagnostics> {
    if value.is_wholly_known() { Ok(value) } else { Err(undecodable(what, &Path::root(), "it has unknown values")) }
}

/// Checks a configuration: the rules of each attribute, then those across attributes, which `rules` applies. `write_only`:
/// whether the client takes write-only attributes.
pub(super) fn check(
    config: Option<&DynamicValue>,
    schema: &Schema,
    write_only: bool,
    rules: impl FnOnce(Value) -> Diagnostics,
) -> Result<Diagnostics, Diagnostics> {
    let config = read_object("configuration", config, schema)?;
    let mut diagnostics = validate(schema, &config, write_only);
    diagnostics.extend(rules(config));
    Ok(diagnostics)
}

/// Reads a value of a type. Core sends msgpack; an absent value is null (protocol, `DynamicValue`).
pub(super) fn read_type(what: &str, value: Option<&DynamicValue>, ty: &Type) -> Result<Value, Diagnostics> {
    let Some(value) = value else { return Ok(Value::Null) };
    let read = if value.msgpack.is_empty() && !value.json.is_empty() {
        value::parse_json(&value.json)
            .map_err(|error| value::DecodeError { path: Path::root(), message: error.to_string() })
            .and_then(|json| value::from_json(&json, ty))
    } else {
        value::decode(&value.msgpack, ty)
    };
    read.map_err(|error| undecodable(what, &error.path, &error.message))
}

/// Writes a value of a schema. A member that the schema does not have is a misspelled name in the provider: it would be
/// dropped without a word, so every test that comes this way fails.
pub(super) fn write(value: &Value, schema: &Schema) -> DynamicValue {
    let ty = schema.object_type();
    debug_assert_eq!(ty.stranger(value), None, "the schema has no such attribute");
    DynamicValue { msgpack: value::encode(value, ty), json: Vec::new() }
}

/// The error for what Terraform sent and nobody can read.
pub(super) fn undecodable(what: &str, path: &Path, problem: &str) -> Diagnostics {
    Diagnostic::error(
        "Value from Terraform not readable",
        format!(
            "The {what} that Terraform sent does not fit the schema: {problem}. This is a bug in the provider or in \
                 Terraform; please report it."
        ),
    )
    .at(path.clone())
    .into()
}

/// The error for a kind of object that the provider does not have.
pub(super) fn unknown_type(kind: &str, name: &str) -> Diagnostics {
    Diagnostic::error(
        format!("Unknown {kind}"),
        format!("The provider has no {kind} named {name:?}. Check the name and the version of the provider."),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::string;

    #[test]
    #[should_panic(expected = "the schema has no such attribute")]
    fn a_misspelled_attribute_does_not_pass_unnoticed() {
        let schema = Schema::new(0, "A thing.", vec![string("name")]);
        let mut value = schema.null_object();
        value.set("nmae", "a".into());
        write(&value, &schema);
    }
}
