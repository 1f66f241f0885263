//! The wait: one watch of the control planes and one of their Deployments for each namespace, one judge for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kube::api::DynamicObject;
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Path};
use tokio::sync::Notify;

use super::{interrupted, lines};
use crate::kamaji::readiness::{Level, Progress, StabilityWindow, Verdict, Wanted, judge};
use crate::kamaji::tenant_control_plane::{NAME_LABEL, View};
use crate::managed_object::selectors::refused;
use crate::management_cluster::watch::{EndReason, wait_until, wait_until_selected};
use crate::management_cluster::{Kind, ManagementCluster, ObjectRef, Operation, json_of};

/// An object that nobody has touched for so long shows no old status any more: no stability window.
const QUIET: Duration = Duration::from_secs(300);
/// How long the judge sleeps when nothing changes.
const LONG: Duration = Duration::from_secs(60);

/// Which control planes are waited for.
pub(super) enum Choice {
    /// These, by id.
    Named(BTreeMap<String, ObjectRef>),
    /// All that a selector fits, in these namespaces or in all.
    Selected {
        /// [`None`] for all.
        namespaces: Option<Vec<String>>,
        /// Empty for everything.
        labels: String,
    },
}

/// One watch's part of the fleet.
#[derive(Clone)]
struct Scope {
    namespace: Option<String>,
    /// Where one control plane only is waited for.
    name: Option<String>,
    labels: String,
}

/// What the watches have seen.
#[derive(Default)]
struct Board {
    /// Control planes and Deployments, by `namespace/name`, of each scope.
    control_planes: Vec<Seen>,
    deployments: Vec<Seen>,
}

#[derive(Default)]
struct Seen {
    /// True once everything that exists has been seen.
    complete: bool,
    objects: BTreeMap<String, Object>,
}

struct Object {
    version: String,
    live: Json,
    quiet: bool,
}

/// A wait for many control planes.
pub(super) struct Fleet {
    choice: Choice,
    level: Level,
    board: Mutex<Board>,
    changed: Notify,
}

impl Fleet {
    pub(super) fn new(choice: Choice, level: Level) -> Self {
        Self { choice, level, board: Mutex::default(), changed: Notify::new() }
    }

    /// Waits until all are as far as wanted; they as they are then, by id.
    pub(super) async fn wait(
        &self,
        cluster: &ManagementCluster,
        operation: &Operation,
    ) -> Result<BTreeMap<String, Json>, Diagnostic> {
        let scopes = self.scopes();
        let mut watches: FuturesUnordered<BoxFuture<'_, EndReason>> = FuturesUnordered::new();
        {
            let mut board = self.board();
            for (index, scope) in scopes.iter().enumerate() {
                board.control_planes.push(Seen::default());
                board.deployments.push(Seen::default());
                watches.push(Box::pin(self.watch(cluster, operation, scope, index, Kind::TenantControlPlane)));
                if self.level >= Level::Ready {
                    watches.push(Box::pin(self.watch(cluster, operation, scope, index, Kind::Deployment)));
                }
            }
        }
        let mut judge = Judge::default();
        let outcome = tokio::select! {
            biased;
            outcome = self.judge_until_settled(&mut judge) => outcome,
            Some(reason) = watches.next() => Err(self.explain(&judge, reason)),
        };
        outcome.map(|()| self.found())
    }

    fn scopes(&self) -> Vec<Scope> {
        match &self.choice {
            Choice::Selected { namespaces: None, labels } => {
                vec![Scope { namespace: None, name: None, labels: labels.clone() }]
            }
            Choice::Selected { namespaces: Some(namespaces), labels } => {
                let scope = |namespace: &String| Scope {
                    namespace: Some(namespace.clone()),
                    name: None,
                    labels: labels.clone(),
                };
                namespaces.iter().map(scope).collect()
            }
            Choice::Named(objects) => {
                let namespaces: BTreeSet<&String> =
                    objects.values().filter_map(|object| object.namespace.as_ref()).collect();
                let scope = |namespace: &String| {
                    let mut names =
                        objects.values().filter(|object| object.namespace.as_ref() == Some(namespace)).map(|o| &o.name);
                    let (first, second) = (names.next(), names.next());
                    let name = first.filter(|_| second.is_none()).cloned();
                    Scope { namespace: Some(namespace.clone()), name, labels: String::new() }
                };
                namespaces.into_iter().map(scope).collect()
            }
        }
    }

