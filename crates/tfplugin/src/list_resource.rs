//! List resources: which objects of a kind there are, for `terraform query`.

use async_trait::async_trait;
use futures::{Stream, stream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::resource::Context;
use crate::schema::Schema;
use crate::value::Value;

/// How many results wait for a client that reads slowly, before the listing waits for it.
const AHEAD: usize = 8;

/// What is to be listed.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// The content of the `config` block, wholly known; all null without one.
    pub config: Value,
    /// Whether the objects are wanted, or only their identities.
    pub include_object: bool,
    /// The largest number of results that is wanted; [`None`] for all. The framework stops the listing there: it is for
    /// those who ask for no more than that.
    pub limit: Option<u64>,
}

/// One object that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its name for people.
    pub display_name: String,
    /// The attributes of its identity.
    pub identity: Value,
    /// The object as a read after an import returns it; [`None`] if it is not wanted.
    pub object: Option<Value>,
    /// Warnings about it. An error would end the whole query.
    pub diagnostics: Diagnostics,
}

/// What a listing says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// An object.
    Found(Box<Listed>),
    /// Something about the listing as a whole. After an error nothing comes.
    Problem(Diagnostics),
}

/// A kind of object that can be listed: that of the managed resource of the same type name, which needs an identity.
#[async_trait]
pub trait ListResource: Send + Sync {
    /// The full type name, which is that of the managed resource.
    fn type_name(&self) -> &'static str;

    /// The content of the `config` block.
    fn schema(&self) -> &Schema;

    /// Rules across attributes; makes no request. Anything may be unknown.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    /// Finds objects and hands each to [`Results::push`], in the order in which they are shown. Has no side effects: it is
    /// dropped, wherever it waits, when no more is wanted.
    async fn list(&self, cx: &Context, request: ListRequest, results: &mut Results) -> Result<(), Diagnostics>;
}

/// Where a listing puts what it finds.
#[derive(Debug)]
pub struct Results {
    sender: Sender<Said>,
    left: Option<u64>,
    /// Cancelled when nothing more is wanted.
    enough: CancellationToken,
}

impl Results {
    /// How many results are still wanted; [`None`] without a limit.
    pub fn left(&self) -> Option<u64> {
        self.left
    }

    /// One more object. Waits for a client that reads slowly; does not return if no more is wanted.
    pub async fn push(&mut self, listed: Listed) {
        self.say(Said::Found(Box::new(listed))).await;
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.left == Some(0) {
            self.enough.cancel();
            std::future::pending::<()>().await;
        }
    }

    /// Warnings about the listing as a whole.
    pub async fn warn(&mut self, diagnostics: Diagnostics) {
        if !diagnostics.is_empty() {
            self.say(Said::Problem(diagnostics)).await;
        }
    }

    async fn say(&self, said: Said) {
        if self.sender.send(said).await.is_err() {
            // The client is gone.
            self.enough.cancel();
            std::future::pending::<()>().await;
        }
    }
}

/// A listing that runs: what `work` finds, as it comes, `limit` objects at most. The work is dropped at the limit, when
/// `stop` is cancelled, and with the stream.
///
/// A panic of the work is passed on as the [`tokio::task::JoinError`] that it ends with.
pub fn listing<F>(
    limit: Option<u64>,
    stop: CancellationToken,
    work: impl FnOnce(Results) -> F,
) -> impl Stream<Item = Result<Said, tokio::task::JoinError>> + Send
where
    F: Future<Output = Result<(), Diagnostics>> + Send + 'static,
{
    let (sender, receiver) = channel(AHEAD);
    let enough = CancellationToken::new();
    let work = work(Results { sender: sender.clone(), left: limit, enough: enough.clone() });
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let ended = tokio::select! {
            biased;
            () = enough.cancelled() => Ok(()),
            () = stop.cancelled() => Err(interrupted()),
            ended = work => ended,
        };
        if let Err(diagnostics) = ended {
            // Without a client nobody wants to know.
            let _ = sender.send(Said::Problem(diagnostics)).await;
        }
    });
    stream::unfold(Running { receiver, tasks }, Running::next)
}

fn interrupted() -> Diagnostics {
    Diagnostic::error("Listing interrupted", "The listing was interrupted, so not all objects are shown. Run it again.")
        .into()
}

/// The task is aborted when this is dropped.
struct Running {
    receiver: Receiver<Said>,
    tasks: JoinSet<()>,
}

impl Running {
    async fn next(mut self) -> Option<(Result<Said, tokio::task::JoinError>, Self)> {
        if let Some(said) = self.receiver.recv().await {
            return Some((Ok(said), self));
        }
        match self.tasks.join_next().await? {
            Ok(()) => None,
            Err(error) => Some((Err(error), self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::StreamExt as _;

    use super::*;

    fn listed(n: usize) -> Listed {
        let identity = Value::object([("name", Value::from(n.to_string()))]);
        Listed { display_name: n.to_string(), identity, object: None, diagnostics: Diagnostics::new() }
    }

    /// Pushes numbers for ever, counting those that were taken.
    async fn endless(mut results: Results, made: Arc<AtomicUsize>) -> Result<(), Diagnostics> {
        loop {
            results.push(listed(made.load(Ordering::SeqCst))).await;
            made.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Notes that the work was dropped.
    struct Dropped(CancellationToken);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }

    async fn names(stream: impl Stream<Item = Result<Said, tokio::task::JoinError>>) -> Vec<String> {
        let name = |said: Result<Said, tokio::task::JoinError>| match said {
            Ok(Said::Found(listed)) => listed.display_name,
            Ok(Said::Problem(problem)) => problem.iter().map(|it| it.summary.clone()).collect(),
            Err(error) => error.to_string(),
        };
        stream.map(name).collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_ends_the_work() {
        let made = Arc::new(AtomicUsize::new(0));
        let stream = listing(Some(3), CancellationToken::new(), |results| endless(results, Arc::clone(&made)));
        assert_eq!(names(stream).await, ["0", "1", "2"]);
        assert_eq!(made.load(Ordering::SeqCst), 2, "the last push does not return");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_is_waited_for() {
        let made = Arc::new(AtomicUsize::new(0));
        let stream = listing(None, CancellationToken::new(), |results| endless(results, Arc::clone(&made)));
        tokio::pin!(stream);
        stream.next().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(made.load(Ordering::SeqCst) <= AHEAD + 1, "{made:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_stream_drops_the_work() {
        let dropped = CancellationToken::new();
        let guard = Dropped(dropped.clone());
        let stream = listing(None, CancellationToken::new(), |mut results| async move {
            let _guard = guard;
            results.push(listed(0)).await;
            std::future::pending().await
        });
        let mut stream = Box::pin(stream);
        stream.next().await;
        drop(stream);
        dropped.cancelled().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupt_is_an_error_and_the_end() {
        let stop = CancellationToken::new();
        let stream = listing(None, stop.clone(), |mut results| async move {
            results.push(listed(0)).await;
            std::future::pending().await
        });
        tokio::pin!(stream);
        stream.next().await;
        stop.cancel();
        assert_eq!(names(stream).await, ["Listing interrupted"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_before_a_failure_is_shown() {
        let stream = listing(None, CancellationToken::new(), |mut results| async move {
            results.push(listed(0)).await;
            results.warn(Diagnostic::warning("careful", "").into()).await;
            Err(Diagnostic::error("broken", "").into())
        });
        assert_eq!(names(stream).await, ["0", "careful", "broken"]);
    }
}
