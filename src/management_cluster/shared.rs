//! Reads that share a list: a refresh of a thousand objects costs the API server two pages, not a thousand requests.
//!
//! Terraform refreshes each object by itself, ten at a time, and never says how many will come. So the list is switched
//! on by evidence. The first [`SINGLE`] reads of a kind in a namespace are ordinary reads; the next one fetches a page of
//! [`PAGE`] objects, and the reads that arrive meanwhile wait for it. After that no more than [`PER_READ`] objects are
//! listed for each read that has arrived: three control planes among five thousand cost one page, not ten. What the pages
//! do not show is read by itself, so that nothing is taken for deleted because a list lacks it. Reads that scatter over
//! more than [`NAMESPACES`] namespaces share one list over all namespaces.
//!
//! A shared answer is at most [`FRESH`] old, as if the refresh had come to this object a little earlier, and never older
//! than a write of this process: what was written here is read by itself from then on. Without the right to list,
//! reads go on one by one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kube::api::{DynamicObject, ListParams};
use kube::core::Request;
use serde::Deserialize;
use tokio::time::Instant;

use super::classify::Asked;
use super::client::{ManagementCluster, checked, unreadable, unsendable};
use super::error::ApiError;
use super::kind::{Kind, ObjectRef};
use super::operation::Operation;
use super::pages::{self, List};
use super::transport::Call;

/// Reads of a kind in a namespace before they share anything. A plan of one or two objects lists nothing.
const SINGLE: usize = 2;
/// Objects in a page.
const PAGE: usize = pages::PAGE as usize;
/// Objects that may be listed for each read that has arrived, beyond the first page.
const PER_READ: usize = 100;
/// Namespaces that are read, or listed, one by one.
const NAMESPACES: usize = 4;
/// How long the objects of a list may be used, from its first request on. Terraform itself takes 10 s and more for a
/// thousand objects, and reads them at any time within; nothing is written in that walk.
const FRESH: Duration = Duration::from_secs(60);
/// How long after a failure to reach the API server reads do not try again: the tries were made already.
const FAILED: Duration = Duration::from_secs(30);

/// What the reads of one management cluster share.
#[derive(Default)]
pub(super) struct Shared {
    kinds: Mutex<HashMap<Kind, Scopes>>,
    /// What this process has written, or tried to.
    written: Mutex<HashSet<(Kind, Option<String>, String)>>,
}

/// The lists of a kind.
#[derive(Default)]
struct Scopes {
    everywhere: Arc<Scope>,
    namespaces: HashMap<Option<String>, Arc<Scope>>,
}

/// One list and the reads that it may answer.
#[derive(Default)]
struct Scope {
    namespace: Option<String>,
    reads: AtomicUsize,
    /// Held while a page is fetched.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// True if the API server does not list this for us.
    refused: bool,
    listed: Option<Listed>,
    failed: Option<(Instant, ApiError)>,
}

/// The pages so far, each object as the text of its JSON: parsed, they would take several times the space.
struct Listed {
    began: Instant,
    objects: HashMap<String, Bytes>,
    /// The key of the last object. Lists are in the order of keys; nothing but the number of requests depends on it.
    last: String,
    next: Option<String>,
}

/// What is known of an object without a request.
enum Known {
    Found(Bytes),
    /// To be read by itself.
    Apart,
    /// The API server could not be reached while this read waited.
    Failed(ApiError),
    /// A page more would help, and the reads so far are worth it.
    NextPage,
}

