//! Refresh: says what has become of the token, and what the tenant's CA and address are now.

use std::time::Duration;

use jiff::Timestamp;
use tfplugin::private::Private;
use tfplugin::resource::{Context, ReadRequest, ReadResponse};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::payload::{expiration, token};
use super::renewal::{Policy, Status, renew_before};
use super::{Memory, Scene, WorkerJoin, subject};
use crate::kamaji::bootstrap_token::{Expiration, expiration_text};
use crate::kamaji::certificate::ca_pins;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::Operation;
use crate::tenant_cluster::bootstrap_token::Owner;
use crate::tenant_cluster::reach::{Sight, Tenant};

/// The longest a refresh asks a tenant: a tenant that cannot be reached must not make every plan slow.
const QUESTION: Duration = Duration::from_secs(5);

impl WorkerJoin {
    pub(super) async fn refresh(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        let ReadRequest { mut state, private } = request;
        let diagnostics = if let Some(said) = self.shared.not_refreshed() {
            said
        } else {
            match self.scene(cx, &state, "read") {
                Ok(scene) => self.look(&scene, &mut state, &private).await.unwrap_or_else(Diagnostics::from),
                Err(diagnostic) => diagnostic.into(),
            }
        };
        ReadResponse { state, private, diagnostics }
    }

    async fn look(&self, scene: &Scene, state: &mut Value, private: &Private) -> Result<Diagnostics, Diagnostic> {
        if state.str_at("token_id").is_none() {
            return Ok(Diagnostics::new());
        }
        // The management cluster is asked with patience; the tenant is not.
        let found = scene.reach.cluster.get(&scene.operation, &scene.object).await;
        let Some(found) = found.map_err(|error| error.to_diagnostic(&format!("read {}", scene.object)))? else {
            return Ok(useless(scene).into());
        };
        let memory: Memory = private.read();
        // Made anew: the plan says so itself.
        if memory.is_of_another(found.metadata.uid.as_deref()) {
            return Ok(Diagnostics::new());
        }
        let question = Operation::new(scene.operation.remaining().min(QUESTION), &scene.operation.stop);
        let question = question.patience(Duration::ZERO);
        match tokio::time::timeout(QUESTION, scene.reach.look(&question, &scene.object)).await {
            Ok(Ok(Sight::Answers(tenant))) if View::new(&tenant.live).deleting() => Ok(Diagnostics::new()),
            Ok(Ok(Sight::Answers(tenant))) => Ok(seen(scene, &question, &tenant, state, &memory).await),
            // Asleep, not reachable from here: nothing is known to be wrong, and what would be due cannot be done now.
            Ok(Ok(Sight::Silent(silence))) => Ok(self.silent(state, scene, &silence.why)),
            Err(_) => Ok(self.silent(state, scene, "It did not answer within 5 seconds.")),
            Ok(Ok(Sight::Missing) | Err(_)) => Ok(Diagnostics::new()),
        }
    }

    /// The state stays as it is, so that the plan stays empty; a warning if there would be something to do.
    fn silent(&self, state: &Value, scene: &Scene, why: &str) -> Diagnostics {
        let by_the_clock = Status::at(Timestamp::now(), expiration(state), renew_before(state));
        if !by_the_clock.is_due() || Policy::of(state) == Policy::Never {
            return Diagnostics::new();
        }
        let warning = Diagnostic::warning(
            "Token cannot be renewed now",
            format!(
                "{} is not asked about its bootstrap tokens. {why} The state stays as it is; the first plan that reaches the \
                 tenant renews what is due.",
                scene.object
            ),
        );
        self.shared.once("tenant of a join is silent", warning)
    }
}

/// Notes what a tenant that answers says.
async fn seen(scene: &Scene, question: &Operation, tenant: &Tenant, state: &mut Value, memory: &Memory) -> Diagnostics {
    let id = state.str_at("token_id").unwrap_or_default().to_owned();
    let stored = match tenant.api.find_token(question, &id).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::info!(%error, "the token was not looked for");
            return Diagnostics::new();
        }
    };
    let mut diagnostics = tenant_now(tenant, state, memory);
    let join_id = state.str_at("join_id").map(str::to_owned);
    let known = token(state);
    let owner = Owner { token: known.as_ref(), join_id: join_id.as_deref() };
    let now = Timestamp::now();
    let status = match stored.filter(|stored| stored.is_of(&owner)) {
        Some(stored) => {
            match stored.found.as_ref().map(|found| found.expiration) {
                Ok(Expiration::At(end)) => state.set("expiration", expiration_text(end).into()),
                Ok(Expiration::Never) => state.set("expiration", Value::Null),
                Ok(Expiration::Unreadable) | Err(_) => {}
            }
            Status::at(now, expiration(state), renew_before(state))
        }
        // The tenant removes what has expired.
        None if expiration(state).is_some_and(|end| end <= now) => Status::Expired,
        None => Status::Revoked,
    };
    let before = Status::of(state);
    state.set("status", status.word().into());
    if status == Status::Revoked && Policy::of(state) == Policy::Never {
        diagnostics.push(revoked(scene, state));
    } else if status != before {
        tracing::info!(id, status = status.word(), "the status of a token has changed");
    }
    diagnostics
}

/// Notes the tenant's CA and address.
fn tenant_now(tenant: &Tenant, state: &mut Value, memory: &Memory) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let kubeconfig = &tenant.admin.parsed;
    if let Ok(pins) = ca_pins(&kubeconfig.ca_pem) {
        let pins = Value::strings(pins);
        if *state.get("ca_cert_hashes") != pins {
            diagnostics.push(Diagnostic::warning(
                "Tenant has another CA",
                format!(
                    "The CA of {} is not the one that the user data says, so no machine joins with it any more. An apply \
                     renders it anew; nodes that have joined have to join again.",
                    subject(state)
                ),
            ));
            state.set("ca_cert_hashes", pins);
            state.set("ca_certificate", kubeconfig.ca_pem.as_str().into());
        }
    }
    if !memory.own_endpoint
        && let Ok(endpoint) = kubeconfig.endpoint()
    {
        state.set("endpoint", endpoint.to_string().into());
    }
    diagnostics
}

fn revoked(scene: &Scene, state: &Value) -> Diagnostic {
    Diagnostic::warning(
        "Bootstrap token was removed",
        format!(
            "Token {} is not in {} any more, before its end: somebody revoked it. No machine can join with it. A change of \
             keepers, or `terraform apply -replace` of this resource, makes a new one.",
            state.str_at("token_id").unwrap_or_default(),
            scene.object
        ),
    )
}

fn useless(scene: &Scene) -> Diagnostic {
    Diagnostic::warning(
        "User data joins no machine any more",
        format!(
            "{} does not exist any more, so no machine can join with this token. Machines are not touched by that; `terraform \
             apply -replace` of this resource makes new user data once the tenant is there.",
            scene.object
        ),
    )
}
