//! Checks of a configuration against its schema.

use super::Schema;
use crate::diagnostics::Diagnostics;
use crate::value::Value;

/// Checks of a configuration that core leaves to the provider.
pub fn validate(_schema: &Schema, _config: &Value, _write_only_allowed: bool) -> Diagnostics {
    Diagnostics::new()
}
