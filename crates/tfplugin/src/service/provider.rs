//! The provider as a whole: schemas, configuration, stop.

use std::sync::Arc;

use super::guard::Fallible as _;
use super::{Inner, dynamic};
use crate::proto::tfplugin6 as wire;
use crate::schema::validate::validate;

/// What this framework does beyond the first release of the protocol. Core may reuse a cached schema, so nothing here
/// depends on `GetProviderSchema` having been called.
pub(super) fn capabilities() -> wire::ServerCapabilities {
    wire::ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: true,
        generate_resource_config: true,
    }
}

pub(super) async fn get_metadata(
    inner: Arc<Inner>,
    _request: wire::get_metadata::Request,
) -> wire::get_metadata::Response {
    use wire::get_metadata as metadata;
    let provider = &inner.provider;
    let resources = provider.resources().iter().map(|r| r.type_name().to_owned()).collect::<Vec<_>>();
    let data_sources = provider.data_sources().iter().map(|d| d.type_name().to_owned()).collect::<Vec<_>>();
    let ephemerals = provider.ephemeral_resources().iter().map(|e| e.type_name().to_owned()).collect::<Vec<_>>();
    let lists = provider.list_resources().iter().map(|l| l.type_name().to_owned()).collect::<Vec<_>>();
    let functions = provider.functions().iter().map(|function| function.name().to_owned()).collect::<Vec<_>>();
    let actions = provider.actions().iter().map(|action| action.type_name().to_owned()).collect::<Vec<_>>();
    metadata::Response {
        server_capabilities: Some(capabilities()),
        resources: resources.into_iter().map(|type_name| metadata::ResourceMetadata { type_name }).collect(),
        data_sources: data_sources.into_iter().map(|type_name| metadata::DataSourceMetadata { type_name }).collect(),
        ephemeral_resources: ephemerals
            .into_iter()
            .map(|type_name| metadata::EphemeralMetadata { type_name })
            .collect(),
        list_resources: lists.into_iter().map(|type_name| metadata::ListResourceMetadata { type_name }).collect(),
        functions: functions.into_iter().map(|name| metadata::FunctionMetadata { name }).collect(),
        actions: actions.into_iter().map(|type_name| metadata::ActionMetadata { type_name }).collect(),
        ..metadata::Response::default()
    }
}

pub(super) async fn validate_provider_config(
    inner: Arc<Inner>,
    request: wire::validate_provider_config::Request,
) -> wire::validate_provider_config::Response {
    type Response = wire::validate_provider_config::Response;
    let schema = inner.provider.schema();
    match dynamic::read_object("provider configuration", request.config.as_ref(), schema) {
        Ok(config) => {
            let mut diagnostics = validate(schema, &config, false);
            diagnostics.extend(inner.provider.validate(&config));
            Response::failed(&diagnostics)
        }
        Err(diagnostics) => Response::failed(&diagnostics),
    }
}

pub(super) async fn configure_provider(
    inner: Arc<Inner>,
    request: wire::configure_provider::Request,
) -> wire::configure_provider::Response {
    type Response = wire::configure_provider::Response;
    *inner.client() = request.client_capabilities;
    let diagnostics =
        match dynamic::read_object("provider configuration", request.config.as_ref(), inner.provider.schema()) {
            Ok(config) => inner.provider.configure(config, &request.terraform_version).await,
            Err(diagnostics) => diagnostics,
        };
    Response::failed(&diagnostics)
}

/// Ends what is running; the server goes on, since core still waits for the results and may still close ephemerals.
pub(super) async fn stop_provider(
    inner: Arc<Inner>,
    _request: wire::stop_provider::Request,
) -> wire::stop_provider::Response {
    tracing::info!("stopping: operations return what they have");
    inner.stop_all();
    wire::stop_provider::Response::default()
}
