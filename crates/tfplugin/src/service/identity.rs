//! Identities on the wire.

use std::sync::Arc;

use super::guard::Fallible as _;
use super::{Inner, dynamic};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::identity::{IdentityAttribute, IdentitySchema};
use crate::proto::tfplugin6 as wire;
use crate::resource::Resource;
use crate::schema::Schema;
use crate::value::{self, Value};

pub(super) async fn get_resource_identity_schemas(
    inner: Arc<Inner>,
    _request: wire::get_resource_identity_schemas::Request,
) -> wire::get_resource_identity_schemas::Response {
    let resources = inner.provider.resources();
    let identity_schemas = resources
        .iter()
        .filter_map(|it| Some((it.type_name().to_owned(), to_proto(it.identity()?, it.schema()))))
        .collect();
    wire::get_resource_identity_schemas::Response { identity_schemas, diagnostics: Vec::new() }
}

fn to_proto(identity: &IdentitySchema, schema: &Schema) -> wire::ResourceIdentitySchema {
    use wire::resource_identity_schema::IdentityAttribute as Attribute;
    let attributes = identity.attributes.iter().map(|attribute| Attribute {
        name: attribute.name.to_owned(),
        r#type: schema
            .attribute(attribute.name)
            .map(|found| found.value_type().to_json_bytes().into())
            .unwrap_or_default(),
        required_for_import: !attribute.optional,
        optional_for_import: attribute.optional,
        description: attribute.description.to_owned(),
    });
    wire::ResourceIdentitySchema { version: identity.version, identity_attributes: attributes.collect() }
}

/// Reads a stored identity. Core asks only if it was written in another version; nothing stored is nothing to upgrade.
pub(super) async fn upgrade_resource_identity(
    inner: Arc<Inner>,
    request: wire::upgrade_resource_identity::Request,
) -> wire::upgrade_resource_identity::Response {
    type Response = wire::upgrade_resource_identity::Response;
    let upgrade = || {
        let resource = inner.resource(&request.type_name)?;
        let unreadable = |problem: String| -> Diagnostics {
            Diagnostic::error(
                "Stored identity not readable",
                format!(
                    "The identity of this {} (version {}) cannot be read: {problem}. Use the provider version that wrote \
                     it, or restore the state from a backup.",
                    request.type_name, request.version
                ),
            )
            .into()
        };
        let Some(identity) = resource.identity() else {
            return Err(unreadable("objects of this type have none".to_owned()));
        };
        let Some(raw) = request.raw_identity.as_ref().filter(|raw| !raw.json.is_empty()) else {
            return Ok(Response::default());
        };
        if request.version > identity.version {
            return Err(unreadable(format!("this provider knows version {}", identity.version)));
        }
        let json = value::parse_json(&raw.json).map_err(|error| unreadable(error.to_string()))?;
        let ty = identity.object_type(resource.schema());
        // Attributes that are no longer there are passed over.
        let found = value::from_json(&json, &ty).map_err(|error| unreadable(error.to_string()))?;
        if let Some(name) = lacking(identity, &found) {
            return Err(unreadable(format!("it has no `{name}`")));
        }
        Ok(Response { upgraded_identity: data(resource, &found), ..Response::default() })
    };
    upgrade().unwrap_or_else(|diagnostics| Response::failed(&diagnostics))
}

/// The identity of the object of a state; [`None`] if there is no object, or no identity.
pub(super) fn of(resource: &dyn Resource, state: &Value) -> Option<wire::ResourceIdentityData> {
    data(resource, &resource.identity()?.of(state))
}

/// The identity that a plan promises.
pub(super) fn planned(
    resource: &dyn Resource,
    prior: &Value,
    planned: &Value,
    replaced: bool,
) -> Option<wire::ResourceIdentityData> {
    data(resource, &resource.identity()?.planned(prior, planned, replaced))
}

/// A promised identity for an object that has none of its own, after a failure. What was not known yet is none: core takes
/// only identities without unknown values, and its error about them would stand before the one that matters.
pub(super) fn known(
    resource: &dyn Resource,
    promised: Option<&wire::ResourceIdentityData>,
) -> Option<wire::ResourceIdentityData> {
    let ty = resource.identity()?.object_type(resource.schema());
    let value = dynamic::read_type("identity", promised?.identity_data.as_ref(), &ty).ok()?;
    value.is_wholly_known().then(|| promised.cloned()).flatten()
}

/// Reads what core sends for an import.
pub(super) fn read(
    resource: &dyn Resource,
    identity: &IdentitySchema,
    data: &wire::ResourceIdentityData,
) -> Result<Value, Diagnostics> {
    let ty = identity.object_type(resource.schema());
    let given = dynamic::known("identity", dynamic::read_type("identity", data.identity_data.as_ref(), &ty)?)?;
    // Core looks for the presence of an attribute, not for null.
    match lacking(identity, &given) {
        Some(name) => {
            let problem =
                format!("`{name}` is null, so the identity names no {}. Give it a value.", resource.type_name());
            Err(Diagnostic::error("Identity is not complete", problem).into())
        }
        None => Ok(given),
    }
}

/// The first attribute without which an identity names nothing, and that this one lacks.
fn lacking(identity: &IdentitySchema, given: &Value) -> Option<&'static str> {
    let lacks = |attribute: &&IdentityAttribute| !attribute.optional && given.get(attribute.name).is_null();
    identity.attributes.iter().find(lacks).map(|attribute| attribute.name)
}

fn data(resource: &dyn Resource, identity: &Value) -> Option<wire::ResourceIdentityData> {
    let ty = resource.identity()?.object_type(resource.schema());
    let msgpack = || value::encode(identity, &ty);
    (!identity.is_null()).then(|| wire::ResourceIdentityData {
        identity_data: Some(wire::DynamicValue { msgpack: msgpack(), json: Vec::new() }),
    })
}
