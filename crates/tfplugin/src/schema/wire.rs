//! The wire form of a schema.
