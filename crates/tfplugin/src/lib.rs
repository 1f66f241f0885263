//! A Terraform plugin framework for Rust: plugin protocol 6 over go-plugin.
//!
//! A provider implements [`provider::Provider`] and the traits of its objects ([`resource::Resource`],
//! [`data_source::DataSource`], [`ephemeral::EphemeralResource`], [`list_resource::ListResource`],
//! [`function::Function`], [`action::Action`]) and hands itself to [`process::serve`].
//! Each object is described once, by the table in [`schema`]: the wire schema, the codecs, the planning rules, the
//! validators and the documentation page are all derived from it. Nothing here knows Kubernetes or Kamaji.

pub mod action;
mod backwards;
pub mod data_source;
pub mod diagnostics;
pub mod ephemeral;
pub mod function;
pub mod identity;
pub mod list_resource;
pub mod path;
pub mod plan;
pub mod private;
pub mod process;
pub mod proto;
pub mod provider;
pub mod resource;
pub mod schema;
pub mod service;
pub mod traces;
pub mod value;

pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use path::Path;
pub use value::Value;
