//! The Secret that makes a token valid: what it says, how it is made and how all of a join are removed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tfplugin::{Diagnostic, Path, Value};

use super::payload::{diagnostic, discovery};
use crate::kamaji::bootstrap_token::{BootstrapToken, Terms};
use crate::kamaji::join::{Discovery, JOIN_ID_LABEL};
use crate::management_cluster::{ApiError, ObjectRef, Operation};
use crate::tenant_cluster::TenantCluster;
use crate::tenant_cluster::bootstrap_token::Owner;
use crate::tenant_cluster::random;

/// Length of a join's id.
const JOIN_ID: usize = 10;

/// A new id of a join.
pub(super) fn draw_join_id() -> Result<String, Diagnostic> {
    random::text(JOIN_ID)
}

/// The token that the configuration gives.
pub(super) fn given(config: &Value) -> Result<Option<BootstrapToken>, Diagnostic> {
    let parse = |text: &str| text.parse().map_err(|problem| diagnostic(problem).at(Path::of("token_wo")));
    config.str_at("token_wo").map(parse).transpose()
}

/// The end of a token that lives for `ttl` from now.
pub(super) fn end(ttl: Duration) -> Result<Timestamp, Diagnostic> {
    let end = SignedDuration::try_from(ttl).ok().and_then(|ttl| Timestamp::now().checked_add(ttl).ok());
    end.ok_or_else(|| {
        Diagnostic::error("Time to live too long", "The token would end beyond the calendar. Write a shorter `ttl`.")
            .at(Path::of("ttl"))
    })
}

/// What the Secret says of a token with this end.
pub(super) fn terms(value: &Value, end: Option<Timestamp>, own_endpoint: bool, object: &ObjectRef) -> Terms {
    let groups = value.get("extra_groups").as_list().unwrap_or_default().iter();
    let labels =
        [("app.kubernetes.io/managed-by", Some("terraform-provider-kamaji")), (JOIN_ID_LABEL, value.str_at("join_id"))];
    let description = value.str_at("description").map(str::to_owned);
    Terms {
        expiration: end,
        description: description.or_else(|| Some(format!("Made by Terraform (kamaji_worker_join) for {object}."))),
        extra_groups: groups.filter_map(Value::as_str).map(str::to_owned).collect(),
        without_default_group: value.get("include_default_group").as_bool() == Some(false),
        without_signing: discovery(value, own_endpoint) == Discovery::File,
        labels: labels.into_iter().filter_map(|(key, label)| Some((key.to_owned(), label?.to_owned()))).collect(),
        ..Terms::default()
    }
}

/// Makes all tokens of a join invalid but the one with the id `keep`: those that carry its id, and the one that the state
/// knows.
pub(super) async fn revoke(
    api: &TenantCluster,
    operation: &Operation,
    state: &Value,
    keep: Option<&str>,
) -> Result<(), ApiError> {
    if let Some(join_id) = state.str_at("join_id") {
        for stored in api.tokens(operation, &format!("{JOIN_ID_LABEL}={join_id}")).await? {
            if keep.is_none_or(|keep| stored.id() != Some(keep)) {
                api.remove_token(operation, &stored).await?;
            }
        }
    }
    // Somebody may have taken its label away.
    match (state.str_at("token_id"), super::payload::token(state)) {
        (Some(id), Some(token)) if keep != Some(id) => api.revoke_token(operation, id, &Owner::of(&token)).await,
        _ => Ok(()),
    }
}
