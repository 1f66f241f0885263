//! The client's certificate, as go-plugin makes one for each start of a plugin.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate and its key.
pub struct ClientCertificate {
    pub der: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
}

impl ClientCertificate {
    /// ECDSA P-521, self-signed, CA:TRUE, for client and server.
    pub fn generate() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyAgreement,
            KeyUsagePurpose::KeyCertSign,
        ];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let der = parameters.self_signed(&key).unwrap().der().clone();
        ClientCertificate { der, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }

    /// With the line breaks that Go writes.
    pub fn pem(&self) -> String {
        let base64 = STANDARD.encode(&self.der).into_bytes();
        let lines: Vec<_> = base64.chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }
}

/// The sixth field of the handshake line; Go refuses padding.
pub fn decode_server_certificate(field: &str) -> CertificateDer<'static> {
    STANDARD_NO_PAD.decode(field).expect("base64 without padding").into()
}
