//! Refresh: the attributes that are ours as they are now, and the computed ones.

use kube::api::DynamicObject;
use serde_json::Value as Json;
use tfplugin::private::Private;
use tfplugin::resource::{Context, ReadRequest, ReadResponse};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::adoption::Adoption;
use super::mapping::refresh;
use super::memory::{Memory, NONCE};
use super::metadata::ObjectRules;
use super::owned::{is_controlled, is_owned};
use super::ownership::drift;
use super::{Managed, ManagedResource, Scene};
use crate::management_cluster::{REFRESH_PATIENCE, json_of};

impl<M: Managed> ManagedResource<M> {
    pub(super) async fn refresh(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        let ReadRequest { state, private } = request;
        if let Some(diagnostics) = self.shared.not_refreshed() {
            return ReadResponse { state, private, diagnostics };
        }
        match self.read_live(cx, &state, private.clone()).await {
            Ok(response) => response,
            Err(diagnostics) => ReadResponse { state, private, diagnostics },
        }
    }

    async fn read_live(&self, cx: &Context, state: &Value, private: Private) -> Result<ReadResponse, Diagnostics> {
        let mut scene = self.scene(cx, state, "read")?;
        scene.operation = scene.operation.patience(REFRESH_PATIENCE);
        let doing = format!("read {}", scene.object);
        let found = scene.cluster.get_shared(&scene.operation, &scene.object).await;
        let found = found.map_err(|error| Diagnostics::from(error.to_refresh_diagnostic(&doing)))?;
        let mut memory: Memory = private.read();
        // Also for what is not there: a wrong cluster must not look like one where everything has to be made again.
        self.check_cluster(&scene, &mut memory).await.map_err(|another| Diagnostics::from(*another))?;
        let gone = |private| ReadResponse { state: Value::Null, private, diagnostics: Diagnostics::new() };
        let Some(object) = found else {
            let diagnostics = self.managed.left_behind(&scene).await;
            return Ok(ReadResponse { diagnostics, ..gone(private) });
        };
        let live = json_of(&object);
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        let imported =
            memory.adopting || memory.applied.is_empty() && state.get("uid").is_null() && memory.nonce.is_empty();
        match state.str_at("uid") {
            Some(known) if known != uid => return Err(replaced(&scene, known, uid).into()),
            // A create whose outcome was never known: the nonce tells whether it arrived.
            None if !imported && live["metadata"]["annotations"][NONCE] != memory.nonce.as_str() => {
                return Ok(gone(private));
            }
            _ => {}
        }
        let (now, diagnostics) = self.state_of(&scene, state, (&object, &live), &mut memory, imported).await;
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        memory.was_ready |= imported || self.managed.is_protected(&now);
        Ok(ReadResponse { state: now, private: Private::write(&memory), diagnostics })
    }

    /// What a refresh makes of an object, given also as JSON; `imported`: nothing of it is known but what identifies it.
    pub(super) async fn state_of(
        &self,
        scene: &Scene,
        state: &Value,
        (object, live): (&DynamicObject, &Json),
        memory: &mut Memory,
        imported: bool,
    ) -> (Value, Diagnostics) {
        let schema = self.managed.schema();
        let mut diagnostics = Diagnostics::new();
        memory.owned_by = self.owning(live);
        let rules = self.rules(state);
        let state = &rules.reduced(state);
        let mut now = if imported {
            let mut taken = self.take(scene, (object, live), memory, &rules);
            rules.without_defaults(&mut taken);
            if !memory.owned_by.is_empty() {
                diagnostics.push(is_owned(&scene.object.to_string(), &memory.owned_by, is_controlled(object)));
            }
            taken
        } else {
            let now = refresh(&schema.attributes, state, live);
            diagnostics.extend(drift(schema, object, state, &now));
            now
        };
        keep_own(schema, state, &mut now);
        diagnostics.extend(self.managed.observe(scene, live, &mut now, memory).await);
        if let Some(since) = live["metadata"]["deletionTimestamp"].as_str() {
            diagnostics.push(Diagnostic::warning(
                "Object is being deleted",
                format!(
                    "{} has been marked for deletion since {since} and waits for its finalizers. It cannot be updated \
                     any more; `terraform apply` fails until it is gone, then creates it anew.",
                    scene.object
                ),
            ));
        }
        (now, diagnostics)
    }

    /// Takes an object over: what an import makes of it. Remembers what is ours from now on, and from whom.
    pub(super) fn take(
        &self,
        scene: &Scene,
        (object, live): (&DynamicObject, &Json),
        memory: &mut Memory,
        rules: &ObjectRules,
    ) -> Value {
        let adoption = Adoption::of(object, &scene.field_manager, &memory.moved_from);
        memory.adopted_from = adoption.managers();
        memory.adopting = false;
        let mut taken = super::mapping::adopt(&self.managed.schema().attributes, live, &mut |path| {
            let others = path.last().is_some_and(|key| TOOLS_OWN.contains(key)) || rules.ignores(path);
            !others && adoption.takes(path)
        });
        memory.applied = adoption.claimed(self.intent(&taken, memory).manifest);
        if adoption.is_ours() {
            // The annotation of its create belongs to it.
            memory.nonce = live["metadata"]["annotations"][NONCE].as_str().unwrap_or_default().to_owned();
        }
        for annotations in ["annotations", "annotations_all"] {
            without_nonce(&mut taken, annotations);
        }
        taken
    }
}

/// Annotations that a tool or Kamaji keeps for itself: nobody's configuration.
const TOOLS_OWN: [&str; 3] =
    ["kubectl.kubernetes.io/last-applied-configuration", "kamaji.clastix.io/soot", crate::datastore::CREDENTIALS];

/// The prior values of computed attributes, for the kind to overwrite: what cannot be observed now stays. Those that the
/// table finds in the object are read already.
fn keep_own(schema: &tfplugin::schema::Schema, state: &Value, now: &mut Value) {
    for attribute in schema.attributes.iter().filter(|it| !it.is_configurable() && it.api.is_none()) {
        now.set(attribute.name, state.get(attribute.name).clone());
    }
}

/// The annotation of a create is the provider's, not the user's.
fn without_nonce(taken: &mut Value, attribute: &str) {
    let Some(annotations) = taken.get(attribute).as_object() else { return };
    let mut annotations = annotations.clone();
    annotations.remove(NONCE);
    taken.set(attribute, if annotations.is_empty() { Value::Null } else { Value::Object(annotations) });
}

pub(super) fn replaced(scene: &Scene, known: &str, uid: &str) -> Diagnostic {
    Diagnostic::error(
        "Object was replaced outside Terraform",
        format!(
            "{} has the UID {uid}, but the state knows it as {known}: it was deleted and made again by somebody else, or \
             the provider now points to another cluster ({}).\n\nIf the cluster is the wrong one, correct the provider \
             block. If the new object should be managed, take the old one out of the state (`terraform state rm`) and \
             import the new one.",
            scene.object,
            scene.cluster.host()
        ),
    )
}

/// True for an object that waits for its finalizers.
pub(super) fn is_going(live: &Json) -> bool {
    live["metadata"]["deletionTimestamp"].is_string()
}
