//! What becomes of a token: its end, who ended it, and what an apply does about it.
//!
//! The clock is read in a refresh alone. A plan looks at what the refresh stored: core plans twice and compares.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tfplugin::Value;

use super::schema;
use crate::kamaji::duration;

/// What is done about a token that ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing.
    #[default]
    Never,
    /// The same token lives longer.
    Extend,
    /// Another token.
    Rotate,
}

impl Policy {
    /// Their names in a configuration.
    pub const WORDS: &'static [&'static str] = &["never", "extend", "rotate"];

    /// The policy of a join; what is not known is the default.
    pub fn of(value: &Value) -> Self {
        match value.str_at("renewal_policy") {
            Some("extend") => Self::Extend,
            Some("rotate") => Self::Rotate,
            _ => Self::Never,
        }
    }
}

/// What a refresh found of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Machines can join with it.
    Valid,
    /// They can; it ends within `renew_before`.
    RenewalDue,
    /// It has ended.
    Expired,
    /// Somebody removed it before its end.
    Revoked,
}

impl Status {
    /// As the attribute says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::RenewalDue => "renewal_due",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// What the state says.
    pub fn of(state: &Value) -> Self {
        match state.str_at("status") {
            Some("renewal_due") => Self::RenewalDue,
            Some("expired") => Self::Expired,
            Some("revoked") => Self::Revoked,
            _ => Self::Valid,
        }
    }

    /// By the clock, of a token that nobody has removed.
    pub fn at(now: Timestamp, expiration: Option<Timestamp>, renew_before: Duration) -> Self {
        let Some(end) = expiration else { return Self::Valid };
        let ahead = SignedDuration::try_from(renew_before).ok().and_then(|ahead| now.checked_add(ahead).ok());
        if end <= now {
            Self::Expired
        } else if ahead.is_none_or(|ahead| end <= ahead) {
            Self::RenewalDue
        } else {
            Self::Valid
        }
    }

    /// True if the token ends, and so is to be renewed if that is wanted.
    pub fn is_due(self) -> bool {
        matches!(self, Self::RenewalDue | Self::Expired)
    }
}

/// The configured time to live, or the default; [`None`] if it is unknown.
pub(super) fn ttl(value: &Value) -> Option<Duration> {
    match value.get("ttl") {
        Value::Unknown => None,
        given => duration::parse(given.as_str().unwrap_or(schema::TTL)).ok(),
    }
}

/// How long before its end a token is renewed.
pub(super) fn renew_before(value: &Value) -> Duration {
    value.str_at("renew_before").and_then(|text| duration::parse(text).ok()).unwrap_or_default()
}

/// True if the token and what holds it are kept in the state.
pub(super) fn stores(value: &Value) -> bool {
    value.get("store_secret").as_bool() != Some(false) && value.get("token_wo_version").is_null()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some(3_600), 0, Status::Valid)]
    #[case(Some(3_600), 3_600, Status::RenewalDue)]
    #[case(Some(3_600), 60, Status::Valid)]
    #[case(Some(0), 0, Status::Expired)]
    #[case(Some(-1), 60, Status::Expired)]
    #[case(None, 60, Status::Valid)]
    fn a_token_ends_by_the_clock(#[case] left: Option<i64>, #[case] renew_before: u64, #[case] status: Status) {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let end = left.map(|left| now.checked_add(SignedDuration::from_secs(left)).unwrap());
        assert_eq!(Status::at(now, end, Duration::from_secs(renew_before)), status);
    }

    #[test]
    fn a_status_is_known_by_its_word() {
        for status in [Status::Valid, Status::RenewalDue, Status::Expired, Status::Revoked] {
            assert_eq!(Status::of(&Value::object([("status", Value::from(status.word()))])), status);
        }
    }
}
