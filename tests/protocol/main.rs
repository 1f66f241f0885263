//! Plays Terraform against the built binary: the go-plugin process and every call of the protocol.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod certificate;
mod client;
mod handshake;
mod log;
mod process;
mod transport;