    /// Keeps a part of the board up to date until the wait is over.
    async fn watch(
        &self,
        cluster: &ManagementCluster,
        operation: &Operation,
        scope: &Scope,
        index: usize,
        kind: Kind,
    ) -> EndReason {
        let ended = match (&scope.name, &scope.namespace) {
            (Some(name), Some(namespace)) => {
                let object = ObjectRef::namespaced(kind, namespace.clone(), name.clone());
                wait_until(cluster, operation, &object, None, |found| {
                    self.take(kind, index, scope, found.into_iter().map(|found| (name.as_str(), found)).collect());
                    None::<()>
                })
                .await
            }
            _ => {
                let labels = if kind == Kind::Deployment { NAME_LABEL } else { &scope.labels };
                wait_until_selected(cluster, operation, kind, scope.namespace.as_deref(), labels, None, |found| {
                    self.take(kind, index, scope, found.iter().map(|(key, found)| (key.as_str(), found)).collect());
                    None::<()>
                })
                .await
            }
        };
        // It ends for no other reason.
        ended.map_or_else(|ended| ended.reason, |()| EndReason::Stopped)
    }

    fn take(&self, kind: Kind, index: usize, scope: &Scope, found: BTreeMap<&str, &DynamicObject>) {
        let id = |key: &str| scope.namespace.as_ref().map_or_else(|| key.to_owned(), |ns| format!("{ns}/{key}"));
        let found: BTreeMap<String, &DynamicObject> = found.into_iter().map(|(key, found)| (id(key), found)).collect();
        let mut board = self.board();
        let part = if kind == Kind::Deployment { &mut board.deployments } else { &mut board.control_planes };
        let Some(seen) = part.get_mut(index) else { return };
        seen.complete = true;
        seen.objects.retain(|id, _| found.contains_key(id));
        for (id, found) in found {
            let version = found.metadata.resource_version.as_deref().unwrap_or_default();
            if seen.objects.get(&id).is_none_or(|known| known.version != version) {
                let object = Object { version: version.to_owned(), live: json_of(found), quiet: is_quiet(found) };
                seen.objects.insert(id, object);
            }
        }
        drop(board);
        self.changed.notify_one();
    }

    async fn judge_until_settled(&self, judge: &mut Judge) -> Result<(), Diagnostic> {
        loop {
            let until = match self.look(judge)? {
                Look::Settled => return Ok(()),
                Look::Again(until) => until,
            };
            // Woken by a change, or when a stability window ends.
            let _ = tokio::time::timeout(until, self.changed.notified()).await;
        }
    }

    /// Judges all of them once.
    fn look(&self, judge: &mut Judge) -> Result<Look, Diagnostic> {
        let board = self.board();
        let parts = || board.control_planes.iter().zip(&board.deployments);
        if !board.control_planes.iter().all(|part| part.complete) {
            return Ok(Look::Again(LONG));
        }
        let now = Instant::now();
        let mut again = LONG;
        let mut hopeless = BTreeMap::new();
        judge.missing.clear();
        judge.total = 0;
        let mut one = |id: &String, found: Option<(&Object, &Seen)>| {
            judge.total += 1;
            let progress = match found {
                None => Progress::Waiting("It does not exist.".to_owned()),
                Some((object, deployments)) => judge.windows.judge(self.level, id, object, deployments, now),
            };
            match progress {
                Progress::Settled => {}
                Progress::Holding(until) => {
                    again = again.min(until.saturating_duration_since(now));
                    judge.missing.insert(id.clone(), "It is ready, but not for long enough yet.".to_owned());
                }
                Progress::Waiting(why) => {
                    judge.missing.insert(id.clone(), why);
                }
                Progress::Failed(why) => {
                    judge.missing.insert(id.clone(), why.clone());
                    hopeless.insert(id.clone(), why);
                }
            }
        };
        match &self.choice {
            Choice::Named(objects) => {
                for id in objects.keys() {
                    let found = parts().find_map(|(part, deployments)| Some((part.objects.get(id)?, deployments)));
                    one(id, found);
                }
            }
            Choice::Selected { .. } => {
                for (part, deployments) in parts() {
                    part.objects.iter().for_each(|(id, object)| one(id, Some((object, deployments))));
                }
                if judge.total == 0 {
                    return Err(nothing_chosen());
                }
            }
        }
        if !hopeless.is_empty() {
            return Err(without_hope(&hopeless, judge));
        }
        Ok(if judge.missing.is_empty() { Look::Settled } else { Look::Again(again.max(Duration::from_millis(1))) })
    }

