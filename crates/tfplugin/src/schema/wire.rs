//! The wire form of a schema.

use super::Schema;
use crate::proto::tfplugin6 as proto;

/// The wire form of a schema.
pub fn schema_to_proto(schema: &Schema) -> proto::Schema {
    proto::Schema { version: schema.version, block: Some(proto::schema::Block::default()) }
}
