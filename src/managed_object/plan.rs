//! Plans: protection, what is kept, and what the API server would say to the first request of the apply.

use std::time::Duration;

use kube::api::DynamicObject;
use serde_json::Value as Json;
use tfplugin::private::Private;
use tfplugin::resource::{Context, Plan, PlanRequest};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::emptied::emptied;
use super::locate;
use super::memory::{Memory, NONCE};
use super::owned::{is_controlled, is_owned};
use super::ownership::{Apply, apply};
use super::read::is_going;
use super::schema::timeout;
use super::{Managed, ManagedResource, Now, Scene};
use crate::management_cluster::{ApiError, Operation, json_of};

/// How long a plan tries an API server that does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

impl<M: Managed> ManagedResource<M> {
    pub(super) async fn plan_change(&self, cx: &Context, request: PlanRequest, mut plan: Plan) -> Plan {
        let mut memory: Memory = request.private.read();
        if request.config.is_null() {
            self.plan_delete(cx, &request.prior, memory, &mut plan).await;
            return plan;
        }
        let replacing = request.prior.is_null() && !request.private.is_empty();
        if replacing && memory.was_ready && (self.deletion_protection(&request.config) || memory.protected_in_state) {
            let object = self.object(&request.config);
            let way_out = "Set `deletion_protection = false` and apply that first; then the replacement is allowed.";
            plan.say(protected(&format!("replace {object}"), way_out));
        }
        // An object that create_before_destroy deposes is judged by its state alone, and can no longer be changed.
        memory.protected_in_state = !request.prior.is_null() && self.deletion_protection(&request.prior);
        memory.may_delete = !self.deletion_protection(&request.config);
        self.managed.review(&request.prior, &request.config, &mut plan);
        self.plan_replace(cx, &request, &mut memory, &mut plan).await;
        let rules = self.rules(&request.config);
        plan.diagnostics.extend(rules.contradictions(&request.config));
        rules.complete(&request.prior, &mut plan.planned);
        let changed = request.prior.is_null() || self.needs_write(&request.prior, &plan.planned);
        if request.prior.is_null() {
            memory = Memory {
                nonce: self.shared.nonce(&self.object(&request.config)),
                was_ready: memory.was_ready,
                may_delete: memory.may_delete,
                may_lose_nodes: memory.may_lose_nodes,
                may_take_owned: memory.may_take_owned,
                replacing,
                ..Memory::default()
            };
        }
        if memory.unsettled && !request.prior.is_null() && !changed {
            plan.planned.set(self.managed.settles(), Value::Unknown);
        }
        plan.private = Private::write(&memory);
        for path in self.intent(&plan.planned, &memory).kept.iter().filter(|_| changed) {
            plan.say(kept(path));
        }
        let checkable = changed
            && !replacing
            && plan.requires_replace.is_empty()
            && !plan.diagnostics.has_errors()
            && request.config.is_wholly_known();
        if checkable {
            let answer = self.ask_server(cx, &request, &plan.planned, &memory).await;
            plan.diagnostics.extend(answer);
        }
        plan
    }

    /// Sends what the apply's first request would send, as a dry-run. What may be made in the same apply is a warning.
    async fn ask_server(&self, cx: &Context, request: &PlanRequest, planned: &Value, memory: &Memory) -> Diagnostics {
        let settings = self.shared.settings();
        if self.shared.offline_reason().is_some() || settings.without_dry_run {
            return Diagnostics::new();
        }
        let mut scene = match self.scene(cx, planned, "read") {
            Ok(scene) => scene,
            Err(diagnostic) => return diagnostic.into(),
        };
        scene.operation = Operation::new(timeout(self.managed.schema(), planned, "read"), &cx.stop).patience(PATIENCE);
        let creating = request.prior.is_null();
        let doing = format!("{} {}", if creating { "create" } else { "update" }, scene.object);
        let (mut adopted, mut said) = (memory.clone(), Diagnostics::new());
        let mut adopting = false;
        if creating {
            match scene.cluster.get(&scene.operation, &scene.object).await {
                Ok(None) => {}
                // A tainted object looks like this: core plans it as a create, and deletes it first.
                Ok(Some(found)) if self.is_of_a_create_of_ours(&found) => return Diagnostics::new(),
                Ok(Some(found)) if Self::adopts(planned) && !is_going(&json_of(&found)) => {
                    adopted = self.adopted(&scene, &found, planned, memory);
                    said.push(will_adopt(&scene));
                    let owning = self.owning(&json_of(&found));
                    if !owning.is_empty() {
                        said.push(is_owned(&scene.object.to_string(), &owning, is_controlled(&found)));
                    }
                    adopting = true;
                }
                Ok(Some(_)) => return self.foreign(planned).into(),
                Err(error) => return self.soften(Some(error.clone()), error.to_diagnostic(&doing).into()),
            }
        }
        let memory = &adopted;
        let mut stages = vec![planned.clone()];
        if !creating {
            stages = match self.managed.stages(&scene, Now::State(&request.prior), planned).await {
                Ok(stages) => stages,
                Err(diagnostic) => return diagnostic.into(),
            };
        }
        let first = stages.first().unwrap_or(planned);
        let manifest = Json::Object(self.intent(first, memory).manifest);
        let force = planned.get("force_conflicts").as_bool().unwrap_or(false);
        let write = Apply { manifest: &manifest, memory, force, dry_run: true, prior: None };
        let look_round = async {
            // What exists has its place already: the node port that it holds is not free.
            if adopting {
                Diagnostics::new()
            } else {
                self.managed.surroundings(&scene, &settings, &request.prior, planned).await
            }
        };
        let (applied, surroundings) = tokio::join!(apply(&scene, self.managed.schema(), &write, &doing), look_round);
        said.extend(surroundings);
        match applied {
            Ok(written) => {
                said.extend(locate::warnings(written.warnings));
                if !creating {
                    let would_be = json_of(&written.object);
                    said.extend(self.managed.survey(&scene, &request.prior, planned, &would_be).await);
                }
            }
            // It is made before the object.
            Err(failed)
                if Self::makes_namespace(planned)
                    && matches!(failed.error, Some(ApiError::NamespaceMissing { .. })) => {}
            // So is what only this object needs.
            Err(failed) if failed.error.as_ref().is_some_and(|error| self.managed.will_make(planned, error)) => {}
            // The apply knows what to do then.
            Err(failed)
                if failed.error.as_ref().is_some_and(|it| emptied(it, &memory.applied, &manifest).is_some()) => {}
            Err(failed) => said.extend(self.soften(failed.error, failed.diagnostics)),
        }
        said
    }