impl ManagementCluster {
    /// Reads an object for a refresh, together with other reads where that saves requests. The answer may be
    /// [`FRESH`] old, but shows everything that this process has written.
    pub async fn get_shared(
        &self,
        operation: &Operation,
        object: &ObjectRef,
    ) -> Result<Option<DynamicObject>, ApiError> {
        let scope = self.shared().scope_of(object);
        let key = key_of(object.namespace.as_deref().filter(|_| scope.namespace.is_none()), &object.name);
        let arrived = Instant::now();
        loop {
            if self.shared().was_written(object) {
                return self.get(operation, object).await;
            }
            match scope.known(&key, arrived) {
                Known::Found(text) => {
                    // A write may have begun since; then the text may be older than it.
                    if let (Ok(found), false) = (serde_json::from_slice(&text), self.shared().was_written(object)) {
                        return Ok(Some(found));
                    }
                    return self.get(operation, object).await;
                }
                Known::Failed(error) => return Err(error),
                Known::Apart => return self.get_apart(operation, object, &scope).await,
                Known::NextPage => {}
            }
            let _turn = tokio::select! {
                biased;
                () = operation.stop.cancelled() => return Err(ApiError::Stopped { sent: false }),
                () = tokio::time::sleep_until(operation.deadline) => {
                    return Err(ApiError::DeadlineExceeded { last: None });
                }
                turn = scope.turn.lock() => turn,
            };
            // Whoever had the turn before may have fetched what is wanted.
            if matches!(scope.known(&key, arrived), Known::NextPage) {
                self.next_page(operation, object.kind, &scope).await?;
            }
        }
    }

    /// Remembers that an object may not be as it was.
    pub(super) fn touched(&self, asked: &Asked) {
        let object = (asked.kind, asked.namespace.clone(), asked.name.clone());
        lock(&self.shared().written).insert(object);
    }

    async fn get_apart(
        &self,
        operation: &Operation,
        object: &ObjectRef,
        scope: &Scope,
    ) -> Result<Option<DynamicObject>, ApiError> {
        let operation = scope.patience_of(operation);
        let answer = self.get(&operation, object).await;
        match &answer {
            Ok(_) => lock(&scope.state).failed = None,
            Err(error) => scope.remember(error),
        }
        answer
    }

    /// Fetches the next page, or the first one of a new list.
    async fn next_page(&self, operation: &Operation, kind: Kind, scope: &Scope) -> Result<(), ApiError> {
        let began = Instant::now();
        let next = lock(&scope.state).fresh(began).and_then(|listed| listed.next.clone());
        let operation = scope.patience_of(operation);
        match self.page(&operation, kind, scope, next.as_deref()).await {
            Ok((text, page)) => lock(&scope.state).add(&text, page, began, next.is_some()),
            Err(error @ (ApiError::Stopped { .. } | ApiError::DeadlineExceeded { .. })) => return Err(error),
            Err(error) if is_everybodys(&error) => {
                scope.remember(&error);
                return Err(error);
            }
            // No right to list, a proxy that cannot, a snapshot that is gone: one by one.
            Err(error) => {
                tracing::info!(%kind, namespace = scope.namespace, %error, "reads cannot share a list");
                lock(&scope.state).refused = true;
            }
        }
        Ok(())
    }

    /// One page: its text, and where the objects are in it.
    async fn page(
        &self,
        operation: &Operation,
        kind: Kind,
        scope: &Scope,
        next: Option<&str>,
    ) -> Result<(Bytes, Page), ApiError> {
        let namespace = checked(scope.namespace.as_deref())?;
        let limit = Some(pages::PAGE);
        // Without a resourceVersion: the newest state, and the further pages of the same one.
        let parameters = ListParams { limit, continue_token: next.map(str::to_owned), ..ListParams::default() };
        let request = Request::new(kind.url_path(namespace)).list(&parameters).map_err(unsendable)?;
        let asked = Asked { kind, namespace: namespace.map(str::to_owned), name: String::new() };
        let answer = self.exchange(operation, &Call { asked, request, idempotent: true }).await?;
        let page = Page::read(&answer.body, namespace.is_none()).map_err(|error| unreadable(&error))?;
        Ok((answer.body, page))
    }
}

impl Shared {
    /// The list that may answer a read of this object; the read counts as evidence.
    fn scope_of(&self, object: &ObjectRef) -> Arc<Scope> {
        let mut kinds = lock(&self.kinds);
        let Scopes { everywhere, namespaces } = kinds.entry(object.kind).or_default();
        let own = namespaces
            .entry(object.namespace.clone())
            .or_insert_with(|| Arc::new(Scope { namespace: object.namespace.clone(), ..Scope::default() }));
        let own = Arc::clone(own);
        own.reads.fetch_add(1, Ordering::Relaxed);
        everywhere.reads.fetch_add(1, Ordering::Relaxed);
        let scattered = namespaces.len() > NAMESPACES;
        let wide = scattered && lock(&own.state).listed.is_none() && !lock(&everywhere.state).refused;
        if wide { Arc::clone(everywhere) } else { own }
    }

