//! The documentation page of an object, from its schema.