    fn found(&self) -> BTreeMap<String, Json> {
        let board = self.board();
        let all = board.control_planes.iter().flat_map(|part| &part.objects);
        let chosen = all.filter(|(id, _)| match &self.choice {
            Choice::Named(objects) => objects.contains_key(*id),
            Choice::Selected { .. } => true,
        });
        chosen.map(|(id, object)| (id.clone(), object.live.clone())).collect()
    }

    fn explain(&self, judge: &Judge, reason: EndReason) -> Diagnostic {
        let level = Level::WORDS.get(self.level as usize).copied().unwrap_or("ready");
        match reason {
            EndReason::Stopped => interrupted(&judge.missing, judge.total),
            EndReason::Failed(error) => refused(&error, "list the tenant control planes"),
            EndReason::Timeout(trouble) => {
                let trouble =
                    trouble.map(|error| format!("\n\nThe API server had trouble: {error}.")).unwrap_or_default();
                let text = format!(
                    "{} of {} control planes are not {level}:\n{}{trouble}\n\nGive them more time with `timeout`, or \
                     remove the causes and apply again.",
                    judge.missing.len(),
                    judge.total,
                    lines(&judge.missing)
                );
                Diagnostic::error("Control planes not ready in time", text)
            }
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Look {
    Settled,
    /// To be looked at again after this time at the latest.
    Again(Duration),
}

/// What the judge remembers from look to look.
#[derive(Default)]
struct Judge {
    windows: Windows,
    /// Those that are not there yet, by id, and why.
    missing: BTreeMap<String, String>,
    total: usize,
}

#[derive(Default)]
struct Windows(BTreeMap<String, Judged>);

/// The last judgement of a control plane, and what it was made of.
struct Judged {
    of: String,
    verdict: Verdict,
    window: StabilityWindow,
    quiet: bool,
}

impl Windows {
    fn judge(&mut self, level: Level, id: &str, object: &Object, deployments: &Seen, now: Instant) -> Progress {
        let deployment = deployments.objects.get(id);
        let of = format!("{} {}", object.version, deployment.map_or("", |deployment| &deployment.version));
        let judged = self.0.get_mut(id).filter(|judged| judged.of == of);
        if let Some(judged) = judged {
            return judged.window.observe(now, judged.verdict.clone());
        }
        let wanted = Wanted { level, ..Wanted::default() };
        let verdict = judge(&object.live, deployment.map(|found| &found.live), wanted);
        let window = match self.0.remove(id) {
            Some(judged) if !judged.quiet => judged.window,
            _ if level < Level::Ready || object.quiet => StabilityWindow::new(Duration::ZERO),
            _ => StabilityWindow::for_kamaji(View::new(&object.live).observed_generation().is_some()),
        };
        let judged = self.0.entry(id.to_owned()).or_insert(Judged { of, verdict, window, quiet: object.quiet });
        judged.window.observe(now, judged.verdict.clone())
    }
}

/// True if nobody has changed the object for a long time. Clocks that differ by minutes would have other troubles.
fn is_quiet(object: &DynamicObject) -> bool {
    let entries = object.metadata.managed_fields.iter().flatten();
    let newest = entries.filter_map(|entry| entry.time.as_ref()).map(|time| time.0.as_second()).max();
    let quiet = i64::try_from(QUIET.as_secs()).unwrap_or(i64::MAX);
    newest.is_some_and(|newest| jiff::Timestamp::now().as_second().saturating_sub(newest) > quiet)
}

fn nothing_chosen() -> Diagnostic {
    Diagnostic::error(
        "No control plane to wait for",
        "No tenant control plane fits `namespaces` and `label_selector`. If they are made in the same configuration, name \
         their resources in `depends_on`, or use `ids`.",
    )
    .at(Path::of("label_selector"))
}

fn without_hope(hopeless: &BTreeMap<String, String>, judge: &Judge) -> Diagnostic {
    let others = judge.missing.len() - hopeless.len();
    let others = if others > 0 { format!("\n\n{others} more were not ready yet.") } else { String::new() };
    let text = format!("{} of {} need help:\n{}{others}", hopeless.len(), judge.total, lines(hopeless));
    Diagnostic::error("Control planes will not become ready", text)
}
