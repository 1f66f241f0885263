//! Waiting for objects: a watch with an error policy of its own, or polling where the right to watch is missing.
//!
//! kube's watcher takes every error as worth another try, also a missing right or a missing CRD, and never ends. Here a
//! wait ends: with the predicate, the user's interrupt, the deadline, or an error that waiting cannot cure.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt as _;
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::{Instrument as _, Span};

use super::classify::{Asked, classify_status};
use super::client::ManagementCluster;
use super::error::ApiError;
use super::kind::{Kind, ObjectRef};
use super::operation::Operation;
use super::retry::{Again, Delays};
use super::traffic::Waiting;
use super::transport::from_transport;

/// How often objects are read where they cannot be watched.
const POLL: Duration = Duration::from_secs(2);
/// How long one watch request lasts. A connection that died silently is noticed 5 s after it.
const WATCH_SECONDS: u32 = 60;

/// A wait that ended before its predicate was content.
#[derive(Clone, Debug)]
pub struct WaitEnded {
    /// Why.
    pub reason: EndReason,
    /// The objects as they were last seen, by name.
    pub seen: BTreeMap<String, DynamicObject>,
}

impl WaitEnded {
    /// The object as it was last seen, where one was waited for.
    pub fn last(&self) -> Option<&DynamicObject> {
        self.seen.values().next()
    }
}

/// Why a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The user interrupted.
    Stopped,
    /// The deadline has passed; with the trouble that the watch was in, if it was.
    Timeout(Option<ApiError>),
    /// The API refuses in a way that waiting does not cure.
    Failed(ApiError),
}

/// Waits until the predicate returns something. It is called with the object whenever that may have changed, with
/// [`None`] while it does not exist, and every `tick` besides, for predicates that look at the clock.
pub async fn wait_until<T>(
    cluster: &ManagementCluster,
    operation: &Operation,
    object: &ObjectRef,
    tick: Option<Duration>,
    mut predicate: impl FnMut(Option<&DynamicObject>) -> Option<T>,
) -> Result<T, WaitEnded> {
    let scope = Scope { kind: object.kind, namespace: object.namespace.as_deref(), what: What::Named(object) };
    scope.wait(cluster, operation, tick, |seen| predicate(seen.values().next())).await
}

/// The same for all objects of a kind that a label selector chooses, in a namespace or in all; empty chooses all. The
/// predicate gets them by name, from all namespaces by `namespace/name`.
pub async fn wait_until_selected<T>(
    cluster: &ManagementCluster,
    operation: &Operation,
    kind: Kind,
    namespace: Option<&str>,
    labels: &str,
    tick: Option<Duration>,
    predicate: impl FnMut(&BTreeMap<String, DynamicObject>) -> Option<T>,
) -> Result<T, WaitEnded> {
    let scope = Scope { kind, namespace, what: What::Labelled(labels) };
    scope.wait(cluster, operation, tick, predicate).await
}

/// The same for all objects of a kind, from all namespaces, that a field selector chooses: `spec.nodeName=a` for Pods.
pub async fn wait_until_chosen<T>(
    cluster: &ManagementCluster,
    operation: &Operation,
    kind: Kind,
    fields: &str,
    tick: Option<Duration>,
    predicate: impl FnMut(&BTreeMap<String, DynamicObject>) -> Option<T>,
) -> Result<T, WaitEnded> {
    let scope = Scope { kind, namespace: None, what: What::Fields(fields) };
    scope.wait(cluster, operation, tick, predicate).await
}

struct Scope<'a> {
    kind: Kind,
    namespace: Option<&'a str>,
    what: What<'a>,
}

