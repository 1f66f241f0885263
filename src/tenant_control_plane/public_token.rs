//! After a write: is the bootstrap token in the tenant that everybody knows?

use std::time::Duration;

use serde_json::Value as Json;
use tfplugin::{Diagnostics, Value};

use super::settle::reports_generation;
use crate::kamaji::readiness::Level;
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::Scene;
use crate::management_cluster::{Operation, json_of};
use crate::tenant_cluster::public_token::{QUESTION, is_unwanted};
use crate::tenant_cluster::reach::{Reach, Sight};

/// How long Kamaji may take, after the control plane is ready, to write what it writes into the tenant.
const PREPARATION: Duration = Duration::from_secs(20);
/// How often it is looked whether it has.
const AGAIN: Duration = Duration::from_secs(1);

/// Removes the token, with a warning if it was there. `before` is the control plane as the write found it, `live` as it is
/// now. Only if the tenant can be reached from here, and not with a Kamaji that says what it has seen: those have left no
/// token for long.
pub(super) async fn remove(
    reach: &Reach,
    scene: &Scene,
    planned: &Value,
    level: Level,
    before: &Json,
    live: &Json,
) -> Diagnostics {
    if !is_unwanted(planned)
        || level < Level::Ready
        || View::new(live).wanted_replicas() == 0
        || reports_generation(scene, live).await
    {
        return Diagnostics::new();
    }
    wait_for_preparation(scene, before, live).await;
    let question = Operation::new(scene.operation.remaining().min(QUESTION), &scene.operation.stop);
    let question = question.patience(Duration::ZERO);
    // The tenant of a `wait_for = "ready"` need not be reachable from here; then there is nothing to say.
    match tokio::time::timeout(QUESTION, reach.look(&question, &scene.object)).await {
        Ok(Ok(Sight::Answers(tenant))) => tenant.api.without_public_token(&question, &scene.object).await,
        _ => {
            tracing::info!(object = %scene.object, "the publicly known token was not looked for");
            Diagnostics::new()
        }
    }
}

/// Kamaji writes the token when the control plane is new and when its version has changed, some time after it is ready: a
/// look before that would find nothing. A control plane that is not prepared in time is left to the next apply.
async fn wait_for_preparation(scene: &Scene, before: &Json, live: &Json) {
    let (old, now) = (View::new(before), View::new(live));
    let prepared =
        |live: &Json| View::new(live).text("/status/kubeadmPhase/bootstrapToken/checksum").map(str::to_owned);
    let upgraded = old.installed_version().is_some() && old.installed_version() != now.installed_version();
    let old = prepared(before).filter(|_| upgraded);
    let limit = Operation::new(scene.operation.remaining().min(PREPARATION), &scene.operation.stop);
    let mut seen = prepared(live);
    while seen.is_none() || (old.is_some() && seen == old) {
        if limit.remaining() <= AGAIN || !limit.pause(AGAIN).await {
            return;
        }
        seen = match scene.cluster.get(&limit, &scene.object).await {
            Ok(Some(found)) => prepared(&json_of(&found)),
            Ok(None) | Err(_) => return,
        };
    }
}
