//! Servers that play databases well enough to be taken for them, or not.

use std::io;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A CA, and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// PEM of some DER.
pub(crate) fn pem(kind: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n")
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("ca {}", fastrand::u64(..)));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed"))
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    /// A certificate for 127.0.0.1 and its key.
    fn issue(&self) -> (CertificateDer<'static>, Vec<u8>) {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("valid");
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("signed").der().clone(), key.serialize_der())
    }

    fn client(&self) -> (String, String) {
        let (certificate, key) = self.issue();
        (pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", &key))
    }

    /// A TLS server that takes clients of this CA only.
    fn server(&self) -> tokio_rustls::TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a CA");
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().expect("valid");
        let (certificate, key) = self.issue();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate], key)
            .expect("a certificate");
        config.alpn_protocols = vec![b"h2".to_vec()];
        std::sync::Arc::new(config).into()
    }
}

/// Serves one connection; the port.
async fn serve<F: Future<Output = io::Result<()>> + Send + 'static>(
    play: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        play(stream).await
    });
    Endpoint { host: "127.0.0.1".to_owned(), port }
}

const LOGIN: Option<Login<'_>> = Some(Login { user: "root", password: "wrong" });
const ALL: [Driver; 4] = [Driver::Etcd, Driver::PostgreSql, Driver::MySql, Driver::Nats];

fn tls(ca: &Authority, client: &Authority) -> Tls {
    let (certificate, key) = client.client();
    Tls::new(&ca.pem(), Some((&certificate, &key))).expect("usable")
}

#[tokio::test]
async fn nobody_listens() {
    let endpoint = serve(|_| async { Ok(()) }).await;
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = Endpoint { port: free.local_addr().expect("an address").port(), ..endpoint };
    drop(free);
    for driver in ALL {
        let tls = tls(&Authority::new(), &Authority::new());
        let failure = try_out(driver, &closed, Some(&tls), LOGIN).await.expect_err("closed");
        assert!(matches!(&failure, Failure::Unreachable(text) if text.contains("refused")), "{driver:?}: {failure:?}");
    }
}

#[tokio::test]
async fn what_is_no_database_is_told_from_one() {
    for driver in ALL {
        for secured in [true, false] {
            let endpoint = serve(|mut stream| async move {
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await?;
                stream.read_to_end(&mut Vec::new()).await.map(drop)
            })
            .await;
            let tls = Some(tls(&Authority::new(), &Authority::new())).filter(|_| secured || driver == Driver::Etcd);
            let failure = try_out(driver, &endpoint, tls.as_ref(), LOGIN).await.expect_err("HTTP");
            assert!(matches!(failure, Failure::NotThisDatabase(_)), "{driver:?}: {failure:?}");
        }
    }
}

/// The part of each protocol before TLS.
async fn greet(driver: Driver, stream: &mut TcpStream) -> io::Result<()> {
    match driver {
        Driver::Etcd => Ok(()),
        Driver::PostgreSql => {
            stream.read_exact(&mut [0; 8]).await?;
            stream.write_all(b"S").await
        }
        Driver::MySql => {
            let mut greeting = vec![10];
            greeting.extend_from_slice(b"8\0\x01\0\0\0aaaaaaaa\0\xff\xff\x2d\x02\0\xff\x81\x15");
            greeting.extend_from_slice(&[0; 10]);
            greeting.extend_from_slice(b"bbbbbbbbbbbb\0caching_sha2_password\0");
            let length = u8::try_from(greeting.len()).expect("short");
            stream.write_all(&[&[length, 0, 0, 0], greeting.as_slice()].concat()).await?;
            stream.read_exact(&mut [0; 36]).await.map(drop)
        }
        Driver::Nats => stream.write_all(b"INFO {\"tls_required\":true,\"jetstream\":true}\r\n").await,
    }
}

async fn behind_tls(driver: Driver, server: &Authority, tls: &Tls) -> Failure {
    let acceptor = server.server();
    let endpoint = serve(move |mut stream| async move {
        greet(driver, &mut stream).await?;
        let mut stream = acceptor.accept(stream).await?;
        stream.read(&mut [0; 64]).await.map(drop)
    })
    .await;
    try_out(driver, &endpoint, Some(tls), LOGIN).await.expect_err("refused")
}

#[tokio::test]
async fn a_wrong_ca_and_a_wrong_client_certificate_are_told_apart() {
    let (server, other) = (Authority::new(), Authority::new());
    for driver in ALL {
        let failure = behind_tls(driver, &server, &tls(&other, &server)).await;
        assert!(matches!(failure, Failure::ServerCertificate(_)), "{driver:?}: {failure:?}");
        let failure = behind_tls(driver, &server, &tls(&server, &other)).await;
        assert!(matches!(failure, Failure::ClientCertificate(_)), "{driver:?}: {failure:?}");
        let none = Tls::new(&server.pem(), None).expect("usable");
        let failure = behind_tls(driver, &server, &none).await;
        assert!(matches!(failure, Failure::ClientCertificate(_)), "{driver:?}: {failure:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_a_refused_login() {
    let postgresql = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 256]).await?;
        stream.write_all(b"R\0\0\0\x08\0\0\0\x03").await?;
        let _ = stream.read(&mut [0; 256]).await?;
        stream.write_all(b"E\0\0\0\x17SFATAL\0C28P01\0Mno\0\0").await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await;
    let mysql = serve(|mut stream| async move {
        stream.write_all(b"\x09\0\0\0\xff\x15\x04#28000no").await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await;
    let nats = serve(|mut stream| async move {
        stream.write_all(b"INFO {}\r\n").await?;
        let _ = stream.read(&mut [0; 512]).await?;
        stream.write_all(b"-ERR 'Authorization Violation'\r\n").await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await;
    for (driver, endpoint) in [(Driver::PostgreSql, postgresql), (Driver::MySql, mysql), (Driver::Nats, nats)] {
        let failure = try_out(driver, &endpoint, None, LOGIN).await.expect_err("refused");
        assert!(matches!(failure, Failure::Login(_)), "{driver:?}: {failure:?}");
        assert!(!failure.to_string().contains("wrong"), "{failure}");
    }
}
