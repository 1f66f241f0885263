//! Values as JSON, as they stand in a state file (protocol, `RawState`).

use super::{DecodeError, Type, Value};
use crate::path::Path;

/// Reads a value along its type.
pub fn from_json(_json: &serde_json::Value, _ty: &Type) -> Result<Value, DecodeError> {
    Err(DecodeError { path: Path::root(), message: "not written yet".to_owned() })
}

/// Writes a value along its type.
pub fn to_json(_value: &Value, _ty: &Type) -> serde_json::Value {
    serde_json::Value::Null
}
