//! Waiting until a write has taken effect, at the level that the configuration asks for.

use std::time::Duration;

use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics, Value};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::kamaji::diagnosis::{self, Evidence, Migration};
use crate::kamaji::readiness::{Level, Progress, StabilityWindow, Verdict, Wanted, judge, missing_name};
use crate::kamaji::tenant_control_plane::{Status, View};
use crate::managed_object::{Scene, Settled, Unsettled};
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{EndReason, wait_until};
use crate::management_cluster::{Kind, ObjectRef};
use crate::tenant_cluster::reach::{For, Reach};

use super::migration::Follower;

/// How long the judgement of one read is believed while nothing changes: the Deployment may move without the control
/// plane moving with it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a Kamaji that does not say what it has seen gets to put new names into the API server's certificate. It does
/// so at once or never: some releases (v1.0.0 is one) leave an existing certificate as it is.
const REISSUE: Duration = Duration::from_secs(15);

/// The level to wait for: that of `wait_for`, or between two steps of an upgrade [`Level::Ready`].
pub(super) fn level(planned: &Value, more: bool) -> Level {
    if more {
        return Level::Ready;
    }
    planned.str_at("wait_for").and_then(|word| word.parse::<Level>().ok()).unwrap_or_default()
}

/// Whether this Kamaji knows the annotation that pauses an object. It came shortly before the status `Sleeping`; the
/// releases that nobody can ask know it, for most do.
pub(crate) async fn knows_pauses(scene: &Scene) -> bool {
    const SLEEPING: &str =
        "/properties/status/properties/kubernetesResources/properties/version/properties/status/enum=Sleeping";
    let cluster = &scene.cluster;
    cluster.declares(&scene.operation, Kind::TenantControlPlane, SLEEPING).await.unwrap_or(true)
}

/// Whether this Kamaji says which generation of the object it has seen.
pub(super) async fn reports_generation(scene: &Scene, live: &Json) -> bool {
    const SEEN: &str = "/properties/status/properties/observedGeneration";
    View::new(live).observed_generation().is_some()
        || scene.cluster.declares(&scene.operation, Kind::TenantControlPlane, SEEN).await.unwrap_or(false)
}

