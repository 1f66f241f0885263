//! Destroy: revokes the token.

use std::time::Duration;

use jiff::Timestamp;
use tfplugin::resource::{Context, DeleteRequest};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::payload::expiration;
use super::secret::revoke;
use super::{Memory, Scene, WorkerJoin};
use crate::kamaji::tenant_control_plane::View;
use crate::tenant_cluster::reach::Sight;

/// How often a tenant is asked again that does not answer.
const AGAIN: Duration = Duration::from_secs(2);

/// How a look at the token ended.
enum End {
    /// It is invalid now, or died with its tenant.
    Invalid,
    /// The tenant does not answer, for this reason; if by wish, it will not.
    Silent { why: String, by_wish: bool },
}

impl WorkerJoin {
    pub(super) async fn revoke(&self, cx: &Context, request: &DeleteRequest) -> Result<Diagnostics, Diagnostic> {
        let Some(id) = request.prior.str_at("token_id") else { return Ok(Diagnostics::new()) };
        let scene = self.scene(cx, &request.prior, "delete")?;
        let memory: Memory = request.private.read();
        loop {
            let (why, by_wish) = match scene.try_to_revoke(&request.prior, &memory).await? {
                End::Invalid => return Ok(Diagnostics::new()),
                End::Silent { why, by_wish } => (why, by_wish),
            };
            if expiration(&request.prior).is_some_and(|end| end <= Timestamp::now()) {
                return Ok(left_behind(&scene, id, &why).into());
            }
            if by_wish || scene.operation.remaining() <= AGAIN || !scene.operation.pause(AGAIN).await {
                return Err(not_revoked(&scene, &request.prior, id, &why));
            }
        }
    }
}

impl Scene {
    async fn try_to_revoke(&self, prior: &Value, memory: &Memory) -> Result<End, Diagnostic> {
        let silence = match self.reach.look(&self.operation, &self.object).await? {
            Sight::Missing => return Ok(End::Invalid),
            Sight::Answers(tenant) if memory.is_of_another(View::new(&tenant.live).uid()) => return Ok(End::Invalid),
            Sight::Answers(tenant) => {
                return match revoke(&tenant.api, &self.operation, prior, None).await {
                    Ok(()) => Ok(End::Invalid),
                    Err(error) if error.is_unreachable() => {
                        Ok(End::Silent { why: format!("Its API does not answer any more: {error}."), by_wish: false })
                    }
                    Err(error) => {
                        Err(tenant.api.diagnostic(&error, &format!("revoke the bootstrap token of {}", self.object)))
                    }
                };
            }
            Sight::Silent(silence) => silence,
        };
        let view = View::new(&silence.live);
        // A tenant on its way out takes its tokens along.
        if view.deleting() || memory.is_of_another(view.uid()) {
            return Ok(End::Invalid);
        }
        Ok(End::Silent { why: silence.why, by_wish: silence.by_wish })
    }
}

fn left_behind(scene: &Scene, id: &str, why: &str) -> Diagnostic {
    Diagnostic::warning(
        "Expired token was not removed",
        format!(
            "{} cannot be asked to remove token {id}. {why} The token has expired, so no machine can join with it; the tenant \
             removes it by itself.",
            scene.object
        ),
    )
}

fn not_revoked(scene: &Scene, prior: &Value, id: &str, why: &str) -> Diagnostic {
    Diagnostic::error(
        "Token cannot be revoked now",
        format!(
            "{} cannot be asked to revoke token {id}, with which machines can join until {}. {why}\n\nDestroy again when the \
             tenant answers or the token has expired. If the token may stay valid until then, or the control plane is to be \
             destroyed too, take the resource out of the state (`terraform state rm`).",
            scene.object,
            prior.str_at("expiration").unwrap_or("it is removed")
        ),
    )
}
