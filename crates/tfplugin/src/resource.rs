//! Managed resources.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::identity::IdentitySchema;
use crate::path::Path;
use crate::private::Private;
use crate::schema::Schema;
use crate::value::Value;

/// What every operation gets: the token that `StopProvider` cancels.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Cancelled when the user interrupts; operations that wait select on it and return what they have.
    pub stop: CancellationToken,
}

/// A configuration to check. Anything in it may be unknown; write-only values are present.
#[derive(Clone, Debug)]
pub struct ValidateRequest {
    /// The configuration.
    pub config: Value,
}

/// A refresh.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The object as it is in the state; right after an import, what the import returned.
    pub state: Value,
    /// What the resource remembers.
    pub private: Private,
}

/// The outcome of a refresh.
#[derive(Clone, Debug)]
pub struct ReadResponse {
    /// The object now; [`Value::Null`] if it is gone.
    pub state: Value,
    /// What to remember from now on.
    pub private: Private,
    /// Errors keep the old state.
    pub diagnostics: Diagnostics,
}

/// A plan to refine. The framework has applied the rules of [`crate::plan`] before.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// Null for a create and for the create leg of a replace.
    pub prior: Value,
    /// Null for a destroy.
    pub config: Value,
    /// What is remembered. In the create leg of a replace, what the first plan returned.
    pub private: Private,
}

/// A plan, as far as it is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The planned object; null for a destroy. Configured values must not be altered.
    pub planned: Value,
    /// The attributes whose change needs a new object.
    pub requires_replace: Vec<Path>,
    /// Goes to apply; what the framework sets is the prior private state.
    pub private: Private,
    /// Errors refuse the plan.
    pub diagnostics: Diagnostics,
}

impl Plan {
    /// Adds a diagnostic.
    pub fn say(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}

/// A create or an update to carry out. All configured values are known.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// Null for a create.
    pub prior: Value,
    /// What was promised; computed values may be unknown.
    pub planned: Value,
    /// The configuration with write-only values.
    pub config: Value,
    /// What the plan returned.
    pub private: Private,
    /// Where partial results are saved before anything can fail.
    pub checkpoint: Checkpoint,
}

/// An object to delete. There is neither a configuration nor write-only values.
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// The object as it is in the state.
    pub prior: Value,
    /// What the plan returned. In the destroy leg of a replace, what the plan of the new object returned; absent for
    /// tainted objects.
    pub private: Private,
}

/// The outcome of a create or update.
#[derive(Clone, Debug)]
pub struct ApplyResponse {
    /// The object now. With errors: as far as it was made (a created object is then tainted, never lost).
    pub state: Value,
    /// What to remember.
    pub private: Private,
    /// Errors fail the apply.
    pub diagnostics: Diagnostics,
}

/// Saves a partial result, so that a panic or an error after it loses nothing.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint(Arc<Mutex<Option<(Value, Private)>>>);

impl Checkpoint {
    /// From here on, whatever happens, at least this is saved.
    pub fn save(&self, state: &Value, private: &Private) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((state.clone(), private.clone()));
    }

    /// The last thing saved.
    pub fn last(&self) -> Option<(Value, Private)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// What an import or a move makes of an object: enough for a read.
#[derive(Clone, Debug)]
pub struct ImportResponse {
    /// An object with all other attributes null.
    pub state: Value,
    /// What the read after it gets.
    pub private: Private,
    /// Errors refuse the import or move.
    pub diagnostics: Diagnostics,
}

/// An object of another type, or of another provider, that a `moved` block wants to become one of this type.
#[derive(Clone, Debug)]
pub struct MoveRequest {
    /// Full address of the provider that has the object: `registry.terraform.io/hashicorp/kubernetes`.
    pub source_provider: String,
    /// The type that it has there.
    pub source_type: String,
    /// Version of that type's schema.
    pub source_schema_version: i64,
    /// Its state as it stands in the state file.
    pub state: serde_json::Value,
}

/// A kind of managed resource.
///
/// Operations never panic on input and never return early after a side effect: what happened so far goes into the
/// response together with the error.
#[async_trait]
pub trait Resource: Send + Sync {
    /// The full type name: `kamaji_tenant_control_plane`.
    fn type_name(&self) -> &'static str;

    /// Its description. The same reference for the life of the process.
    fn schema(&self) -> &Schema;

    /// What identifies its objects; [`None`] if nothing but the state does.
    fn identity(&self) -> Option<&'static IdentitySchema> {
        None
    }

    /// Rules across attributes; the rules of single attributes have been applied. Runs without provider
    /// configuration and makes no request.
    fn validate(&self, _request: &ValidateRequest) -> Diagnostics {
        Diagnostics::new()
    }

    /// Refines a plan, also of a destroy. No side effects; repeatable: core plans twice and compares.
    async fn plan(&self, _cx: &Context, _request: PlanRequest, plan: Plan) -> Plan {
        plan
    }

    /// Refreshes an object. Errors keep the old state.
    async fn read(&self, cx: &Context, request: ReadRequest) -> ReadResponse;

    /// Makes an object.
    async fn create(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse;

    /// Changes an object.
    async fn update(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse;

    /// Deletes an object. With an error the object stays in the state.
    async fn delete(&self, cx: &Context, request: DeleteRequest) -> Diagnostics;

    /// Reads an import id.
    async fn import(&self, _cx: &Context, _id: &str) -> ImportResponse {
        ImportResponse {
            state: Value::Null,
            private: Private::default(),
            diagnostics: Diagnostic::error(
                "Import not supported",
                format!("{} objects cannot be imported. Remove the import block.", self.type_name()),
            )
            .into(),
        }
    }

    /// Reads the identity of an object to import. Only asked of resources that have an identity; its attributes are
    /// known, and null only where they are optional.
    async fn import_identity(&self, cx: &Context, _identity: &Value) -> ImportResponse {
        self.import(cx, "").await
    }

    /// Takes over an object of another type. The provider is not configured, so this makes no request: a read follows.
    fn move_from(&self, request: &MoveRequest) -> ImportResponse {
        ImportResponse {
            state: Value::Null,
            private: Private::default(),
            diagnostics: Diagnostic::error(
                "Move between these types not supported",
                format!(
                    "A {} of {} cannot become a {}. Remove the moved block; use `terraform import` for the object and \
                     `terraform state rm` for the old address.",
                    request.source_type,
                    request.source_provider,
                    self.type_name()
                ),
            )
            .into(),
        }
    }

    /// Migrates the JSON of a state of an older schema version to the current shape. The framework reads states of
    /// the current version itself: attributes that no longer exist are ignored, missing ones are null.
    fn upgrade_state(&self, version: i64, _state: serde_json::Value) -> Result<serde_json::Value, String> {
        Err(format!("no upgrade from schema version {version} is known"))
    }
}
