//! Create: wait for the tenant, make the token, render.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tfplugin::plan::without_unknowns;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Checkpoint, Context};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::payload::{diagnostic, fill, version};
use super::{Memory, Scene, WorkerJoin, ttl};
use crate::kamaji::bootstrap_token::{BootstrapToken, Terms};
use crate::kamaji::join::check_kubelet_config;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::watch::EndReason;
use crate::management_cluster::{ApiError, Operation};
use crate::tenant_cluster::reach::{For, Tenant};

/// How often a token is drawn whose id is taken already: one of two thousand million is.
const DRAWS: usize = 5;
/// How often a tenant is asked again that does not let its administrator in yet.
const AGAIN: Duration = Duration::from_secs(1);

impl WorkerJoin {
    pub(super) async fn make(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let made = match self.scene(cx, &request.planned, "create") {
            Ok(scene) => self.make_token(&scene, &request.planned, &request.checkpoint).await,
            Err(diagnostic) => Err(Box::new(nothing(diagnostic))),
        };
        made.unwrap_or_else(|failed| *failed)
    }

    /// Makes a token for `planned` and everything that follows from it. The error says what there is to keep.
    pub(super) async fn make_token(
        &self,
        scene: &Scene,
        planned: &Value,
        checkpoint: &Checkpoint,
    ) -> Result<ApplyResponse, Box<ApplyResponse>> {
        let fail = |diagnostic| Box::new(nothing(diagnostic));
        let tenant = scene.reach.wait(&scene.operation, &scene.object, For::Nodes).await.map_err(fail)?;
        let uid = View::new(&tenant.live).uid().unwrap_or_default().to_owned();
        let private = Private::write(&Memory { tenant_uid: uid });
        let mut taken = None;
        for _ in 0..DRAWS {
            let token = draw().map_err(fail)?;
            let expiration = expiration(planned).map_err(fail)?;
            let mut state = planned.clone();
            fill(&mut state, &tenant, &token, expiration).map_err(|problem| fail(diagnostic(problem)))?;
            let state = without_unknowns(&state);
            // Whatever comes after: a token that may have been made is in the state, and so is revoked one day.
            checkpoint.save(&state, &private);
            let terms = Terms {
                expiration: Some(expiration),
                description: Some(format!("Made by Terraform (kamaji_worker_join) for {}.", scene.object)),
                labels: [("app.kubernetes.io/managed-by".to_owned(), "terraform-provider-kamaji".to_owned())].into(),
                ..Terms::default()
            };
            match self.create_token(scene, &tenant, &token, &terms).await {
                Ok(()) => {
                    let diagnostics = after(scene, &tenant, &token).await;
                    return Ok(ApplyResponse { state, private, diagnostics });
                }
                Err(error @ ApiError::AlreadyExists { .. }) => taken = Some(error),
                Err(error) => {
                    let diagnostic =
                        tenant.api.diagnostic(&error, &format!("make a bootstrap token in {}", scene.object));
                    let in_doubt = ApplyResponse { state, private, diagnostics: diagnostic.clone().into() };
                    return Err(if error.is_in_doubt() { Box::new(in_doubt) } else { fail(diagnostic) });
                }
            }
        }
        let why = taken.map(|error| error.to_string()).unwrap_or_default();
        Err(fail(Diagnostic::error(
            "No free bootstrap token found",
            format!("Every token that was drawn exists in {} already: {why}. Apply again.", scene.object),
        )))
    }

    /// The binding that lets `admin.conf` in comes some seconds after the API.
    async fn create_token(
        &self,
        scene: &Scene,
        tenant: &Tenant,
        token: &BootstrapToken,
        terms: &Terms,
    ) -> Result<(), ApiError> {
        let manager = self.shared.field_manager();
        loop {
            let error = match tenant.api.create_token(&scene.operation, token, terms, &manager).await {
                Err(
                    error @ (ApiError::Unauthorized { .. }
                    | ApiError::Forbidden { .. }
                    | ApiError::NamespaceMissing { .. }),
                ) => error,
                outcome => return outcome,
            };
            if scene.operation.remaining() <= AGAIN {
                return Err(error);
            }
            if !scene.operation.pause(AGAIN).await {
                return Err(error);
            }
        }
    }
}

fn nothing(diagnostic: Diagnostic) -> ApplyResponse {
    ApplyResponse { state: Value::Null, private: Private::default(), diagnostics: diagnostic.into() }
}

fn draw() -> Result<BootstrapToken, Diagnostic> {
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    BootstrapToken::generate(|bytes| random.fill(bytes)).map_err(|_| {
        Diagnostic::error(
            "No random numbers",
            "The operating system gives no random numbers, so no token can be drawn.",
        )
    })
}

/// The end of a token that is made now.
fn expiration(planned: &Value) -> Result<Timestamp, Diagnostic> {
    let ttl = ttl(planned).unwrap_or_default();
    let end = SignedDuration::try_from(ttl).ok().and_then(|ttl| Timestamp::now().checked_add(ttl).ok());
    end.ok_or_else(|| {
        Diagnostic::error("Time to live too long", "The token would end beyond the calendar. Write a shorter `ttl`.")
            .at(Path::of("ttl"))
    })
}

/// What is worth knowing about a tenant that has a new token. The token is made, so nothing here is an error.
async fn after(scene: &Scene, tenant: &Tenant, token: &BootstrapToken) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if let Err(ended) = tenant.api.wait_until_signed(&scene.operation, token).await {
        let why = match ended.reason {
            EndReason::Stopped => "the wait for it was interrupted".to_owned(),
            EndReason::Timeout(None) => "it did not come in time".to_owned(),
            EndReason::Timeout(Some(error)) | EndReason::Failed(error) => error.to_string(),
        };
        diagnostics.push(Diagnostic::warning(
            "Token not signed yet",
            format!(
                "Token {} exists, but the signature by which machines recognise {} is not seen yet: {why}. Machines wait for \
                 it for five minutes. If it never comes, check the tenant's controller manager.",
                token.id(),
                scene.object
            ),
        ));
    }
    let question = Operation::new(scene.operation.remaining().min(Duration::from_secs(10)), &scene.operation.stop)
        .patience(Duration::ZERO);
    match tenant.api.remove_public_token(&question).await {
        Ok(true) => diagnostics.push(Diagnostic::warning(
            "Publicly known token removed",
            format!(
                "{} held the bootstrap token of kubeadm's documentation, which Kamaji before edge-25.3.1 leaves in every new \
                 tenant for a day: with it anybody who reaches the API can join a node. It was removed.",
                scene.object
            ),
        )),
        Ok(false) => {}
        Err(error) => tracing::info!(%error, "the publicly known token was not looked for"),
    }
    if let (Ok(version), Ok(Some(config))) = (version(tenant), tenant.api.kubelet_config(&question).await)
        && let Err(problem) = check_kubelet_config(&version, &config)
    {
        diagnostics.push(Diagnostic::warning(problem.summary, problem.detail));
    }
    diagnostics
}
