//! HTTP/2 over the plugin's unix socket, plain or with mutual TLS.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::codegen::Service;

use crate::certificate::ClientCertificate;

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// One HTTP/2 connection; clones share it.
#[derive(Clone)]
pub struct Http2(SendRequest<Body>);

impl Service<http::Request<Body>> for Http2 {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// The tasks that drive a connection.
#[derive(Clone, Default)]
pub struct Driver(Arc<Mutex<JoinSet<()>>>);

impl Driver {
    /// Closes the socket at once, as the end of the client's process does.
    pub fn abort(&self) {
        self.0.lock().unwrap().abort_all();
    }
}

impl<F> Executor<F> for Driver
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let task = async move {
            future.await;
        };
        self.0.lock().unwrap().spawn(task);
    }
}

/// Connects without TLS.
pub async fn connect_plain(socket: &Path) -> Result<(Http2, Driver), Error> {
    drive(UnixStream::connect(socket).await?).await
}

/// Connects with mutual TLS as go-plugin does: the server's certificate is the only root, its name is `localhost`, and
/// HTTP/2 must be agreed on.
pub async fn connect_tls(
    socket: &Path,
    server: &CertificateDer<'static>,
    client: &ClientCertificate,
) -> Result<(Http2, Driver), Error> {
    let mut roots = RootCertStore::empty();
    roots.add(server.clone())?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![client.der.clone()], client.key.clone_key())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = UnixStream::connect(socket).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost")?, socket).await?;
    let (_, session) = stream.get_ref();
    assert_eq!(session.alpn_protocol(), Some(b"h2".as_slice()));
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(session.peer_certificates().unwrap(), std::slice::from_ref(server));
    drive(stream).await
}

async fn drive(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<(Http2, Driver), Error> {
    let driver = Driver::default();
    let (sender, connection) = handshake(driver.clone(), TokioIo::new(stream)).await?;
    // A server that goes away ends the calls in flight, which report it.
    driver.execute(connection);
    Ok((Http2(sender), driver))
}
