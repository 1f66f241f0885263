//! `kamaji_kubeconfig`, the kubeconfig of a tenant: an ephemeral resource that is stored nowhere, and a data source for
//! those who cannot use it.

mod data_source;
mod minted;
mod schema;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tfplugin::ephemeral::{EphemeralResource, Opened};
use tfplugin::private::Private;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::configured::Configured;
use crate::tenant_cluster::minted::Names;
use crate::tenant_cluster::{Connect, over_the_network};
pub use data_source::KubeconfigInState;
use schema::EPHEMERAL;

/// The ephemeral resource.
pub struct Kubeconfig {
    shared: Arc<Configured>,
    connect: Connect,
    /// Draws the names of a minted credential.
    names: fn() -> Result<Names, Diagnostic>,
}

impl Kubeconfig {
    /// The ephemeral resource in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared, connect: over_the_network(), names: Names::draw }
    }
}

#[async_trait]
impl EphemeralResource for Kubeconfig {
    fn type_name(&self) -> &'static str {
        "kamaji_kubeconfig"
    }

    fn schema(&self) -> &Schema {
        &EPHEMERAL
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        source::validate(config)
    }

    async fn open(&self, cx: &Context, config: Value) -> Result<Opened, Diagnostics> {
        if config.get("minted").is_set() {
            return self.open_minted(cx, &config).await;
        }
        let (result, diagnostics) = source::find(&self.shared.cluster()?, &cx.stop, &config).await?;
        Ok(Opened { result, renew_at: None, private: Private::default(), diagnostics })
    }

    async fn renew(&self, cx: &Context, private: Private) -> Result<(Private, Option<SystemTime>), Diagnostics> {
        self.renew_minted(cx, private).await
    }

    async fn close(&self, cx: &Context, private: Private) -> Diagnostics {
        self.close_minted(cx, &private).await
    }
}
