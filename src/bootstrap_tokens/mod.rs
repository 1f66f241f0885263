//! The data source `kamaji_bootstrap_tokens`: who can join a tenant, and until when.

pub mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tfplugin::data_source::DataSource;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::configured::Configured;
use crate::kamaji::bootstrap_token::{Expiration, expiration_text};
use crate::management_cluster::ObjectRef;
use crate::tenant_cluster::bootstrap_token::Stored;
use crate::tenant_cluster::inquiry::{Answer, Inquiry};
use crate::tenant_cluster::reference;
use schema::SCHEMA;

/// The data source.
pub struct BootstrapTokens {
    inquiry: Inquiry,
}

impl BootstrapTokens {
    /// The data source in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { inquiry: Inquiry::new(shared) }
    }
}

#[async_trait]
impl DataSource for BootstrapTokens {
    fn type_name(&self) -> &'static str {
        "kamaji_bootstrap_tokens"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let mut result = config;
        let (tenant, operation) = match self.inquiry.tenant(cx, &mut result).await? {
            Answer::Tenant(tenant, operation) => (tenant, operation),
            Answer::Silence(said) => return Ok((result, said)),
        };
        let object = reference::of(&result)?;
        let found = tenant.api.tokens(&operation, "").await;
        let mut found =
            found.map_err(|error| tenant.api.diagnostic(&error, &format!("list the bootstrap tokens of {object}")))?;
        found.sort_by(|one, other| one.name().cmp(other.name()));
        let now = Timestamp::now();
        let is_open = |stored: &Stored| {
            stored.found.as_ref().is_ok_and(|found| found.token.is_public_knowledge() && !found.expired(now))
        };
        let said = if found.iter().any(is_open) { known_to_all(&object).into() } else { Diagnostics::new() };
        result.set("tokens", Value::List(found.iter().map(|stored| shown(stored, now)).collect()));
        Ok((result, said))
    }
}

/// A token without its secret.
fn shown(stored: &Stored, now: Timestamp) -> Value {
    let mut token = Value::object([
        ("secret_name", Value::from(stored.name())),
        ("join_id", stored.join_id().into()),
        ("id", Value::Null),
        ("description", Value::Null),
        ("usages", Value::Null),
        ("groups", Value::Null),
        ("expiration", Value::Null),
        ("expired", Value::Null),
        ("public", false.into()),
        ("problem", Value::Null),
    ]);
    let found = match &stored.found {
        Ok(found) => found,
        Err(problem) => {
            token.set("problem", problem.detail.as_str().into());
            return token;
        }
    };
    token.set("id", found.token.id().into());
    token.set("description", found.description.as_deref().into());
    token.set("usages", Value::strings(found.usages.iter().copied()));
    token.set("groups", Value::strings(found.groups.iter().map(String::as_str)));
    if let Expiration::At(end) = found.expiration {
        token.set("expiration", expiration_text(end).into());
    }
    token.set("expired", found.expired(now).into());
    token.set("public", found.token.is_public_knowledge().into());
    token
}

fn known_to_all(object: &ObjectRef) -> Diagnostic {
    Diagnostic::warning(
        "Publicly known token is valid",
        format!(
            "{object} takes the bootstrap token of kubeadm's documentation: anybody who reaches its API can join a node. \
             Kamaji before edge-25.3.1 leaves it in new tenants for a day. Remove it: `kubectl -n kube-system delete secret \
             bootstrap-token-abcdef` in the tenant."
        ),
    )
}
