//! Managed resources but for their changes: validation, state upgrade, refresh.

use std::sync::Arc;

use super::guard::{Fallible as _, about};
use super::{Inner, dynamic, identity};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::private::Private;
use crate::proto::tfplugin6 as wire;
use crate::resource::{ReadRequest, Resource, ValidateRequest};
use crate::value::{self, Value};

impl Inner {
    /// The resource of this type.
    pub(super) fn resource(&self, type_name: &str) -> Result<&dyn Resource, Diagnostics> {
        about("tf_resource_type", type_name);
        let mut all = self.provider.resources().into_iter();
        all.find(|resource| resource.type_name() == type_name)
            .ok_or_else(|| dynamic::unknown_type("resource type", type_name))
    }
}

pub(super) async fn validate_resource_config(
    inner: Arc<Inner>,
    request: wire::validate_resource_config::Request,
) -> wire::validate_resource_config::Response {
    type Response = wire::validate_resource_config::Response;
    let check = || {
        let resource = inner.resource(&request.type_name)?;
        let write_only = request.client_capabilities.is_some_and(|client| client.write_only_attributes_allowed);
        let rules = |config| resource.validate(&ValidateRequest { config });
        dynamic::check(request.config.as_ref(), resource.schema(), write_only, rules)
    };
    Response::failed(&check().unwrap_or_else(|diagnostics: Diagnostics| diagnostics))
}

/// Reads a stored state, migrating it first if an older schema wrote it. Core calls this for every object of a state,
/// and reads an absent result as "the object is gone": whatever cannot be read must be an error.
pub(super) async fn upgrade_resource_state(
    inner: Arc<Inner>,
    request: wire::upgrade_resource_state::Request,
) -> wire::upgrade_resource_state::Response {
    type Response = wire::upgrade_resource_state::Response;
    let upgrade = || {
        let resource = inner.resource(&request.type_name)?;
        let schema = resource.schema();
        let raw = request.raw_state.as_ref().filter(|raw| !raw.json.is_empty());
        let unreadable = |problem: String| -> Diagnostics {
            Diagnostic::error(
                "Stored state not readable",
                format!(
                    "The state of this {} (schema version {}) cannot be read: {problem}. Restore the state from a \
                     backup, or use the provider version that wrote it.",
                    request.type_name, request.version
                ),
            )
            .into()
        };
        let raw = raw.ok_or_else(|| unreadable("it has no JSON form".to_owned()))?;
        let mut json = value::parse_json(&raw.json).map_err(|error| unreadable(error.to_string()))?;
        if request.version > schema.version {
            return Err(unreadable(format!("a newer provider wrote it; this one knows version {}", schema.version)));
        }
        if request.version < schema.version {
            json = resource.upgrade_state(request.version, json).map_err(&unreadable)?;
        }
        let state = value::from_json(&json, schema.object_type()).map_err(|error| unreadable(error.to_string()))?;
        if state.is_null() {
            return Err(unreadable("it is null".to_owned()));
        }
        Ok(Response { upgraded_state: Some(dynamic::write(&state, schema)), ..Response::default() })
    };
    upgrade().unwrap_or_else(|diagnostics| Response::failed(&diagnostics))
}

pub(super) async fn read_resource(
    inner: Arc<Inner>,
    request: wire::read_resource::Request,
) -> wire::read_resource::Response {
    type Response = wire::read_resource::Response;
    let read = async {
        let resource = inner.resource(&request.type_name)?;
        let deferred = inner.deferral(request.client_capabilities);
        if deferred.is_some() {
            // As it is; null for an import that was deferred too.
            let state = dynamic::read("state", request.current_state.as_ref(), resource.schema())?;
            return Ok(Response {
                new_state: Some(dynamic::write(&state, resource.schema())),
                new_identity: request.current_identity,
                private: request.private,
                diagnostics: Vec::new(),
                deferred,
            });
        }
        let state = dynamic::read_known("state", request.current_state.as_ref(), resource.schema())?;
        let private = Private::from_bytes(request.private.clone());
        let answer = resource.read(&inner.context(), ReadRequest { state, private }).await;
        Ok(Response {
            // What is not echoed is wiped from the state.
            new_identity: identity::of(resource, &answer.state).or_else(|| request.current_identity.clone()),
            new_state: Some(dynamic::write(&answer.state, resource.schema())),
            diagnostics: answer.diagnostics.to_proto(),
            private: answer.private.into_bytes(),
            deferred: None,
        })
    };
    read.await.unwrap_or_else(|diagnostics: Diagnostics| Response::failed(&diagnostics))
}

/// Nothing of an answer may be unknown once something was applied or read; what is, is a bug that must not lose the rest.
pub(super) fn resolved(state: Value, diagnostics: &mut Diagnostics) -> Value {
    if state.is_wholly_known() {
        return state;
    }
    if !diagnostics.has_errors() {
        diagnostics.push(Diagnostic::error(
            "The provider left values unknown",
            "The operation succeeded, but the provider did not fill all values. This is a bug in the provider; please \
             report it. `terraform apply -refresh-only` reads the values.",
        ));
    }
    crate::plan::without_unknowns(&state)
}
