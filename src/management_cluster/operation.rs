//! What bounds the requests of one operation: its deadline, the user's interrupt, and how long it waits for an API that
//! does not answer.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::traffic::Waiting;

/// How long one request is tried again while the API server cannot be reached, if the operation says nothing else.
///
/// Long enough for a restart of an API server or of Kamaji's webhook; short enough that a wrong address is not waited
/// for until a deadline of half an hour.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same for a refresh and for data sources: a restart is waited for, a wrong address is not.
pub const REFRESH_PATIENCE: Duration = Duration::from_secs(10);

/// The bounds of one operation; every request and every wait takes it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Operation {
    /// When the operation must have ended.
    pub deadline: Instant,
    /// Cancelled when the user interrupts.
    pub stop: CancellationToken,
    /// The longest time during which one request is tried again.
    pub patience: Duration,
}

impl Operation {
    /// An operation that may take `limit` from now.
    pub fn new(limit: Duration, stop: &CancellationToken) -> Self {
        let now = Instant::now();
        // A limit beyond what a clock can say is no limit.
        let deadline = now.checked_add(limit).unwrap_or_else(|| now + Duration::from_secs(365 * 24 * 3600));
        Self { deadline, stop: stop.clone(), patience: PATIENCE }
    }

    /// The same, trying a request that gets no answer for no longer than this.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same with at least so much time left: for what is asked last, and says why the time is over.
    #[must_use]
    pub fn at_least(&self, time: Duration) -> Self {
        let least = Self::new(time, &self.stop).deadline;
        Self { deadline: self.deadline.max(least), ..self.clone() }
    }

    /// The time that is left; zero when it is over.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Lets so much time pass before something is asked again. False, and at once, if the user interrupts meanwhile.
    pub async fn pause(&self, time: Duration) -> bool {
        let _waiting = Waiting::begin();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }

    /// True if the user has interrupted.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rest_shrinks_to_zero_and_not_below() {
        let operation = Operation::new(Duration::from_secs(10), &CancellationToken::new());
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(operation.remaining(), Duration::from_secs(6));
        assert_eq!(operation.at_least(Duration::from_secs(5)).remaining(), Duration::from_secs(6));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(operation.remaining(), Duration::ZERO);
        assert_eq!(operation.at_least(Duration::from_secs(5)).remaining(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_lasts_its_time_and_ends_with_an_interrupt() {
        let stop = CancellationToken::new();
        let operation = Operation::new(Duration::from_secs(60), &stop);
        let begin = Instant::now();
        assert!(operation.pause(Duration::from_secs(2)).await);
        assert_eq!(begin.elapsed(), Duration::from_secs(2));
        stop.cancel();
        assert!(!operation.pause(Duration::from_secs(2)).await);
        assert_eq!(begin.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test]
    async fn an_absurd_limit_is_no_panic() {
        assert!(Operation::new(Duration::MAX, &CancellationToken::new()).remaining() > Duration::from_secs(24 * 3600));
    }
}
