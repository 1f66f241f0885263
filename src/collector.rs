//! The way to a collector of OpenTelemetry traces: the HTTP client that asks API servers, without their credentials.

use async_trait::async_trait;
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use http::{Request, Uri};
use kube::Config;
use kube::client::{Body, Client};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tfplugin::traces::{Collector, Post};

use crate::management_cluster::{USER_AGENT as OURS, causes, proxy};

/// A client for the collector. Makes no connection.
///
/// The proxy is that of the environment (`HTTPS_PROXY`, `NO_PROXY`), as for API servers.
pub async fn connect(
    collector: &Collector,
    variable: &(dyn Fn(&str) -> Option<String> + Send + Sync),
) -> Result<Box<dyn Post>, String> {
    let mut origin = collector.url.clone().into_parts();
    let path = origin.path_and_query.replace(http::uri::PathAndQuery::from_static("/"));
    let mut config = Config::new(Uri::from_parts(origin).map_err(|error| error.to_string())?);
    config.default_retry = false;
    config.proxy_url =
        proxy::from_environment(&config.cluster_url, &|name| variable(name)).map_err(|error| error.to_string())?;
    if let Some(pem) = &collector.certificates {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let certificates = read.map_err(|error| format!("its certificates are no PEM: {error}"))?;
        config.root_cert = Some(certificates.into_iter().map(|certificate| certificate.to_vec()).collect());
    }
    // Reads the system's certificates: off the runtime's threads.
    let client =
        tokio::task::spawn_blocking(move || Client::try_from(config)).await.map_err(|error| error.to_string())?;
    let path = path.map_or_else(|| "/".to_owned(), |path| path.to_string());
    Ok(Box::new(Connection {
        client: client.map_err(|error| causes(&error))?,
        path,
        headers: collector.headers.clone(),
    }))
}

struct Connection {
    client: Client,
    path: String,
    headers: HeaderMap,
}

#[async_trait]
impl Post for Connection {
    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let mut request = Request::post(&self.path).body(Body::from(body)).map_err(|error| error.to_string())?;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(OURS));
        request.headers_mut().extend(self.headers.clone());
        let answer = self.client.send(request).await.map_err(|error| causes(&error))?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("HTTP status {}", answer.status().as_u16())) }
    }
}