enum What<'a> {
    Named(&'a ObjectRef),
    Labelled(&'a str),
    Fields(&'a str),
}

/// What goes on after a watch could not.
enum Next<T> {
    Done(T),
    Again,
    Poll,
    End(EndReason),
}

impl Scope<'_> {
    async fn wait<T>(
        &self,
        cluster: &ManagementCluster,
        operation: &Operation,
        tick: Option<Duration>,
        predicate: impl FnMut(&BTreeMap<String, DynamicObject>) -> Option<T>,
    ) -> Result<T, WaitEnded> {
        self.wait_in_span(cluster, operation, tick, predicate).instrument(self.span()).await
    }

    /// What is waited for.
    fn span(&self) -> Span {
        let name = match self.what {
            What::Named(object) => Some(object.name.as_str()),
            What::Labelled(_) | What::Fields(_) => None,
        };
        tracing::debug_span!("wait", kind = %self.kind, namespace = self.namespace, name)
    }

    async fn wait_in_span<T>(
        &self,
        cluster: &ManagementCluster,
        operation: &Operation,
        tick: Option<Duration>,
        mut predicate: impl FnMut(&BTreeMap<String, DynamicObject>) -> Option<T>,
    ) -> Result<T, WaitEnded> {
        let _waiting = Waiting::begin();
        let mut seen = Seen { objects: BTreeMap::new(), complete: false, everywhere: self.is_everywhere() };
        let mut delays = Delays::default();
        loop {
            let reason = match self.watch(cluster, operation, tick, &mut seen, &mut predicate).await {
                Next::Done(done) => return Ok(done),
                Next::Again => {
                    tokio::select! {
                        () = operation.stop.cancelled() => {}
                        () = tokio::time::sleep(delays.next_after(None)) => {}
                    }
                    continue;
                }
                Next::End(reason) => reason,
                Next::Poll => {
                    tracing::info!(kind = %self.kind, "no right to watch; polling instead");
                    match self.poll(cluster, operation, tick, &mut seen, &mut predicate).await {
                        Ok(done) => return Ok(done),
                        Err(reason) => reason,
                    }
                }
            };
            return Err(WaitEnded { reason, seen: seen.objects });
        }
    }

    async fn watch<T>(
        &self,
        cluster: &ManagementCluster,
        operation: &Operation,
        tick: Option<Duration>,
        seen: &mut Seen,
        predicate: &mut impl FnMut(&BTreeMap<String, DynamicObject>) -> Option<T>,
    ) -> Next<T> {
        let (client, login) = tokio::select! {
            biased;
            () = operation.stop.cancelled() => return Next::End(EndReason::Stopped),
            client = timeout(operation.remaining(), cluster.client()) => match client {
                Err(_) => return Next::End(EndReason::Timeout(None)),
                Ok(Err(error)) => return Next::End(EndReason::Failed(error)),
                Ok(Ok(found)) => found,
            },
        };
        let stream = watcher(self.api(client), self.watcher_config()).backoff(Delays::default());
        tokio::pin!(stream);
        let mut ticks = Ticks::new(tick);
        let mut listing = BTreeMap::new();
        let mut trouble = None;
        loop {
            let event = tokio::select! {
                biased;
                () = operation.stop.cancelled() => return Next::End(EndReason::Stopped),
                () = tokio::time::sleep_until(operation.deadline) => return Next::End(EndReason::Timeout(trouble)),
                event = stream.try_next() => event,
                () = ticks.next() => {
                    if let Some(done) = seen.ask(predicate) {
                        return Next::Done(done);
                    }
                    continue;
                }
            };
            match event {
                Ok(Some(event)) => {
                    login.was_accepted();
                    trouble = None;
                    if seen.take(event, &mut listing)
                        && let Some(done) = seen.ask(predicate)
                    {
                        return Next::Done(done);
                    }
                }
                // The watcher never ends by itself.
                Ok(None) => return Next::Again,
                Err(error) => match self.judge(cluster, &error, seen.complete) {
                    Verdict::GoOn(error) => {
                        tracing::info!(kind = %self.kind, error = %error, "the watch is tried again");
                        trouble = Some(error);
                    }
                    Verdict::Relist => return Next::Again,
                    Verdict::Poll => return Next::Poll,
                    // A wait may outlast a token.
                    Verdict::Fail(ApiError::Unauthorized { .. }) if cluster.log_in_again(&login) => return Next::Again,
                    Verdict::Fail(error) => return Next::End(EndReason::Failed(error)),
                },
            }
        }
    }

    async fn poll<T>(
        &self,
        cluster: &ManagementCluster,
        operation: &Operation,
        tick: Option<Duration>,
        seen: &mut Seen,
        predicate: &mut impl FnMut(&BTreeMap<String, DynamicObject>) -> Option<T>,
    ) -> Result<T, EndReason> {
        let pause = tick.map_or(POLL, |tick| tick.clamp(Duration::from_millis(100), POLL));
        let mut trouble = None;
        // A tick asks again with what is known; the API is asked every POLL.
        let mut due = Instant::now();
        loop {
            if Instant::now() >= due {
                due = Instant::now() + POLL;
                match self.read(cluster, operation).await {
                    Ok(objects) => {
                        trouble = None;
                        *seen = Seen { objects, complete: true, everywhere: seen.everywhere };
                    }
                    Err(ApiError::Stopped { .. }) => return Err(EndReason::Stopped),
                    Err(ApiError::DeadlineExceeded { last }) => return Err(EndReason::Timeout(last.map(|e| *e))),
                    Err(error) if error.is_unreachable() || matches!(error, ApiError::Throttled { .. }) => {
                        trouble = Some(error);
                    }
                    Err(error) => return Err(EndReason::Failed(error)),
                }
            }
            if let Some(done) = seen.ask(predicate) {
                return Ok(done);
            }
            tokio::select! {
                biased;
                () = operation.stop.cancelled() => return Err(EndReason::Stopped),
                () = tokio::time::sleep_until(operation.deadline) => return Err(EndReason::Timeout(trouble)),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn read(
        &self,
        cluster: &ManagementCluster,
        operation: &Operation,
    ) -> Result<BTreeMap<String, DynamicObject>, ApiError> {
        let objects = match self.what {
            What::Named(object) => cluster.get(operation, object).await?.into_iter().collect(),
            What::Labelled(labels) => cluster.list(operation, self.kind, self.namespace, labels).await?,
            What::Fields(fields) => cluster.list_by_fields(operation, self.kind, fields).await?,
        };
        Ok(objects.into_iter().map(|object| (key(&object, self.is_everywhere()), object)).collect())
    }

    fn is_everywhere(&self) -> bool {
        self.namespace.is_none()
    }

    fn api(&self, client: kube::Client) -> Api<DynamicObject> {
        let resource = self.kind.api_resource();
        match self.namespace.filter(|_| self.kind.is_namespaced()) {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }

    fn watcher_config(&self) -> watcher::Config {
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        match self.what {
            What::Named(object) => config.fields(&format!("metadata.name={}", object.name)),
            What::Labelled("") => config,
            What::Labelled(labels) => config.labels(labels),
            What::Fields(fields) => config.fields(fields),
        }
    }

    /// `listed`: whether a list has succeeded before, so that the kind and the credentials are right in principle.
    fn judge(&self, cluster: &ManagementCluster, error: &watcher::Error, listed: bool) -> Verdict {
        let asked = Asked { kind: self.kind, namespace: self.namespace.map(str::to_owned), name: String::new() };
        let (error, again) = match error {
            // An event of the stream, which is opened again after it.
            watcher::Error::WatchError(status) => (classify_status(&asked, status).0, Again::Always),
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status)) => classify_status(&asked, status),
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => from_transport(cluster.host(), error),
            watcher::Error::NoResourceVersion => {
                let message = "an answer without metadata.resourceVersion".to_owned();
                (ApiError::Other { status: 200, message }, Again::Always)
            }
        };
        match error {
            ApiError::Other { status: 410, .. } => Verdict::Relist,
            ApiError::Forbidden { .. } => Verdict::Poll,
            ApiError::Other { status: 500.., .. } if listed => Verdict::GoOn(error),
            error if again == Again::Never => Verdict::Fail(error),
            error => Verdict::GoOn(error),
        }
    }
}

enum Verdict {
    GoOn(ApiError),
    Relist,
    Poll,
    Fail(ApiError),
}

struct Seen {
    objects: BTreeMap<String, DynamicObject>,
    /// True once all objects that exist have been seen.
    complete: bool,
    /// True if the objects come from all namespaces.
    everywhere: bool,
}

impl Seen {
    fn ask<T>(&self, predicate: &mut impl FnMut(&BTreeMap<String, DynamicObject>) -> Option<T>) -> Option<T> {
        if self.complete { predicate(&self.objects) } else { None }
    }

    /// True if the predicate should look.
    fn take(&mut self, event: watcher::Event<DynamicObject>, listing: &mut BTreeMap<String, DynamicObject>) -> bool {
        match event {
            watcher::Event::Init => listing.clear(),
            watcher::Event::InitApply(object) => {
                listing.insert(key(&object, self.everywhere), object);
            }
            watcher::Event::InitDone => {
                self.objects = std::mem::take(listing);
                self.complete = true;
                return true;
            }
            watcher::Event::Apply(object) => {
                self.objects.insert(key(&object, self.everywhere), object);
                return true;
            }
            watcher::Event::Delete(object) => {
                self.objects.remove(&key(&object, self.everywhere));
                return true;
            }
        }
        false
    }
}

/// The name; of one among all namespaces, `namespace/name`.
fn key(object: &DynamicObject, everywhere: bool) -> String {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    match object.metadata.namespace.as_deref().filter(|_| everywhere) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// Ticks, or none.
struct Ticks(Option<tokio::time::Interval>);

impl Ticks {
    fn new(every: Option<Duration>) -> Self {
        Self(every.map(|every| {
            let every = every.max(Duration::from_millis(1));
            let mut ticks = interval_at(Instant::now() + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(ticks) => {
                ticks.tick().await;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
