//! Checks of a configuration against its schema.
