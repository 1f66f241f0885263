//! The Kubernetes API of the management cluster, where Kamaji runs: configuration, requests, errors, ownership, waiting.
//!
//! Knows Kubernetes and nothing of Terraform's objects. [`config`] makes a [`kube::Config`] of named credentials;
//! [`ManagementCluster`] sends requests within an [`Operation`]; whatever fails is an [`ApiError`].

mod classify;
mod client;
pub mod config;
pub mod diagnostic;
pub mod error;
mod exchanged;
mod features;
pub mod field_path;
mod kind;
mod kubeconfig;
mod login;
pub mod managed_fields;
mod operation;
mod pages;
mod plugin;
pub mod proxy;
mod retry;
#[cfg(test)]
pub(crate) mod scripted;
mod shared;
mod traffic;
mod transport;
pub mod watch;

pub use client::{MAX_IN_FLIGHT, ManagementCluster, Selectors};
pub use config::USER_AGENT;
pub use error::{ApiError, InvalidField};
pub use exchanged::{ApplyOptions, Change, Deleted, Propagation, SecretData, Written};
pub use kind::{Kind, ObjectRef};
pub use operation::{Operation, REFRESH_PATIENCE};
pub use pages::PAGE;
pub use retry::Delays;
pub use traffic::log_summary;
pub(crate) use transport::causes;

/// An object as the API returned it.
pub fn json_of(object: &kube::api::DynamicObject) -> serde_json::Value {
    serde_json::to_value(object).unwrap_or_default()
}
