//! Refresh: says what has become of the token, and never makes a difference in a plan.

use std::time::Duration;

use jiff::Timestamp;
use tfplugin::private::Private;
use tfplugin::resource::{Context, ReadRequest, ReadResponse};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::payload::{expiration, token};
use super::{Memory, Scene, WorkerJoin};
use crate::kamaji::bootstrap_token::{Expiration, expiration_text};
use crate::kamaji::certificate::ca_pins;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::Operation;
use crate::tenant_cluster::reach::{Sight, Tenant};

/// The longest a refresh asks a tenant: a tenant that cannot be reached must not make every plan slow.
const QUESTION: Duration = Duration::from_secs(5);

impl WorkerJoin {
    pub(super) async fn refresh(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        let ReadRequest { mut state, private } = request;
        let diagnostics = if let Some(reason) = self.shared.offline_reason() {
            let warning = Diagnostic::warning(
                "State not refreshed",
                format!("{reason} The objects are shown as they were at the last refresh."),
            );
            self.shared.once("offline", warning)
        } else {
            match self.scene(cx, &state, "read") {
                Ok(scene) => look(&scene, &mut state, &private).await.unwrap_or_else(Diagnostics::from),
                Err(diagnostic) => diagnostic.into(),
            }
        };
        ReadResponse { state, private, diagnostics }
    }
}

async fn look(scene: &Scene, state: &mut Value, private: &Private) -> Result<Diagnostics, Diagnostic> {
    let Some(token) = token(state) else { return Ok(Diagnostics::new()) };
    let valid = expiration(state).is_none_or(|end| end > Timestamp::now());
    // The management cluster is asked with patience; the tenant is not.
    let found = scene.reach.cluster.get(&scene.operation, &scene.object).await;
    let Some(found) = found.map_err(|error| error.to_diagnostic(&format!("read {}", scene.object)))? else {
        return Ok(useless(scene, "does not exist any more").into());
    };
    let memory: Memory = private.read();
    // Made anew: the plan says so itself.
    if memory.is_of_another(found.metadata.uid.as_deref()) {
        return Ok(Diagnostics::new());
    }
    let question = Operation::new(scene.operation.remaining().min(QUESTION), &scene.operation.stop);
    let question = question.patience(Duration::ZERO);
    let tenant = match valid.then_some(scene.reach.look(&question, &scene.object)) {
        None => return Ok(Diagnostics::new()),
        Some(look) => match look.await {
            Ok(Sight::Answers(tenant)) => *tenant,
            // Asleep, not reachable from here: nothing is known to be wrong.
            _ => return Ok(Diagnostics::new()),
        },
    };
    if View::new(&tenant.live).deleting() {
        return Ok(Diagnostics::new());
    }
    if !knows_pin(&tenant, state) {
        return Ok(useless(scene, "has another CA than the user data says").into());
    }
    match tenant.api.find_token(&question, &token).await {
        Ok(Some(stored)) => {
            if let Ok(found) = &stored.found
                && let Expiration::At(end) = found.expiration
            {
                state.set("expiration", expiration_text(end).into());
            }
            Ok(Diagnostics::new())
        }
        Ok(None) => Ok(Diagnostic::warning(
            "Bootstrap token was removed",
            format!(
                "Token {} is not in {} any more, before its end. No machine can join with it. `terraform apply -replace` of \
                 this resource makes a new one.",
                token.id(),
                scene.object
            ),
        )
        .into()),
        Err(error) => {
            tracing::info!(%error, "the token was not looked for");
            Ok(Diagnostics::new())
        }
    }
}

fn knows_pin(tenant: &Tenant, state: &Value) -> bool {
    let known = state.str_at("ca_cert_hash").unwrap_or_default();
    ca_pins(&tenant.admin.parsed.ca_pem).is_ok_and(|pins| pins.iter().any(|pin| pin == known))
}

fn useless(scene: &Scene, why: &str) -> Diagnostic {
    Diagnostic::warning(
        "User data joins no machine any more",
        format!(
            "{} {why}, so no machine can join with this token. Machines are not touched by that; `terraform apply -replace` of \
             this resource makes new user data once the tenant is there.",
            scene.object
        ),
    )
}