    fn was_written(&self, object: &ObjectRef) -> bool {
        let written = lock(&self.written);
        !written.is_empty() && written.contains(&(object.kind, object.namespace.clone(), object.name.clone()))
    }
}

impl Scope {
    fn known(&self, key: &str, arrived: Instant) -> Known {
        let reads = self.reads.load(Ordering::Relaxed);
        let state = lock(&self.state);
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at >= arrived) {
            return Known::Failed(error.clone());
        }
        if state.refused {
            return Known::Apart;
        }
        match state.fresh(arrived) {
            None if reads > SINGLE => Known::NextPage,
            None => Known::Apart,
            Some(listed) => match listed.objects.get(key) {
                Some(text) => Known::Found(text.clone()),
                None if key > listed.last.as_str() && listed.is_worth_more(reads) => Known::NextPage,
                None => Known::Apart,
            },
        }
    }

    /// A failure that every other read would meet too.
    fn remember(&self, error: &ApiError) {
        if is_everybodys(error) {
            lock(&self.state).failed = Some((Instant::now(), error.clone()));
        }
    }

    /// No second round of tries for an API server that was given up a moment ago.
    fn patience_of(&self, operation: &Operation) -> Operation {
        let failed = lock(&self.state).failed.as_ref().is_some_and(|(at, _)| at.elapsed() < FAILED);
        if failed { operation.clone().patience(Duration::ZERO) } else { operation.clone() }
    }
}

impl State {
    /// The list, unless it is too old for a read that arrived then.
    fn fresh(&self, arrived: Instant) -> Option<&Listed> {
        self.listed.as_ref().filter(|listed| arrived.saturating_duration_since(listed.began) <= FRESH)
    }

    fn add(&mut self, text: &Bytes, page: Page, began: Instant, continued: bool) {
        self.failed = None;
        let mut listed = self.listed.take().filter(|_| continued).unwrap_or_else(|| Listed {
            began,
            objects: HashMap::new(),
            last: String::new(),
            next: None,
        });
        if let Some((key, _)) = page.objects.last() {
            listed.last.clone_from(key);
        }
        listed.objects.extend(page.objects.into_iter().map(|(key, place)| (key, text.slice(place))));
        listed.next = page.next;
        self.listed = Some(listed);
    }
}

impl Listed {
    fn is_worth_more(&self, reads: usize) -> bool {
        self.next.is_some() && self.objects.len() + PAGE <= reads.saturating_mul(PER_READ)
    }
}

/// Where the objects of a page are in its text, in the order of the list.
struct Page {
    objects: Vec<(String, std::ops::Range<usize>)>,
    next: Option<String>,
}

impl Page {
    fn read(text: &Bytes, everywhere: bool) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Item {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        struct Metadata {
            #[serde(default)]
            namespace: Option<String>,
            name: String,
        }
        let list: List<'_> = serde_json::from_slice(text)?;
        let mut objects = Vec::with_capacity(list.items.len());
        for item in list.items {
            let Item { metadata } = serde_json::from_str(item.get())?;
            let start = (item.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            let key = key_of(metadata.namespace.as_deref().filter(|_| everywhere), &metadata.name);
            objects.push((key, start..start + item.get().len()));
        }
        Ok(Self { objects, next: Some(list.metadata.next).filter(|next| !next.is_empty()) })
    }
}

/// The key in the order of the API server's storage: `namespace/name`, within a namespace the name alone.
fn key_of(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

/// True if the failure is the API server's or the credentials', not this request's.
fn is_everybodys(error: &ApiError) -> bool {
    error.is_unreachable()
        || matches!(
            error,
            ApiError::Tls { .. }
                | ApiError::Credentials(_)
                | ApiError::Unauthorized { .. }
                | ApiError::Throttled { .. }
                | ApiError::Unavailable { .. }
        )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
