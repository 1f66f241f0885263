//! Ephemeral resources: values that are made for one walk and never stored.

use std::time::SystemTime;

use async_trait::async_trait;

use crate::diagnostics::Diagnostics;
use crate::private::Private;
use crate::resource::Context;
use crate::schema::Schema;
use crate::value::Value;

/// An opened ephemeral resource.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Wholly known; attributes that are not computed equal the configuration.
    pub result: Value,
    /// When to renew; [`None`] for never.
    pub renew_at: Option<SystemTime>,
    /// Goes to renew and close. After a renewal Terraform closes with the one from open, OpenTofu with the latest.
    pub private: Private,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// A kind of ephemeral resource. Opened anew in each walk, plan and apply; never with unknown configuration.
#[async_trait]
pub trait EphemeralResource: Send + Sync {
    /// The full type name.
    fn type_name(&self) -> &'static str;

    /// Its description.
    fn schema(&self) -> &Schema;

    /// Rules across attributes; makes no request.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Opens it.
    async fn open(&self, cx: &Context, config: Value) -> Result<Opened, Diagnostics>;

    /// Prolongs it; the new private state and the time of the next renewal.
    async fn renew(&self, _cx: &Context, private: Private) -> Result<(Private, Option<SystemTime>), Diagnostics> {
        Ok((private, None))
    }

    /// Ends it.
    async fn close(&self, _cx: &Context, _private: Private) -> Diagnostics {
        Diagnostics::new()
    }
}
