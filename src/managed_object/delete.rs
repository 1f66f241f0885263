//! Delete: protected, only the object that is meant, and nothing left behind.

use tfplugin::resource::{Context, DeleteRequest};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::destroy::{is_orphaned, nodes_may_go};
use super::locate::is_of_kamaji;
use super::memory::{Memory, NONCE};
use super::owned::owner_may_lose;
use super::unseen::CatchingUp;
use super::{Managed, ManagedResource, Scene};
use crate::management_cluster::json_of;
use crate::management_cluster::watch::{EndReason, WaitEnded, wait_until};
use crate::management_cluster::{ApiError, Deleted, Propagation};

impl<M: Managed> ManagedResource<M> {
    pub(super) async fn delete_object(&self, cx: &Context, request: DeleteRequest) -> Diagnostics {
        let DeleteRequest { prior, private } = request;
        let mut memory: Memory = private.read();
        if is_orphaned(&prior) {
            return Diagnostics::new();
        }
        let worked = memory.was_ready || self.managed.is_protected(&prior);
        if worked && self.deletion_protection(&prior) && !memory.may_delete {
            return Diagnostic::error(
                "Protected against deletion",
                format!(
                    "{} is protected: set `deletion_protection = false` and apply that first. If the object is only \
                     tainted, `terraform untaint` keeps it.",
                    self.object(&prior)
                ),
            )
            .at(tfplugin::Path::of("deletion_protection"))
            .into();
        }
        let scene = match self.scene(cx, &prior, "delete") {
            Ok(scene) => scene,
            Err(diagnostic) => return diagnostic.into(),
        };
        // What is missing in another cluster is not gone.
        if let Err(another) = self.check_cluster(&scene, &mut memory).await {
            return (*another).into();
        }
        let mut said = Diagnostics::new();
        if worked && !nodes_may_go(&prior) && !memory.may_lose_nodes {
            // Since the plan, or unseen by it, somebody may have begun to use the object.
            let loss = self.managed.loss(Some(&scene), &prior, false).await;
            if let Some(refusal) = loss.refusal {
                return refusal.into();
            }
            said.extend(loss.warnings);
        }
        let uid = match prior.str_at("uid") {
            Some(uid) => Some(uid.to_owned()),
            None => match self.uid_of_doubtful(&scene, &memory).await {
                Ok(uid) => uid,
                Err(diagnostic) => return diagnostic.into(),
            },
        };
        let Some(uid) = uid else { return Diagnostics::new() };
        if !owner_may_lose(&prior)
            && !memory.may_take_owned
            && let Err(refused) = self.check_owners(&scene, &uid).await
        {
            return refused.into();
        }
        match self.remove(&scene, &uid, &prior).await {
            Ok(stays) => said.extend(stays),
            Err(diagnostic) => said.push(diagnostic),
        }
        said
    }

    /// The object of a create whose outcome was never known, if it is there and provably ours.
    async fn uid_of_doubtful(&self, scene: &Scene, memory: &Memory) -> Result<Option<String>, Diagnostic> {
        let found = scene.cluster.get(&scene.operation, &scene.object).await;
        let found = found.map_err(|error| error.to_diagnostic(&format!("read {}", scene.object)))?;
        let live = found.as_ref().map(json_of).unwrap_or_default();
        match live["metadata"]["annotations"][NONCE].as_str() {
            Some(nonce) if nonce == memory.nonce => Ok(live["metadata"]["uid"].as_str().map(str::to_owned)),
            // In the destroy leg of a replace the nonce is that of the new object: nothing tells whose this one is.
            Some(_) => Err(Diagnostic::error(
                "Object of an unanswered create",
                format!(
                    "{} may be the object whose create got no answer, or another one. Run `terraform apply -refresh-only`, \
                     which finds out, and apply again.",
                    scene.object
                ),
            )),
            None => Ok(None),
        }
    }

    async fn remove(&self, scene: &Scene, uid: &str, prior: &Value) -> Result<Diagnostics, Diagnostic> {
        let doing = format!("delete {}", scene.object);
        let deleted = self.delete_seen(scene, uid, prior).await;
        let another = match deleted.map_err(|error| error.to_diagnostic(&doing))? {
            Deleted::Gone => {
                let found = scene.cluster.get(&scene.operation, &scene.object).await;
                found.map_err(|error| error.to_diagnostic(&doing))?.is_some()
            }
            Deleted::Going => {
                let gone = wait_until(&scene.cluster, &scene.operation, &scene.object, None, |seen| match seen {
                    None => Some(false),
                    Some(object) => (object.metadata.uid.as_deref() != Some(uid)).then_some(true),
                });
                match gone.await {
                    Ok(another) => another,
                    Err(ended) => return Err(self.stuck(scene, &ended).await),
                }
            }
        };
        // Somebody made an object of the same name: what is there belongs to that one.
        if another {
            return Ok(Diagnostics::new());
        }
        self.managed.leave_nothing(scene, prior).await
    }

    /// Asks for the end of the object, again while a webhook of Kamaji still sees users of it that are gone or going.
    async fn delete_seen(&self, scene: &Scene, uid: &str, prior: &Value) -> Result<Deleted, ApiError> {
        let mut catching_up = CatchingUp::of(scene);
        loop {
            let deleted = scene.cluster.delete(&scene.operation, &scene.object, uid, Propagation::Background).await;
            let (webhook, message) = match deleted {
                Err(ApiError::WebhookDenied { webhook, message }) if is_of_kamaji(&webhook) => (webhook, message),
                other => return other,
            };
            if self.managed.loss(Some(scene), prior, false).await.refusal.is_some() {
                return Err(ApiError::WebhookDenied { webhook, message });
            }
            if !catching_up.may_go_on().await {
                return Err(ApiError::WebhookDenied { webhook, message: catching_up.in_vain(message) });
            }
        }
    }

    async fn stuck(&self, scene: &Scene, ended: &WaitEnded) -> Diagnostic {
        let object = &scene.object;
        match &ended.reason {
            EndReason::Stopped => Diagnostic::error(
                "Interrupted while deleting",
                format!(
                    "{object} is marked for deletion and still exists. It stays in the state; destroy again to wait for its end."
                ),
            ),
            EndReason::Failed(error) => error.to_diagnostic(&format!("wait for the end of {object}")),
            EndReason::Timeout(_) => {
                let last = ended.last().map(json_of).unwrap_or_default();
                let why = self.managed.explain_stuck_delete(scene, &last).await;
                Diagnostic::error(
                    "Deleted object does not go away",
                    format!(
                        "{object} is marked for deletion but still exists.\n\n{why}\n\nIt stays in the state; destroy again when the cause is removed, or give it more time with `timeouts.delete`."
                    ),
                )
            }
        }
    }
}
