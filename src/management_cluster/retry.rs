//! When a request is sent again, and after how long: the only delays in the provider.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// Whether a failed request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The answer will be the same.
    Never,
    /// The request may have been carried out: only if carrying it out twice is the same as once.
    IfIdempotent,
    /// The request was certainly not carried out.
    Always,
}

/// The delays between attempts: doubling from 200 ms to 10 s, each drawn from its upper half, so that many resources
/// that failed together do not come back together.
#[derive(Clone, Debug, Default)]
pub struct Delays {
    attempt: u32,
}

impl Delays {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(10);
    /// A server that asks for more is asked again earlier: the operation's own deadline decides, not a header.
    const LONGEST_ASKED_FOR: Duration = Duration::from_secs(30);

    /// The delay before the next attempt. `asked_for` is the server's `Retry-After`; it is never undercut, but bounded.
    pub fn next_after(&mut self, asked_for: Option<Duration>) -> Duration {
        let own = Self::delay(self.attempt, fastrand::f64());
        self.attempt = self.attempt.saturating_add(1);
        asked_for.map_or(own, |asked| own.max(asked.min(Self::LONGEST_ASKED_FOR)))
    }

    /// `jitter` is in 0..1.
    fn delay(attempt: u32, jitter: f64) -> Duration {
        let whole = Self::FIRST.saturating_mul(2_u32.saturating_pow(attempt)).min(Self::LONGEST);
        whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.next_after(None))
    }
}

impl Backoff for Delays {
    fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn delays_stay_between_half_and_whole(attempt in 0_u32..1000, jitter in 0.0_f64..1.0) {
            let delay = Delays::delay(attempt, jitter);
            proptest::prop_assert!(delay >= Delays::FIRST / 2);
            proptest::prop_assert!(delay <= Delays::LONGEST);
        }

        #[test]
        fn the_next_delay_is_never_shorter_than_half_the_one_before(attempt in 0_u32..20, a in 0.0_f64..1.0, b in 0.0_f64..1.0) {
            proptest::prop_assert!(Delays::delay(attempt + 1, b) >= Delays::delay(attempt, a) / 2);
        }
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_for_hours() {
        let mut delays = Delays::default();
        assert!(delays.next_after(Some(Duration::from_secs(3))) >= Duration::from_secs(3));
        assert_eq!(delays.next_after(Some(Duration::from_secs(7200))), Delays::LONGEST_ASKED_FOR);
        assert!(delays.next_after(Some(Duration::ZERO)) >= Duration::from_millis(400));
    }
}
