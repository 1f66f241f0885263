//! When the process ends: asked to, or because nobody is left to serve.

use std::time::Duration;

use tokio::sync::watch;

/// How long the answer to `Shutdown` has to reach the client. The client closes the connection when it has the answer,
/// and waits for the process to end; its streams stay open, so waiting for them would take until it kills.
const TIME_FOR_THE_ANSWER: Duration = Duration::from_millis(50);

/// How long there may be no connection before the client counts as gone.
const TIME_TO_RECONNECT: Duration = Duration::from_secs(5);

/// How often the parent is looked at.
#[cfg(unix)]
const PARENT_INTERVAL: Duration = Duration::from_secs(1);

/// Returns when the client has closed its connections, and at the latest after [`TIME_FOR_THE_ANSWER`].
pub(super) async fn answered(mut open: watch::Receiver<usize>) {
    let _ = tokio::time::timeout(TIME_FOR_THE_ANSWER, open.wait_for(|open| *open == 0)).await;
}

/// The process that started this one, by its id; Windows does not tell that it is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent(#[cfg(unix)] u32);

/// Who the parent is now.
pub(super) fn parent() -> Parent {
    Parent(
        #[cfg(unix)]
        std::os::unix::process::parent_id(),
    )
}

/// Returns when nobody is left to serve, and says why.
///
/// A killed Terraform neither calls `Shutdown` nor takes the process with it. Either the parent changes, or, where a
/// wrapper stays between, the last connection closes and no other follows. `parent` is read before the handshake line is
/// written: a client may be gone right after it.
pub(super) async fn abandoned(parent: Parent, open: watch::Receiver<usize>) -> &'static str {
    tokio::select! {
        () = parent_gone(parent) => "the process that started the provider is gone",
        () = disconnected(open) => "the client has closed its last connection",
    }
}

#[cfg(windows)]
async fn parent_gone(_parent: Parent) {
    std::future::pending().await
}

#[cfg(unix)]
async fn parent_gone(Parent(parent): Parent) {
    let mut ticks = tokio::time::interval(PARENT_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while std::os::unix::process::parent_id() == parent {
        ticks.tick().await;
    }
}

async fn disconnected(mut open: watch::Receiver<usize>) {
    loop {
        // The sender lives as long as the server; without it there is no server to end.
        if open.wait_for(|open| *open > 0).await.is_err() || open.wait_for(|open| *open == 0).await.is_err() {
            return std::future::pending().await;
        }
        if tokio::time::timeout(TIME_TO_RECONNECT, open.wait_for(|open| *open > 0)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ends_within(limit: Duration, future: impl Future<Output = ()>) -> bool {
        tokio::time::timeout(limit, future).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_nobody_has_reached_yet_waits() {
        let open = watch::Sender::new(0);
        assert!(!ends_within(Duration::from_secs(3600), disconnected(open.subscribe())).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_connection_ends_the_process_five_seconds_later() {
        let open = watch::Sender::new(1);
        let mut end = std::pin::pin!(disconnected(open.subscribe()));
        assert!(!ends_within(Duration::from_secs(3600), &mut end).await, "a connection is open");
        open.send_replace(0);
        assert!(!ends_within(Duration::from_millis(4900), &mut end).await, "the client may reconnect");
        assert!(ends_within(Duration::from_millis(200), &mut end).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reconnects_is_served_on() {
        let open = watch::Sender::new(1);
        let mut end = std::pin::pin!(disconnected(open.subscribe()));
        open.send_replace(0);
        assert!(!ends_within(Duration::from_secs(4), &mut end).await);
        open.send_replace(1);
        assert!(!ends_within(Duration::from_secs(3600), &mut end).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_to_shutdown_is_waited_for_but_not_the_streams() {
        let open = watch::Sender::new(1);
        let start = tokio::time::Instant::now();
        answered(open.subscribe()).await;
        assert!(start.elapsed() >= TIME_FOR_THE_ANSWER);
        open.send_replace(0);
        let start = tokio::time::Instant::now();
        answered(open.subscribe()).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn another_parent_means_that_the_first_is_gone() {
        let Parent(id) = parent();
        assert!(!ends_within(Duration::from_secs(60), parent_gone(Parent(id))).await);
        assert!(ends_within(Duration::ZERO, parent_gone(Parent(id + 1))).await);
    }
}
