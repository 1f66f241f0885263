//! From a control plane in the management cluster to the API of the tenant: once, or until it answers.

use std::time::Duration;

use serde_json::Value as Json;
use tfplugin::Diagnostic;
use tokio::time::Instant;

use super::kubeconfig::{AdminKubeconfig, User, read};
use super::{Connect, TenantCluster, reference};
use crate::kamaji::join::obstacle;
use crate::kamaji::tenant_control_plane::{Status, View};
use crate::management_cluster::json_of;
use crate::management_cluster::{ApiError, ManagementCluster, ObjectRef, Operation};

/// How often a tenant is asked that does not answer yet.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest one question may take: an address that swallows packets must not hide that the kubeconfig has changed.
const QUESTION: Duration = Duration::from_secs(10);
/// The least: an answer that comes at all comes in this time, however much of it went into finding the tenant.
const SHORTEST_QUESTION: Duration = Duration::from_secs(2);
/// What finding the tenant in the management cluster takes at most when the time is nearly over. A tenant that hangs uses
/// up whatever it is given; without time of its own the next look would fail with that, and nobody learnt of the tenant.
const FINDING: Duration = Duration::from_secs(5);
/// How long certificates may disagree. Longer than Kamaji takes to renew one; a name that is missing in it stays missing.
const DISAGREEMENT: Duration = Duration::from_secs(60);

/// What a tenant is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Its API has to answer.
    Api,
    /// It has to take nodes too.
    Nodes,
}

/// The means to reach tenants.
#[derive(Clone)]
pub struct Reach {
    /// The management cluster.
    pub cluster: ManagementCluster,
    /// How the client of a tenant is made.
    pub connect: Connect,
}

/// A tenant whose API answers.
#[derive(Clone)]
pub struct Tenant {
    /// The control plane.
    pub live: Json,
    /// Its admin kubeconfig.
    pub admin: AdminKubeconfig,
    /// Its API.
    pub api: TenantCluster,
}

/// What one look at a tenant found.
pub enum Sight {
    /// There is no such control plane.
    Missing,
    /// Its API does not answer.
    Silent(Silence),
    /// Its API answers.
    Answers(Box<Tenant>),
}

/// A tenant that does not answer.
pub struct Silence {
    /// The control plane.
    pub live: Json,
    /// Why, as a sentence.
    pub why: String,
    /// True if the tenant does not answer by wish: waiting does not help.
    pub by_wish: bool,
    /// True if TLS is the reason.
    pub disagrees: bool,
}

impl Silence {
    fn passing(live: Json, why: impl Into<String>) -> Self {
        Self { live, why: why.into(), by_wish: false, disagrees: false }
    }
}

/// True if the control plane that was found is not the one with this UID, but another one under its name. An empty UID is
/// of none that is known.
pub fn is_another(known: &str, found: Option<&str>) -> bool {
    !known.is_empty() && found.is_some_and(|found| found != known)
}

impl Reach {
    /// Looks once, which takes a few seconds also where the operation has less left. An error is one of the management
    /// cluster.
    pub async fn look(&self, operation: &Operation, object: &ObjectRef) -> Result<Sight, Diagnostic> {
        let finding = operation.at_least(FINDING);
        let found = self.cluster.get(&finding, object).await;
        let Some(found) = found.map_err(|error| error.to_diagnostic(&format!("read {object}")))? else {
            return Ok(Sight::Missing);
        };
        let live = json_of(&found);
        let view = View::new(&live);
        if view.wanted_replicas() == 0 || view.status() == Some(Status::Sleeping) {
            let why = "It is scaled to zero, so that its API does not run.".to_owned();
            return Ok(Sight::Silent(Silence { by_wish: true, ..Silence::passing(live, why) }));
        }
        let Some(admin) = read(&self.cluster, &finding, &live, &[User::SuperAdmin, User::Admin]).await? else {
            return Ok(Sight::Silent(Silence::passing(live, "Kamaji has not made its admin kubeconfig yet.")));
        };
        let api = TenantCluster::new((self.connect)(&admin.text)?);
        let time = operation.remaining().clamp(SHORTEST_QUESTION, QUESTION);
        let question = Operation::new(time, &operation.stop).patience(Duration::ZERO);
        match api.answers(&question).await {
            Ok(()) => Ok(Sight::Answers(Box::new(Tenant { live, admin, api }))),
            Err(error) => Ok(Sight::Silent(Silence {
                disagrees: matches!(error, ApiError::Tls { .. }),
                ..Silence::passing(live, format!("Its API at {} does not answer: {error}.", admin.parsed.server))
            })),
        }
    }

