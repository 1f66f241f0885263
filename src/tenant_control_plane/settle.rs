//! Waiting until a write has taken effect, at the level that the configuration asks for.

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics, Value};
use tokio::sync::watch;

use crate::kamaji::diagnosis;
use crate::kamaji::readiness::{Level, Progress, StabilityWindow, Verdict, Wanted, judge, missing_name};
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::{Scene, Settled, Unsettled};
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{EndReason, wait_until};
use crate::management_cluster::{Kind, ObjectRef};

/// How long the judgement of one read is believed while nothing changes: the Deployment may move without the control
/// plane moving with it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a Kamaji that does not say what it has seen gets to put new names into the API server's certificate. It does
/// so at once or never: some releases (v1.0.0 is one) leave an existing certificate as it is.
const REISSUE: Duration = Duration::from_secs(15);

/// Waits for the level of `wait_for`. Returns the object as it is then.
pub(super) async fn settle(scene: &Scene, planned: &Value, written: Json) -> Result<Settled, Box<Unsettled>> {
    let level = planned.str_at("wait_for").and_then(|word| word.parse::<Level>().ok()).unwrap_or_default();
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
    let judging = judge_until_settled(scene, level, &mut receiver);
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
        Err(ended) => explain(scene, level, &last, &ended.reason).await,
    };
    Err(Box::new(Unsettled { last, why }))
}

async fn judge_until_settled(
    scene: &Scene,
    level: Level,
    receiver: &mut watch::Receiver<Json>,
) -> Result<Settled, Box<Unsettled>> {
    let mut window: Option<StabilityWindow> = None;
    let started = Instant::now();
    loop {
        let live = receiver.borrow_and_update().clone();
        let names_count = started.elapsed() < REISSUE;
        let verdict = look(scene, level, &live, names_count).await;
        let reports = View::new(&live).observed_generation().is_some();
        let window = window.get_or_insert_with(|| match level {
            Level::Accepted | Level::Provisioned => StabilityWindow::new(Duration::ZERO),
            Level::Ready | Level::Reachable => StabilityWindow::for_kamaji(reports),
        });
        let again = match window.observe(Instant::now(), verdict) {
            Progress::Settled if level == Level::Reachable => {
                return match crate::tenant_cluster::wait_until_answers(&scene.cluster, &scene.operation, &scene.object)
                    .await
                {
                    Ok(()) => Ok(settled(scene, live, names_count).await),
                    Err(why) => Err(Box::new(Unsettled { last: live, why })),
                };
            }
            Progress::Settled => return Ok(settled(scene, live, names_count).await),
            Progress::Failed(reason) => {
                let why =
                    Diagnostic::error("Control plane will not become ready", format!("{}: {reason}", scene.object));
                return Err(Box::new(Unsettled { last: live, why }));
            }
            Progress::Holding(until) => until.saturating_duration_since(Instant::now()).min(LOOK_AGAIN),
            Progress::Waiting(reason) => {
                tracing::debug!(object = %scene.object, reason, "not ready yet");
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

/// One judgement. The Deployment is only asked for when the control plane itself says that it is done.
async fn look(scene: &Scene, level: Level, live: &Json, names_count: bool) -> Verdict {
    let wanted = Wanted { level, ..Wanted::default() };
    let says_done =
        View::new(live).status().is_some_and(|status| matches!(status.word(), "Ready" | "Sleeping" | "WriteLimited"));
    if level < Level::Ready || !says_done {
        return judge(live, None, wanted);
    }
    let namespace = scene.object.namespace.clone().unwrap_or_default();
    let deployment = ObjectRef::namespaced(Kind::Deployment, namespace, scene.object.name.clone());
    let deployment = match scene.cluster.get(&scene.operation, &deployment).await {
        Ok(found) => found.as_ref().map(json_of),
        Err(error) => return Verdict::NotYet(format!("The Deployment cannot be read: {error}.")),
    };
    let certificate = if names_count { certificate(scene, live).await } else { None };
    judge(live, deployment.as_ref(), Wanted { api_server_certificate: certificate.as_deref(), ..wanted })
}

async fn explain(scene: &Scene, level: Level, last: &Json, reason: &EndReason) -> Diagnostic {
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
            let reason = match look(&scene.for_diagnosis(), level, last, true).await {
                Verdict::NotYet(reason) | Verdict::Never(reason) => reason,
                Verdict::Ready => "It was ready in the end, but not for long enough.".to_owned(),
            };
            let trouble =
                trouble.as_ref().map(|error| format!("\n\nThe API server had trouble: {error}.")).unwrap_or_default();
            let found = evidence(&scene.for_diagnosis(), last).await;
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
async fn evidence(scene: &Scene, last: &Json) -> String {
    let gathered = super::remove::gather(scene, last).await;
    diagnosis::not_ready(&gathered).join("\n")
}
