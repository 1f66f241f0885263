//! Messages and services generated from `proto/` (see `build.rs`).

#![allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]

/// Plugin protocol 6: package `tfplugin6`.
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// The services of go-plugin itself: package `plugin`.
pub mod goplugin {
    tonic::include_proto!("plugin");
}

/// What is sent of OpenTelemetry's protocol for traces: package `otlp`.
pub mod otlp {
    tonic::include_proto!("otlp");
}
