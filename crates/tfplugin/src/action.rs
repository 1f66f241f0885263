//! Actions: something that is done once, when Terraform says so, and leaves no state (Terraform 1.14).

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;

use crate::diagnostics::Diagnostics;
use crate::resource::Context;
use crate::schema::Schema;
use crate::value::Value;

/// Where an action says what it is doing and what it waits for; the user sees each message at once.
#[derive(Debug)]
pub struct Progress(UnboundedSender<String>);

impl Progress {
    /// Where messages go to.
    pub fn new(sender: UnboundedSender<String>) -> Self {
        Self(sender)
    }

    /// Says a sentence. Nobody may be listening any more; the action ends by [`Context::stop`] then.
    pub fn say(&self, message: impl Into<String>) {
        let message = message.into();
        tracing::info!(message, "progress");
        let _ = self.0.send(message);
    }
}

/// A kind of action. Its attributes are those of the block `config`; paths in diagnostics start there.
#[async_trait]
pub trait Action: Send + Sync {
    /// The full type name.
    fn type_name(&self) -> &'static str;

    /// Its description.
    fn schema(&self) -> &Schema;

    /// Rules across attributes; makes no request. Anything may be unknown.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Looks during plan whether it can be carried out. Anything may be unknown. Where the action is triggered by a
    /// resource, what it is about may not exist yet: that is no error here. Not called where the plan is deferred because
    /// the provider's own configuration is unknown.
    async fn plan(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Carries it out; the configuration is wholly known. Returns within a second of [`Context::stop`], which is cancelled
    /// when the user interrupts and when the client has gone.
    async fn invoke(&self, cx: &Context, config: Value, progress: &Progress) -> Diagnostics;
}
