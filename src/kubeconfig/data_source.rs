//! The data source: what the ephemeral resource gives, in the state.

use std::sync::Arc;

use async_trait::async_trait;
use tfplugin::data_source::DataSource;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::schema::DATA_SOURCE;
use super::source;
use crate::configured::Configured;

/// The data source.
pub struct KubeconfigInState {
    shared: Arc<Configured>,
}

impl KubeconfigInState {
    /// The data source in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared }
    }
}

#[async_trait]
impl DataSource for KubeconfigInState {
    fn type_name(&self) -> &'static str {
        "kamaji_kubeconfig"
    }

    fn schema(&self) -> &Schema {
        &DATA_SOURCE
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        source::validate(config)
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let (result, mut said) = source::find(&self.shared.cluster()?, &cx.stop, &config).await?;
        if result.get("kubeconfig").is_set() && config.get("accept_secret_in_state").as_bool() != Some(true) {
            said.extend(self.shared.once("kubeconfig in the state", in_state()));
        }
        Ok((result, said))
    }
}

fn in_state() -> Diagnostic {
    Diagnostic::warning(
        "Private key is stored in the state",
        "The data source kamaji_kubeconfig puts the private key or token of the kubeconfig into the state and into saved \
         plans, in plain text: whoever can read them has the tenant. From Terraform 1.10 and OpenTofu 1.11 on, the \
         ephemeral resource kamaji_kubeconfig gives the same and stores nothing. To keep it in the state without this \
         warning, set `accept_secret_in_state = true`.",
    )
}