    /// True if the control plane is known not to be the one with this UID: it was made anew under the same name. One that
    /// cannot be asked now is none.
    pub async fn is_made_anew(&self, operation: &Operation, object: &ObjectRef, uid: &str) -> bool {
        if uid.is_empty() {
            return false;
        }
        let operation = operation.clone().patience(Duration::ZERO);
        match self.cluster.get(&operation, object).await {
            Ok(Some(found)) => is_another(uid, found.metadata.uid.as_deref()),
            Ok(None) | Err(_) => false,
        }
    }

    /// Looks again and again until the tenant answers and, if it is wanted for nodes, takes them; until there is none,
    /// waiting cannot help, or the time is over.
    #[tracing::instrument(name = "wait", level = "debug", skip_all, fields(%object))]
    pub async fn seek(&self, operation: &Operation, object: &ObjectRef, wanted: For) -> Result<Sight, Diagnostic> {
        loop {
            let silence = match self.look(operation, object).await? {
                Sight::Missing => return Ok(Sight::Missing),
                Sight::Answers(tenant) => match not_for(&tenant.live, wanted) {
                    None => return Ok(Sight::Answers(tenant)),
                    Some(silence) => silence,
                },
                Sight::Silent(silence) => silence,
            };
            let hopeless = silence.by_wish || View::new(&silence.live).deleting();
            if hopeless || operation.remaining() <= AGAIN || !operation.pause(AGAIN).await {
                return Ok(Sight::Silent(silence));
            }
        }
    }

    /// Waits until the tenant answers and, if it is wanted for nodes, is prepared for them. Ends early where waiting
    /// cannot help.
    #[tracing::instrument(name = "wait", level = "debug", skip_all, fields(%object))]
    pub async fn wait(&self, operation: &Operation, object: &ObjectRef, wanted: For) -> Result<Tenant, Diagnostic> {
        let mut disagrees_since: Option<Instant> = None;
        loop {
            let silence = match self.look(operation, object).await? {
                Sight::Missing => return Err(missing(object)),
                Sight::Answers(tenant) => match not_for(&tenant.live, wanted) {
                    None => return Ok(*tenant),
                    Some(silence) => silence,
                },
                Sight::Silent(silence) => silence,
            };
            if View::new(&silence.live).deleting() {
                return Err(hopeless(object, "It is being deleted."));
            }
            if silence.by_wish {
                return Err(hopeless(object, &silence.why));
            }
            disagrees_since = silence.disagrees.then(|| disagrees_since.unwrap_or_else(Instant::now));
            if disagrees_since.is_some_and(|since| since.elapsed() >= DISAGREEMENT) {
                return Err(disagreement(object, &silence.why));
            }
            if operation.remaining() <= AGAIN {
                return Err(too_late(object, &silence.why));
            }
            if !operation.pause(AGAIN).await {
                return Err(interrupted(object));
            }
        }
    }
}

/// Why a tenant whose API answers cannot be used all the same.
fn not_for(live: &Json, wanted: For) -> Option<Silence> {
    if wanted == For::Api {
        return None;
    }
    if let Some(problem) = obstacle(live) {
        return Some(Silence { by_wish: true, ..Silence::passing(live.clone(), problem.detail) });
    }
    let prepared = View::new(live).accepts_nodes();
    (!prepared).then(|| Silence::passing(live.clone(), "Kamaji has not prepared it for joining nodes yet."))
}

/// The control plane does not exist.
pub fn missing(object: &ObjectRef) -> Diagnostic {
    Diagnostic::error(
        "Tenant control plane does not exist",
        format!(
            "There is no {object}. If it is made in the same configuration, refer to it, so that Terraform waits for it: \
             `{}`. If it is managed elsewhere, check namespace, name and the provider block.",
            reference::FORM
        ),
    )
    .at(tfplugin::Path::of("tenant_control_plane_id"))
}

fn hopeless(object: &ObjectRef, why: &str) -> Diagnostic {
    Diagnostic::error("Tenant cannot be used now", format!("{object} cannot be used: {why}"))
}

fn disagreement(object: &ObjectRef, why: &str) -> Diagnostic {
    Diagnostic::error(
        "TLS with the tenant failed",
        format!(
            "{object}: {why}\n\nIf the certificate lacks the name or address, add it to `network_profile.cert_sans`. \
             Something before the API that ends TLS itself (an ingress, a proxy) must pass it through."
        ),
    )
}

fn too_late(object: &ObjectRef, why: &str) -> Diagnostic {
    Diagnostic::error(
        "Tenant API does not answer",
        format!(
            "{object} did not answer in time. {why}\n\nThe address must be reachable from where Terraform runs: check the \
             Service of the control plane, firewalls and proxies. More time is given in `timeouts`."
        ),
    )
}

fn interrupted(object: &ObjectRef) -> Diagnostic {
    Diagnostic::error("Interrupted while waiting", format!("The API of {object} did not answer yet."))
}
