//! Data sources.

use std::sync::Arc;

use super::guard::{Fallible as _, about};
use super::{Inner, deferral, dynamic};
use crate::data_source::DataSource;
use crate::diagnostics::Diagnostics;
use crate::proto::tfplugin6 as wire;

impl Inner {
    fn data_source(&self, type_name: &str) -> Result<&dyn DataSource, Diagnostics> {
        about("tf_data_source_type", type_name);
        let mut all = self.provider.data_sources().into_iter();
        all.find(|source| source.type_name() == type_name)
            .ok_or_else(|| dynamic::unknown_type("data source", type_name))
    }
}

pub(super) async fn validate_data_resource_config(
    inner: Arc<Inner>,
    request: wire::validate_data_resource_config::Request,
) -> wire::validate_data_resource_config::Response {
    type Response = wire::validate_data_resource_config::Response;
    let check = || {
        let source = inner.data_source(&request.type_name)?;
        dynamic::check(request.config.as_ref(), source.schema(), false, |config| source.validate(&config))
    };
    Response::failed(&check().unwrap_or_else(|diagnostics: Diagnostics| diagnostics))
}

pub(super) async fn read_data_source(
    inner: Arc<Inner>,
    request: wire::read_data_source::Request,
) -> wire::read_data_source::Response {
    type Response = wire::read_data_source::Response;
    let read = async {
        let source = inner.data_source(&request.type_name)?;
        let config = dynamic::read_known("configuration", request.config.as_ref(), source.schema())?;
        let deferred = inner.deferral(request.client_capabilities);
        if deferred.is_some() {
            let state = deferral::placeholder(source.schema(), &config);
            return Ok(Response {
                state: Some(dynamic::write(&state, source.schema())),
                diagnostics: Vec::new(),
                deferred,
            });
        }
        let (state, diagnostics) = source.read(&inner.context(), config).await?;
        Ok(Response {
            state: Some(dynamic::write(&state, source.schema())),
            diagnostics: diagnostics.to_proto(),
            deferred: None,
        })
    };
    read.await.unwrap_or_else(|diagnostics: Diagnostics| Response::failed(&diagnostics))
}
