//! Plays Terraform against the built binary: the go-plugin process and every call of the protocol.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod actions;
mod api_server;
mod bad_configurations;
mod broken_input;
mod calls;
mod certificate;
mod client;
mod conformance;
mod data_sources;
mod deferral;
mod ephemeral;
mod functions;
mod handshake;
mod interrupt;
mod listing;
mod log;
mod objects;
mod process;
mod taken_over;
mod traces;
mod transport;
mod unknowns;