    /// True for an object that this provider made, in this configuration or in another one.
    fn is_of_a_create_of_ours(&self, found: &DynamicObject) -> bool {
        found.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(NONCE))
    }

    /// The error for a create over an object that exists.
    pub(super) fn foreign(&self, planned: &Value) -> Diagnostic {
        let object = self.object(planned);
        Diagnostic::error(
            "Object exists already",
            format!(
                "{object} exists and is not in this state; creating it would take over somebody else's object. To manage \
                 it here, import it:\n\n  {}\n\nor set `adopt_existing = true` on this resource. Otherwise choose another name.",
                self.import_command(planned)
            ),
        )
        .at(tfplugin::Path::of("name"))
    }

    /// What an answer to a dry-run means for a plan.
    fn soften(&self, error: Option<ApiError>, diagnostics: Diagnostics) -> Diagnostics {
        match error {
            // A certificate that is not trusted is a mistake in the configuration, and does not pass like an outage.
            Some(ApiError::Tls { .. }) => diagnostics,
            // "-refresh=false", or a create: the plan goes on, and says so once.
            Some(error) if error.is_unreachable() => {
                let text = format!(
                    "{error}. The plan was made without asking the API server; what it refuses shows only at apply."
                );
                self.shared.once("unreachable", Diagnostic::warning("Plan not checked by the server", text))
            }
            Some(error @ (ApiError::NamespaceMissing { .. } | ApiError::NoSuchApi { .. })) => {
                not_there_yet(&error.to_string(), diagnostics)
            }
            // A DataStore of a control plane, a Secret of a DataStore.
            Some(ApiError::WebhookDenied { message, .. })
                if message.contains("does not exist") || message.contains("is not found") =>
            {
                not_there_yet(&message, diagnostics)
            }
            Some(error @ ApiError::WebhookUnavailable { .. }) => not_there_yet(&error.to_string(), diagnostics),
            _ => diagnostics,
        }
    }
}

fn will_adopt(scene: &Scene) -> Diagnostic {
    Diagnostic::warning(
        "Existing object will be adopted",
        format!(
            "{} exists. Since `adopt_existing = true`, it is not made but taken over and changed to what is configured; what \
             the configuration leaves out stays as it is.",
            scene.object
        ),
    )
    .at(tfplugin::Path::of("adopt_existing"))
}

fn not_there_yet(what: &str, diagnostics: Diagnostics) -> Diagnostics {
    let path = diagnostics.iter().next().map(|diagnostic| diagnostic.path.clone()).unwrap_or_default();
    Diagnostic::warning(
        "Not there yet",
        format!(
            "{what}. That is fine if it is made in the same apply, before this object; otherwise the apply will fail."
        ),
    )
    .at(path)
    .into()
}

pub(super) fn protected(what: &str, way_out: &str) -> Diagnostic {
    Diagnostic::error(
        "Protected against deletion",
        format!(
            "The plan would {what}, and with it all that it holds. {way_out} If the object is only marked as tainted, \
             `terraform untaint` keeps it."
        ),
    )
    .at(tfplugin::Path::of("deletion_protection"))
}

fn kept(path: &str) -> Diagnostic {
    Diagnostic::warning(
        "Value is kept on the server",
        format!(
            "{path} is no longer configured, but the server would lose it, or refuse to: it keeps the value that was \
             applied last. To change it, configure another value."
        ),
    )
}