/// Waits for a level. Returns the object as it is then. `tell` gets what it waits for, whenever that changes.
pub(crate) async fn settle(
    reach: &Reach,
    scene: &Scene,
    level: Level,
    written: Json,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<Settled, Box<Unsettled>> {
    if level == Level::Accepted {
        return Ok(Settled::quietly(written));
    }
    let (sender, mut receiver) = watch::channel(written);
    let watching = wait_until(&scene.cluster, &scene.operation, &scene.object, None, |seen| match seen.map(json_of) {
        Some(live) => {
            sender.send_replace(live);
            None
        }
        None => Some(()),
    });
    let mut migration = Follower::default();
    let judging = judge_until_settled(reach, scene, level, &mut receiver, &mut migration, tell);
    let ended = tokio::select! {
        outcome = judging => return outcome,
        ended = watching => ended,
    };
    let last = sender.borrow().clone();
    let why = match ended {
        Ok(()) => Diagnostic::error(
            "Object was deleted meanwhile",
            format!("{} disappeared while it was waited for. Somebody else deleted it.", scene.object),
        ),
        Err(ended) => explain(scene, level, &last, migration.known(), &ended.reason).await,
    };
    Err(Box::new(Unsettled { last, why }))
}

async fn judge_until_settled(
    reach: &Reach,
    scene: &Scene,
    level: Level,
    receiver: &mut watch::Receiver<Json>,
    migration: &mut Follower,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<Settled, Box<Unsettled>> {
    let mut window = StabilityWindow::new(Duration::ZERO);
    let mut steady = false;
    let mut status = None;
    let started = Instant::now();
    let mut told = String::new();
    loop {
        let live = receiver.borrow_and_update().clone();
        let now_at = View::new(&live).status();
        if now_at != status {
            let word = now_at.as_ref().map_or("none", Status::word);
            tracing::info!(object = %scene.object, status = word, "waiting");
            status = now_at;
        }
        if let Some(failure) = migration.look(scene, &live).await {
            let told = diagnosis::moving_data(&View::new(&live), migration.known()).join("\n");
            tracing::info!(object = %scene.object, failure, "the migration has failed");
            let why = Diagnostic::error("Data were not moved", format!("{}: {told}", scene.object))
                .at(tfplugin::Path::of("data_store"));
            return Err(Box::new(Unsettled { last: live, why }));
        }
        let names_count = started.elapsed() < REISSUE;
        let (verdict, reports) = look(scene, level, &live, names_count).await;
        // How long it has to hold is known only when Kamaji says that it is done.
        if level >= Level::Ready && !steady && verdict == Verdict::Ready {
            window = StabilityWindow::for_kamaji(reports);
            steady = true;
        }
        let again = match window.observe(Instant::now().into_std(), verdict) {
            Progress::Settled if level == Level::Reachable && View::new(&live).wanted_replicas() > 0 => {
                return match reach.wait(&scene.operation, &scene.object, For::Api).await {
                    Ok(_) => Ok(settled(scene, live, names_count).await),
                    Err(why) => Err(Box::new(Unsettled { last: live, why })),
                };
            }
            Progress::Settled => return Ok(settled(scene, live, names_count).await),
            Progress::Failed(reason) => {
                let why =
                    Diagnostic::error("Control plane will not become ready", format!("{}: {reason}", scene.object));
                return Err(Box::new(Unsettled { last: live, why }));
            }
            Progress::Holding(until) => until.saturating_duration_since(Instant::now().into_std()).min(LOOK_AGAIN),
            Progress::Waiting(reason) => {
                tracing::debug!(object = %scene.object, reason, "not ready yet");
                if reason != told {
                    tell(&reason);
                    told = reason;
                }
                LOOK_AGAIN
            }
        };
        // Woken by a change, or after a while.
        let _ = tokio::time::timeout(again, receiver.changed()).await;
    }
}

/// The end of a wait; with a warning if it did not wait for the names in the certificate to the end.
async fn settled(scene: &Scene, live: Json, names_counted: bool) -> Settled {
    let mut warnings = Diagnostics::new();
    if !names_counted
        && let Some(pem) = certificate(scene, &live).await
        && let Some(name) = missing_name(&View::new(&live), &pem)
    {
        let view = View::new(&live);
        warnings.push(
            Diagnostic::warning(
                "Certificate lacks a name",
                format!(
                    "The API server's certificate does not have {name:?}, and this Kamaji does not issue it anew for \
                     `cert_sans`. To get a new one, delete the Secret: `kubectl -n {} delete secret {}`. The pods are \
                     restarted.",
                    view.namespace(),
                    view.api_server_certificate_secret().unwrap_or_default()
                ),
            )
            .at(tfplugin::Path::of("network_profile.cert_sans")),
        );
    }
    Settled { live, warnings }
}

/// The API server's certificate, PEM, where it is evidence: names are configured, and Kamaji does not report what it has
/// seen.
async fn certificate(scene: &Scene, live: &Json) -> Option<String> {
    let view = View::new(live);
    if view.observed_generation().is_some() || view.cert_sans().is_empty() {
        return None;
    }
    let name = view.api_server_certificate_secret()?;
    let secret = scene.cluster.secret(&scene.operation, view.namespace(), name).await.ok()??;
    String::from_utf8(secret.get("apiserver.crt")?.to_vec()).ok()
}

/// One judgement, and whether Kamaji says what it has seen. What this Kamaji can do and how its Deployment is are only
/// asked for when the control plane itself says that it is done.
async fn look(scene: &Scene, level: Level, live: &Json, names_count: bool) -> (Verdict, bool) {
    let view = View::new(live);
    let ignores_pause = view.paused() && !knows_pauses(scene).await;
    let wanted = Wanted { level, ignores_pause, ..Wanted::default() };
    let says_done =
        view.status().is_some_and(|status| matches!(status, Status::Ready | Status::Sleeping | Status::WriteLimited));
    if level < Level::Ready || !says_done {
        return (judge(live, None, wanted), false);
    }
    let reports_generation = reports_generation(scene, live).await;
    let namespace = scene.object.namespace.clone().unwrap_or_default();
    let deployment = ObjectRef::namespaced(Kind::Deployment, namespace, scene.object.name.clone());
    let deployment = match scene.cluster.get(&scene.operation, &deployment).await {
        Ok(found) => found.as_ref().map(json_of),
        Err(error) => {
            let verdict = Verdict::NotYet(format!("The Deployment cannot be read: {error}."));
            return (verdict, reports_generation);
        }
    };
    let certificate = if names_count { certificate(scene, live).await } else { None };
    let wanted = Wanted { reports_generation, api_server_certificate: certificate.as_deref(), ..wanted };
    (judge(live, deployment.as_ref(), wanted), reports_generation)
}

async fn explain(scene: &Scene, level: Level, last: &Json, migration: &Migration, reason: &EndReason) -> Diagnostic {
    match reason {
        EndReason::Stopped => Diagnostic::error(
            "Interrupted while waiting",
            format!(
                "{} is in the state as it was last seen; what was asked for has not taken effect yet. Apply again to go on. \
                 Terraform marks an object that was being made as tainted: `terraform untaint` keeps it.",
                scene.object
            ),
        ),
        EndReason::Failed(error) => error.to_diagnostic(&format!("wait for {}", scene.object)),
        EndReason::Timeout(trouble) => {
            let reason = match look(&scene.for_diagnosis(), level, last, true).await.0 {
                Verdict::NotYet(reason) | Verdict::Never(reason) => reason,
                Verdict::Ready => "It was ready in the end, but not for long enough.".to_owned(),
            };
            let trouble =
                trouble.as_ref().map(|error| format!("\n\nThe API server had trouble: {error}.")).unwrap_or_default();
            let found = evidence(&scene.for_diagnosis(), last, migration).await;
            Diagnostic::error(
                "Control plane not ready in time",
                format!(
                    "{} did not become {}: {reason}{trouble}\n\n{found}\n\nIt is in the state. Give it more time with \
                     `timeouts`, or remove the cause and apply again.",
                    scene.object,
                    Level::WORDS.get(level as usize).copied().unwrap_or("ready"),
                ),
            )
        }
    }
}

/// What the objects round a control plane say about why it is stuck.
async fn evidence(scene: &Scene, last: &Json, migration: &Migration) -> String {
    let gathered = Evidence { migration: migration.clone(), ..super::remove::gather(scene, last).await };
    diagnosis::not_ready(&gathered).join("\n")
}
