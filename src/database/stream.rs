//! Connections: TCP, TLS on top of it, and what their errors mean.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Failure;
use crate::kamaji::network::Endpoint;

/// How long a connection may take; a firewall that drops packets answers never.
const CONNECT: Duration = Duration::from_secs(5);

/// The longest message that is read.
pub(super) const LONGEST: usize = 1 << 20;

/// How a server is known, and how we are known to it.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// From PEM texts: the CA of the server, and the client certificate with its key.
    ///
    /// # Errors
    /// Texts that are no certificates or keys; they have been judged before.
    pub fn new(ca: &str, client: Option<(&str, &str)>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(ca.as_bytes()).flatten());
        if roots.is_empty() {
            return Err("the CA certificate cannot be used for TLS".to_owned());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).flatten().collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|_| "the private key cannot be read".to_owned())?;
                builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?
            }
        };
        Ok(Self(Arc::new(config)))
    }
}

/// A connection, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection whose writes do not fail because the other side has gone: what it said last is still to be read. With
/// TLS 1.3 a server judges the client certificate after the client has begun to talk; it sends the alert and closes, and
/// which of the two the client notices first is chance.
pub(super) struct HearsOut<S>(S);

impl<S: Stream> AsyncRead for HearsOut<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: Stream> AsyncWrite for HearsOut<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes).map(|written| unless_gone(written, bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context).map(|flushed| unless_gone(flushed, ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

fn unless_gone<T>(outcome: io::Result<T>, instead: T) -> io::Result<T> {
    match outcome {
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(instead),
        outcome => outcome,
    }
}

/// Opens a connection.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<TcpStream, Failure> {
    let to = (endpoint.host.as_str(), endpoint.port);
    match tokio::time::timeout(CONNECT, TcpStream::connect(to)).await {
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Failure::Unreachable(format!("Nobody listens at {endpoint} (connection refused).")))
        }
        Ok(Err(error)) => Err(Failure::Unreachable(format!("{endpoint} cannot be reached: {error}."))),
        Err(_) => Err(Failure::Unreachable(format!("{endpoint} does not answer: no connection in {CONNECT:?}."))),
    }
}

/// Puts TLS on a connection. `protocols` are offered by ALPN.
pub(super) async fn secure<S: Stream>(
    stream: S,
    endpoint: &Endpoint,
    tls: &Tls,
    protocols: &[&str],
) -> Result<HearsOut<tokio_rustls::client::TlsStream<S>>, Failure> {
    let mut config = (*tls.0).clone();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|_| {
        Failure::ServerCertificate(format!("{:?} is no name that a certificate can have.", endpoint.host))
    })?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    connecting.await.map(HearsOut).map_err(|error| of_handshake(endpoint, &error))
}

fn of_handshake(endpoint: &Endpoint, error: &io::Error) -> Failure {
    if let Some(failure) = of_tls(endpoint, error) {
        return failure;
    }
    Failure::NotThisDatabase(format!("{endpoint} does not speak TLS: {error}."))
}

/// What an error of a TLS connection says, if it is about certificates.
fn of_tls(endpoint: &Endpoint, error: &io::Error) -> Option<Failure> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(why) => Failure::ServerCertificate(match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                format!("The certificate of {endpoint} was not signed by the CA in `certificate_authority`.")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("The certificate of {endpoint} is not for {:?}: {why}.", endpoint.host)
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("The certificate of {endpoint} has expired.")
            }
            other => format!("The certificate of {endpoint} is not accepted: {other}."),
        }),
        rustls::Error::AlertReceived(alert) if is_about_the_client(*alert) => Failure::ClientCertificate(format!(
            "{endpoint} does not take the client certificate, or the lack of one (TLS alert {alert:?})."
        )),
        rustls::Error::AlertReceived(alert) => {
            Failure::Refused(format!("{endpoint} ends the TLS handshake (alert {alert:?})."))
        }
        other => Failure::NotThisDatabase(format!("{endpoint} does not speak TLS: {other}.")),
    })
}

fn is_about_the_client(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure
    )
}

/// The failure for an error while messages are exchanged. With TLS 1.3 the server judges the client certificate only
/// then.
pub(super) fn broken(endpoint: &Endpoint, wanted: &str, error: &io::Error) -> Failure {
    if let Some(failure @ (Failure::ClientCertificate(_) | Failure::Refused(_))) = of_tls(endpoint, error) {
        return failure;
    }
    Failure::NotThisDatabase(format!("{endpoint} took the connection, but does not answer like {wanted}: {error}."))
}

/// Reads exactly so many bytes.
pub(super) async fn read(stream: &mut (impl Stream + ?Sized), length: usize) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer has an absurd length"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn the_last_word_of_a_server_is_heard_after_a_write_that_came_too_late() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"alert").await.unwrap();
        drop(theirs);
        let mut ours = HearsOut(ours);
        ours.write_all(b"hello").await.unwrap();
        ours.flush().await.unwrap();
        let mut heard = String::new();
        ours.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "alert");
    }
}
