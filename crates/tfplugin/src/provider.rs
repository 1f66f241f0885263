//! The provider as a whole.

use std::time::Duration;

use async_trait::async_trait;

use crate::action::Action;
use crate::data_source::DataSource;
use crate::diagnostics::Diagnostics;
use crate::ephemeral::EphemeralResource;
use crate::function::Function;
use crate::list_resource::ListResource;
use crate::resource::Resource;
use crate::schema::Schema;
use crate::traces::{Collector, Post};
use crate::value::Value;

/// What the process needs to know of the provider before any call.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Full source address: `registry.terraform.io/namespace/type`.
    pub address: &'static str,
    /// Version of the provider.
    pub version: &'static str,
}

impl Identity {
    /// The type part of the address (`kamaji`), which is also the prefix of its resources and of its log variables.
    pub fn name(&self) -> &'static str {
        self.address.rsplit('/').next().unwrap_or(self.address)
    }

    /// The name that Terraform insists on for the executable.
    pub fn binary_name(&self) -> String {
        format!("terraform-provider-{}", self.name())
    }

    /// The address as `required_providers` has it: without the host of the public registry.
    pub fn source(&self) -> &'static str {
        self.address.strip_prefix("registry.terraform.io/").unwrap_or(self.address)
    }
}

/// A provider: its block and the kinds of objects that it offers.
///
/// The objects share what [`Provider::configure`] sets; it may be called again in a process that a developer reattaches
/// to, and then replaces the old configuration. Validation never sees a configured provider.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Who it is.
    fn identity(&self) -> Identity;

    /// The provider block.
    fn schema(&self) -> &Schema;

    /// Managed resources.
    fn resources(&self) -> Vec<&dyn Resource>;

    /// Data sources.
    fn data_sources(&self) -> Vec<&dyn DataSource> {
        Vec::new()
    }

    /// Ephemeral resources.
    fn ephemeral_resources(&self) -> Vec<&dyn EphemeralResource> {
        Vec::new()
    }

    /// List resources.
    fn list_resources(&self) -> Vec<&dyn ListResource> {
        Vec::new()
    }

    /// Functions.
    fn functions(&self) -> Vec<&dyn Function> {
        Vec::new()
    }

    /// Actions.
    fn actions(&self) -> Vec<&dyn Action> {
        Vec::new()
    }

    /// True if the configuration that was taken last has unknown values without which nothing can be asked. A client that
    /// takes deferrals is then told to come again; for the others the objects do what they can without asking.
    fn is_partly_unknown(&self) -> bool {
        false
    }

    /// Rules across attributes of the provider block; makes no request. Anything may be unknown.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Takes the configuration. Values may be unknown during plan: what can be done without them must go on.
    async fn configure(&self, config: Value, terraform_version: &str) -> Diagnostics;

    /// Connects to a collector of traces, for the [framework's own](crate::traces). Called at the first span, if the
    /// environment names a collector. An error is a text without secrets.
    async fn connect(&self, _collector: &Collector) -> Result<Box<dyn Post>, String> {
        Err("this provider sends no traces".to_owned())
    }

    /// The process is about to end, after so long: a last word for the log. Called once; must not wait for anything, as
    /// Terraform kills a process that does not end within two seconds.
    fn ends(&self, _run: Duration) {}
}
