//! Ephemeral resources.

use std::sync::Arc;
use std::time::SystemTime;

use super::guard::{Fallible as _, about};
use super::{Inner, deferral, dynamic};
use crate::diagnostics::Diagnostics;
use crate::ephemeral::EphemeralResource;
use crate::private::Private;
use crate::proto::tfplugin6 as wire;

impl Inner {
    fn ephemeral(&self, type_name: &str) -> Result<&dyn EphemeralResource, Diagnostics> {
        about("tf_ephemeral_resource_type", type_name);
        let mut all = self.provider.ephemeral_resources().into_iter();
        all.find(|ephemeral| ephemeral.type_name() == type_name)
            .ok_or_else(|| dynamic::unknown_type("ephemeral resource type", type_name))
    }
}

pub(super) async fn validate_ephemeral_resource_config(
    inner: Arc<Inner>,
    request: wire::validate_ephemeral_resource_config::Request,
) -> wire::validate_ephemeral_resource_config::Response {
    type Response = wire::validate_ephemeral_resource_config::Response;
    let check = || {
        let ephemeral = inner.ephemeral(&request.type_name)?;
        dynamic::check(request.config.as_ref(), ephemeral.schema(), false, |config| ephemeral.validate(&config))
    };
    Response::failed(&check().unwrap_or_else(|diagnostics: Diagnostics| diagnostics))
}

pub(super) async fn open_ephemeral_resource(
    inner: Arc<Inner>,
    request: wire::open_ephemeral_resource::Request,
) -> wire::open_ephemeral_resource::Response {
    type Response = wire::open_ephemeral_resource::Response;
    let open = async {
        let ephemeral = inner.ephemeral(&request.type_name)?;
        let config = dynamic::read_known("configuration", request.config.as_ref(), ephemeral.schema())?;
        // Core opens with no capabilities at all, also where it takes a deferral.
        let deferred = inner.deferral(request.client_capabilities).or_else(|| inner.deferral(*inner.client()));
        if deferred.is_some() {
            let result = deferral::placeholder(ephemeral.schema(), &config);
            return Ok(Response {
                result: Some(dynamic::write(&result, ephemeral.schema())),
                deferred,
                ..Response::default()
            });
        }
        let opened = ephemeral.open(&inner.context(), config).await?;
        Ok(Response {
            diagnostics: opened.diagnostics.to_proto(),
            renew_at: opened.renew_at.map(timestamp),
            result: Some(dynamic::write(&opened.result, ephemeral.schema())),
            private: Some(opened.private.into_bytes()),
            deferred: None,
        })
    };
    open.await.unwrap_or_else(|diagnostics: Diagnostics| Response::failed(&diagnostics))
}

pub(super) async fn renew_ephemeral_resource(
    inner: Arc<Inner>,
    request: wire::renew_ephemeral_resource::Request,
) -> wire::renew_ephemeral_resource::Response {
    type Response = wire::renew_ephemeral_resource::Response;
    let opened = request.private.clone();
    let renew = async {
        let ephemeral = inner.ephemeral(&request.type_name)?;
        let private = Private::from_bytes(request.private.unwrap_or_default());
        let (private, renew_at) = ephemeral.renew(&inner.context(), private).await?;
        Ok(Response { diagnostics: Vec::new(), renew_at: renew_at.map(timestamp), private: Some(private.into_bytes()) })
    };
    // OpenTofu closes with what comes back, also after a failure.
    renew
        .await
        .unwrap_or_else(|diagnostics: Diagnostics| Response { private: opened, ..Response::failed(&diagnostics) })
}

pub(super) async fn close_ephemeral_resource(
    inner: Arc<Inner>,
    request: wire::close_ephemeral_resource::Request,
) -> wire::close_ephemeral_resource::Response {
    let diagnostics = match inner.ephemeral(&request.type_name) {
        Ok(ephemeral) => {
            let private = Private::from_bytes(request.private.unwrap_or_default());
            ephemeral.close(&inner.context(), private).await
        }
        Err(diagnostics) => diagnostics,
    };
    wire::close_ephemeral_resource::Response::failed(&diagnostics)
}

fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    prost_types::Timestamp::from(time)
}
