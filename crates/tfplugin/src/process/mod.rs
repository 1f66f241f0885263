//! The go-plugin process.
