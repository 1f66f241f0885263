//! Objects that Terraform takes over: import, move, and the configuration that is written for them.

use std::sync::Arc;

use super::guard::Fallible as _;
use super::{Inner, dynamic, identity};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::plan::to_config;
use crate::proto::tfplugin6 as wire;
use crate::resource::MoveRequest;
use crate::value::{Value, parse_json};

pub(super) async fn import_resource_state(
    inner: Arc<Inner>,
    request: wire::import_resource_state::Request,
) -> wire::import_resource_state::Response {
    type Response = wire::import_resource_state::Response;
    let import = async {
        let resource = inner.resource(&request.type_name)?;
        let cx = inner.context();
        let answer = match (&request.identity, resource.identity()) {
            _ if !request.id.is_empty() => resource.import(&cx, &request.id).await,
            (Some(data), Some(schema)) => {
                let given = identity::read(resource, schema, data)?;
                resource.import_identity(&cx, &given).await
            }
            _ => {
                let problem = format!("A {} is imported by its id. Give one.", request.type_name);
                return Err(Diagnostic::error("Import needs an id", problem).into());
            }
        };
        if answer.diagnostics.has_errors() || answer.state.is_null() {
            return Err(answer.diagnostics);
        }
        let deferred = inner.deferral(request.client_capabilities);
        // Without a state core plans what stands for the object as a new one: what it computes is unknown. Values that are
        // only not read yet would be null there, and unknown ones core cannot write down.
        let state = if deferred.is_some() { &Value::Null } else { &answer.state };
        let imported = wire::import_resource_state::ImportedResource {
            type_name: request.type_name.clone(),
            state: Some(dynamic::write(state, resource.schema())),
            identity: identity::of(resource, &answer.state),
            private: answer.private.into_bytes(),
        };
        Ok(Response { imported_resources: vec![imported], diagnostics: answer.diagnostics.to_proto(), deferred })
    };
    import.await.unwrap_or_else(|diagnostics| Response::failed(&diagnostics))
}

pub(super) async fn move_resource_state(
    inner: Arc<Inner>,
    request: wire::move_resource_state::Request,
) -> wire::move_resource_state::Response {
    type Response = wire::move_resource_state::Response;
    let take_over = || {
        let resource = inner.resource(&request.target_type_name)?;
        let raw = request.source_state.as_ref().map(|raw| raw.json.as_slice()).unwrap_or_default();
        let state = parse_json(raw).map_err(|error| {
            let (ty, provider) = (&request.source_type_name, &request.source_provider_address);
            let problem = format!(
                "The state of the {ty} of {provider} cannot be read: {error}. Remove the moved block and import the object."
            );
            Diagnostics::from(Diagnostic::error("State to move not readable", problem))
        })?;
        let answer = resource.move_from(&MoveRequest {
            source_provider: request.source_provider_address.clone(),
            source_type: request.source_type_name.clone(),
            source_schema_version: request.source_schema_version,
            state,
        });
        if answer.diagnostics.has_errors() || answer.state.is_null() {
            return Err(answer.diagnostics);
        }
        Ok(Response {
            target_state: Some(dynamic::write(&answer.state, resource.schema())),
            target_identity: identity::of(resource, &answer.state),
            target_private: answer.private.into_bytes(),
            diagnostics: answer.diagnostics.to_proto(),
        })
    };
    take_over().unwrap_or_else(|diagnostics| Response::failed(&diagnostics))
}

/// The configuration that makes such an object; core writes it down after an import. Without a state it has nothing.
pub(super) async fn generate_resource_config(
    inner: Arc<Inner>,
    request: wire::generate_resource_config::Request,
) -> wire::generate_resource_config::Response {
    type Response = wire::generate_resource_config::Response;
    let generate = || {
        let resource = inner.resource(&request.type_name)?;
        let schema = resource.schema();
        let state = match dynamic::known("state", dynamic::read("state", request.state.as_ref(), schema)?)? {
            Value::Null => schema.null_object(),
            state => state,
        };
        let config = to_config(&schema.attributes, &state);
        Ok(Response { config: Some(dynamic::write(&config, schema)), diagnostics: Vec::new() })
    };
    generate().unwrap_or_else(|diagnostics: Diagnostics| Response::failed(&diagnostics))
}
