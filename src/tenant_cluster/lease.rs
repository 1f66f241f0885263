//! What an ephemeral resource has made in a tenant for a limited time: prolonged as long as the run lasts, ended with it.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tfplugin::{Diagnostic, Diagnostics};
use tokio_util::sync::CancellationToken;

use super::reach::{For, Reach, Sight, Silence, Tenant, is_another};
use super::reference;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::{ApiError, ObjectRef, Operation};

/// The longest that a renewal takes; one that fails is tried again. OpenTofu gives up ten seconds after it wants to close,
/// also if a renewal is under way then, and breaks down over an answer that comes later.
const RENEW: Duration = Duration::from_secs(3);
/// The longest that an end takes, for the same reason; and somebody waits for it.
pub const CLOSE: Duration = Duration::from_secs(6);
/// How long an end goes on after an interrupt: what is held is to be ended then too.
const GRACE: Duration = Duration::from_millis(800);

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
    /// When it ends unless it is prolonged, in seconds of Unix time.
    pub ends: i64,
}

/// What came of a renewal.
#[derive(Debug)]
pub struct Renewed {
    /// With its new end.
    pub term: Term,
    /// When to come again; [`None`] if there is nothing left to prolong.
    pub again: Option<SystemTime>,
}

/// What came of one attempt to prolong.
enum Attempt {
    Prolonged,
    /// The tenant is gone or going, and what is held goes with it.
    Gone,
    /// Somebody has ended it.
    Ended(String),
    /// It cannot be prolonged now, for this reason.
    NotNow(String),
}

impl Term {
    /// In this tenant, for `ttl` at a time. It has to be started.
    pub fn new(object: &ObjectRef, tenant: &Tenant, ttl: Duration) -> Self {
        let uid = View::new(&tenant.live).uid().unwrap_or_default().to_owned();
        Self { tenant: object.id(), tenant_uid: uid, ttl_seconds: ttl.as_secs(), ends: 0 }
    }

    /// Starts now, and returns when it ends.
    pub fn start(&mut self) -> Timestamp {
        let end = in_seconds(self.ttl_seconds);
        self.ends = end.as_second();
        end
    }

    /// When it has to be prolonged for the next time: half way.
    pub fn renew_at(&self) -> SystemTime {
        in_seconds(self.ttl_seconds / 2).into()
    }

    /// Prolongs what is held. Where the tenant does not take it now, it is to be tried again soon, as long as it lives.
    ///
    /// # Errors
    /// It ends soon or has ended, for the reason given.
    pub async fn renew(
        &self,
        reach: &Reach,
        stop: &CancellationToken,
        held: &dyn Held,
    ) -> Result<Renewed, Diagnostics> {
        let mut next = self.clone();
        let end = next.start();
        let attempt = tokio::time::timeout(RENEW, self.prolong(reach, stop, held, end)).await;
        match attempt.unwrap_or_else(|_| Attempt::NotNow(too_slow(&self.tenant, RENEW))) {
            Attempt::Prolonged => {
                tracing::info!(tenant = self.tenant, held = held.subject(), "prolonged");
                let again = Some(next.renew_at());
                Ok(Renewed { term: next, again })
            }
            Attempt::Gone => Ok(Renewed { term: self.clone(), again: None }),
            Attempt::Ended(why) => Err(lapse(held, &why)),
            Attempt::NotNow(why) => {
                let left = u64::try_from(self.ends.saturating_sub(Timestamp::now().as_second())).unwrap_or(0);
                if left <= RENEW.as_secs() {
                    return Err(lapse(held, &why));
                }
                tracing::warn!(tenant = self.tenant, held = held.subject(), why, left, "not prolonged yet");
                Ok(Renewed { term: self.clone(), again: Some(in_seconds((left / 4).max(1)).into()) })
            }
        }
    }

    async fn prolong(&self, reach: &Reach, stop: &CancellationToken, held: &dyn Held, end: Timestamp) -> Attempt {
        let Ok(object) = reference::parse(&self.tenant) else { return Attempt::Gone };
        let operation = Operation::new(RENEW, stop).patience(RENEW);
        match self.found(reach.look(&operation, &object).await) {
            None => Attempt::Gone,
            Some(Err(why)) => Attempt::NotNow(why),
            Some(Ok(tenant)) => match held.prolong(&tenant, &operation, end).await {
                Ok(()) => Attempt::Prolonged,
                Err(ApiError::NotFound(_) | ApiError::Conflict { .. } | ApiError::Invalid(_)) => {
                    Attempt::Ended(format!("Somebody has removed it from {object}."))
                }
                Err(error) => Attempt::NotNow(format!("{error}.")),
            },
        }
    }

    /// The tenant, or why it cannot be asked; [`None`] if it is gone, or going, or another one under its name: what was
    /// held in it died with it.
    fn found(&self, looked: Result<Sight, Diagnostic>) -> Option<Result<Box<Tenant>, String>> {
        let is_another = |live| is_another(&self.tenant_uid, View::new(live).uid());
        match looked {
            Ok(Sight::Missing) => None,
            Ok(Sight::Silent(Silence { live, .. })) if is_another(&live) || View::new(&live).deleting() => None,
            Ok(Sight::Silent(silence)) => Some(Err(silence.why)),
            Ok(Sight::Answers(tenant)) => (!is_another(&tenant.live)).then_some(Ok(tenant)),
            Err(diagnostic) => Some(Err(diagnostic.detail)),
        }
    }

    /// Ends what is held. A tenant that cannot be asked is worth a warning: it ends by itself.
    pub async fn close(&self, reach: &Reach, stop: &CancellationToken, held: &dyn Held) -> Diagnostics {
        let Ok(object) = reference::parse(&self.tenant) else { return Diagnostics::new() };
        // The interrupt that ends the run must not end this as well.
        let operation = Operation::new(CLOSE, &CancellationToken::new()).patience(CLOSE);
        let ending = async {
            match self.found(reach.seek(&operation, &object, For::Api).await) {
                None => Ok(()),
                Some(tenant) => held.end(&*tenant?, &operation).await.map_err(|error| format!("{error}.")),
            }
        };
        let interrupted = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let ended = tokio::select! {
            biased;
            ended = ending => ended,
            () = interrupted => Err("Terraform was interrupted.".to_owned()),
            () = tokio::time::sleep(CLOSE) => Err(too_slow(&self.tenant, CLOSE)),
        };
        let Err(why) = ended else { return Diagnostics::new() };
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

fn too_slow(tenant: &str, limit: Duration) -> String {
    format!("{tenant} did not answer within {} seconds.", limit.as_secs())
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

#[cfg(test)]
mod tests;
