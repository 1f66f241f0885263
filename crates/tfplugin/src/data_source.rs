//! Data sources.

use async_trait::async_trait;

use crate::diagnostics::Diagnostics;
use crate::resource::Context;
use crate::schema::Schema;
use crate::value::Value;

/// A kind of data source.
#[async_trait]
pub trait DataSource: Send + Sync {
    /// The full type name.
    fn type_name(&self) -> &'static str;

    /// Its description.
    fn schema(&self) -> &Schema;

    /// Rules across attributes; makes no request.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Reads it. The configuration is wholly known. Not found is an error.
    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics>;
}
