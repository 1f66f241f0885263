//! AutoMTLS: a fresh server certificate, and a client that must present the certificate it handed over.
//!
//! Terraform's client certificate is self-signed, P-521 and CA:TRUE. webpki refuses such a certificate as an end entity,
//! and of rustls' crypto providers only aws-lc-rs knows P-521; so the certificate is compared byte by byte.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

/// How far back the certificate starts: the clock may be set back between the start and the handshake.
const CLOCK_STEP: Duration = Duration::from_secs(10 * 60);
/// How long the certificate holds; as long as the client's own.
const VALIDITY: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Why AutoMTLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// `PLUGIN_CLIENT_CERT` holds no certificate.
    #[error("PLUGIN_CLIENT_CERT is not a PEM certificate")]
    ClientCertificate(#[source] rustls::pki_types::pem::Error),
    /// The server's certificate could not be made.
    #[error("failed to make the server certificate")]
    ServerCertificate(#[from] rcgen::Error),
    /// rustls refused the configuration.
    #[error("failed to configure TLS")]
    Configuration(#[from] rustls::Error),
}

/// Server side of AutoMTLS: the certificate is made first, for the handshake line; the configuration can follow later.
pub(super) struct AutoMtls {
    pinned: CertificateDer<'static>,
    key: rcgen::KeyPair,
    der: CertificateDer<'static>,
    certificate: String,
}

impl AutoMtls {
    /// Makes the server certificate; `client_pem` (a PEM certificate) will be the only client.
    pub(super) fn new(client_pem: &str) -> Result<Self, TlsError> {
        let pinned = CertificateDer::from_pem_slice(client_pem.as_bytes()).map_err(TlsError::ClientCertificate)?;
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let now = SystemTime::now();
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()])?;
        parameters.not_before = (now - CLOCK_STEP).into();
        parameters.not_after = (now + VALIDITY).into();
        parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        let der = parameters.self_signed(&key)?.der().clone();
        let certificate = STANDARD_NO_PAD.encode(&der);
        Ok(Self { pinned, key, der, certificate })
    }

    /// DER of the server's certificate in base64, standard alphabet, no padding, as the handshake line carries it.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// TLS 1.3 only, ALPN `h2` (grpc-go 1.67 and newer insist on it).
    pub(super) fn into_config(self) -> Result<ServerConfig, TlsError> {
        let Self { pinned, key, der, .. } = self;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(PinnedClient { pinned, provider }))
            .with_single_cert(vec![der], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

/// Accepts exactly the certificate that the parent process handed over.
#[derive(Debug)]
struct PinnedClient {
    pinned: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for PinnedClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if certificate.as_ref() == self.pinned.as_ref() {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is off".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_pem() -> String {
        let der = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.der().clone();
        let base64 = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn the_certificate_field_is_unpadded_base64_of_the_der() {
        let made = AutoMtls::new(&client_pem()).unwrap();
        assert!(!made.certificate().contains('='));
        // A DER certificate is a SEQUENCE with a two-byte length.
        assert_eq!(STANDARD_NO_PAD.decode(&made.certificate).unwrap()[..2], [0x30, 0x82]);
    }

    #[test]
    fn every_start_has_its_own_certificate() {
        let client = client_pem();
        assert_ne!(AutoMtls::new(&client).unwrap().certificate, AutoMtls::new(&client).unwrap().certificate);
    }

    #[test]
    fn a_client_certificate_that_is_no_pem_is_named_by_its_variable() {
        let error = AutoMtls::new("not a certificate").err().unwrap();
        assert!(error.to_string().contains("PLUGIN_CLIENT_CERT"), "{error}");
    }

    #[test]
    fn p521_signatures_are_understood() {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let pinned = CertificateDer::from(vec![]);
        let schemes = PinnedClient { pinned, provider }.supported_verify_schemes();
        assert!(schemes.contains(&SignatureScheme::ECDSA_NISTP521_SHA512), "{schemes:?}");
    }
}
