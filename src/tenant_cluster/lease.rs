//! What an ephemeral resource has made in a tenant for a limited time: prolonged as long as the run lasts, ended with it.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tfplugin::{Diagnostic, Diagnostics};
use tokio_util::sync::CancellationToken;

use super::reach::{For, Reach, Sight, Tenant};
use super::reference;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::{ApiError, ObjectRef, Operation};

/// The longest that an end waits for a tenant: at the end of a run somebody waits.
pub const CLOSE: Duration = Duration::from_secs(20);
/// How often a tenant is asked again that cannot do it now.
const AGAIN: Duration = Duration::from_secs(1);

/// What is held in a tenant.
#[async_trait]
pub trait Held: Send + Sync {
    /// In words, at the beginning of a sentence: `Bootstrap token abcdef`.
    fn subject(&self) -> String;

    /// Moves its end. [`ApiError::NotFound`] or [`ApiError::Conflict`] if somebody has ended it.
    async fn prolong(&self, tenant: &Tenant, operation: &Operation, end: Timestamp) -> Result<(), ApiError>;

    /// Ends it. What is not there is ended.
    async fn end(&self, tenant: &Tenant, operation: &Operation) -> Result<(), ApiError>;
}

/// In which tenant something is held, and for how long at a time. Remembered between open, renew and close.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Term {
    /// The `id` of the control plane.
    pub tenant: String,
    /// Its UID: one that is made anew under the same name is another tenant.
    pub tenant_uid: String,
    /// The time to live in seconds.
    pub ttl_seconds: u64,
}

impl Term {
    /// In this tenant, for `ttl` at a time.
    pub fn new(object: &ObjectRef, tenant: &Tenant, ttl: Duration) -> Self {
        let uid = View::new(&tenant.live).uid().unwrap_or_default().to_owned();
        Self { tenant: object.id(), tenant_uid: uid, ttl_seconds: ttl.as_secs() }
    }

    /// When what is prolonged now ends.
    pub fn end(&self) -> Timestamp {
        in_seconds(self.ttl_seconds)
    }

    /// When it has to be prolonged again: half way.
    pub fn renew_at(&self) -> SystemTime {
        in_seconds(self.ttl_seconds / 2).into()
    }

    /// Prolongs what is held, as soon as the tenant answers; until it would end. Returns when to come again.
    ///
    /// # Errors
    /// It ends soon, for the reason given.
    pub async fn renew(
        &self,
        reach: &Reach,
        stop: &CancellationToken,
        held: &dyn Held,
    ) -> Result<SystemTime, Diagnostics> {
        let object = reference::parse(&self.tenant).map_err(|problem| lapse(held, &problem.detail))?;
        let operation = Operation::new(Duration::from_secs(self.ttl_seconds / 2), stop);
        loop {
            let why = match reach.look(&operation, &object).await {
                Ok(Sight::Missing) => return Err(lapse(held, &format!("{object} does not exist any more."))),
                Ok(Sight::Silent(silence)) => silence.why,
                Ok(Sight::Answers(tenant)) => match held.prolong(&tenant, &operation, self.end()).await {
                    Ok(()) => {
                        tracing::info!(%object, held = held.subject(), "prolonged");
                        return Ok(self.renew_at());
                    }
                    Err(ApiError::NotFound(_) | ApiError::Conflict { .. } | ApiError::Invalid(_)) => {
                        return Err(lapse(held, &format!("Somebody has removed it from {object}.")));
                    }
                    Err(error) => format!("{error}."),
                },
                Err(diagnostic) => diagnostic.detail,
            };
            if operation.remaining() <= AGAIN || !operation.pause(AGAIN).await {
                return Err(lapse(held, &why));
            }
        }
    }

    /// Ends what is held. A tenant that cannot be asked is worth a warning: it ends by itself.
    pub async fn close(&self, reach: &Reach, stop: &CancellationToken, held: &dyn Held) -> Diagnostics {
        let Ok(object) = reference::parse(&self.tenant) else { return Diagnostics::new() };
        let operation = Operation::new(CLOSE, stop);
        let why = match reach.seek(&operation, &object, For::Api).await {
            // It died with its tenant.
            Ok(Sight::Missing) => return Diagnostics::new(),
            Ok(Sight::Silent(silence)) if View::new(&silence.live).deleting() => return Diagnostics::new(),
            Ok(Sight::Answers(tenant)) if View::new(&tenant.live).uid() != Some(self.tenant_uid.as_str()) => {
                return Diagnostics::new();
            }
            Ok(Sight::Silent(silence)) => silence.why,
            Ok(Sight::Answers(tenant)) => match held.end(&tenant, &operation).await {
                Ok(()) => return Diagnostics::new(),
                Err(error) => format!("{error}."),
            },
            Err(diagnostic) => diagnostic.detail,
        };
        Diagnostic::warning(
            "Not removed from the tenant",
            format!(
                "{} could not be removed from {object}. {why} It is valid for {} seconds more at most.",
                held.subject(),
                self.ttl_seconds
            ),
        )
        .into()
    }
}

fn in_seconds(seconds: u64) -> Timestamp {
    let after = SignedDuration::try_from(Duration::from_secs(seconds)).unwrap_or(SignedDuration::MAX);
    Timestamp::now().checked_add(after).unwrap_or(Timestamp::MAX)
}

fn lapse(held: &dyn Held, why: &str) -> Diagnostics {
    Diagnostic::error(
        "Not prolonged in the tenant",
        format!(
            "{} ends soon, and cannot be prolonged. {why} What still uses it will be refused (401).",
            held.subject()
        ),
    )
    .into()
}
