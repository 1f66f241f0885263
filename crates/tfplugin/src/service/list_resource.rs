//! List resources.

use std::sync::Arc;

use futures::StreamExt as _;
use tonic::Status;
use tonic::codegen::BoxStream;
use tracing::Instrument as _;

use super::guard::{Fallible as _, about, panicked, span};
use super::{Inner, dynamic, identity};
use crate::diagnostics::Diagnostics;
use crate::list_resource::{ListRequest, ListResource, Listed, Said, listing};
use crate::proto::tfplugin6 as wire;
use crate::resource::Resource;

impl Inner {
    fn list_resource(&self, type_name: &str) -> Result<&dyn ListResource, Diagnostics> {
        about("tf_list_resource_type", type_name);
        let mut all = self.provider.list_resources().into_iter();
        all.find(|list| list.type_name() == type_name)
            .ok_or_else(|| dynamic::unknown_type("list resource type", type_name))
    }
}

pub(super) async fn validate_list_resource_config(
    inner: Arc<Inner>,
    request: wire::validate_list_resource_config::Request,
) -> wire::validate_list_resource_config::Response {
    type Response = wire::validate_list_resource_config::Response;
    let check = || {
        let list = inner.list_resource(&request.type_name)?;
        dynamic::check(request.config.as_ref(), list.schema(), false, |config| list.validate(&config))
    };
    Response::failed(&check().unwrap_or_else(|diagnostics: Diagnostics| diagnostics))
}

/// The objects as they are found. The work ends at the limit (0: none), on an interrupt, and when the client drops the
/// stream, which core does as soon as it has enough.
pub(super) fn list_resource(
    inner: Arc<Inner>,
    request: wire::list_resource::Request,
) -> BoxStream<wire::list_resource::Event> {
    let limit = u64::try_from(request.limit).ok().filter(|limit| *limit > 0);
    let cx = inner.context();
    let (stop, found_by, type_name) = (cx.stop.clone(), Arc::clone(&inner), request.type_name.clone());
    let span = span("list_resource");
    let found = listing(limit, stop, move |mut results| {
        let find = async move {
            let list = found_by.list_resource(&request.type_name)?;
            let config = dynamic::read_known("configuration", request.config.as_ref(), list.schema())?;
            let request = ListRequest { config, include_object: request.include_resource_object, limit };
            list.list(&cx, request, &mut results).await
        };
        find.instrument(span)
    });
    let event = move |said| match said {
        Ok(Said::Found(listed)) => match inner.resource(&type_name) {
            Ok(resource) => event(resource, &listed),
            Err(diagnostics) => problem(&diagnostics),
        },
        Ok(Said::Problem(diagnostics)) => problem(&diagnostics),
        Err(error) => problem(&panicked("list_resource", error).into()),
    };
    Box::pin(found.map(move |said| Ok::<_, Status>(event(said))))
}

fn event(resource: &dyn Resource, listed: &Listed) -> wire::list_resource::Event {
    wire::list_resource::Event {
        identity: identity::of(resource, &listed.identity),
        display_name: listed.display_name.clone(),
        resource_object: listed.object.as_ref().map(|object| dynamic::write(object, resource.schema())),
        diagnostic: listed.diagnostics.to_proto(),
    }
}

/// Core takes an event without an identity only if it has a diagnostic.
fn problem(diagnostics: &Diagnostics) -> wire::list_resource::Event {
    wire::list_resource::Event { diagnostic: diagnostics.to_proto(), ..wire::list_resource::Event::default() }
}
