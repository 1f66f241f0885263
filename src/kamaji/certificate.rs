//! Certificates and private keys: PEM, the pin that kubeadm checks, names, expiry, and what fits what.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys};
use sha2::{Digest, Sha256};
use tfplugin::schema::Problem;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate: what is worth showing or comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The begin of its life.
    pub not_before: Timestamp,
    /// The end of its life.
    pub not_after: Timestamp,
    /// DNS names and IP addresses that it is good for.
    pub subject_alternative_names: SubjectAlternativeNames,
    /// The common name of its subject: in etcd the name of the user.
    pub common_name: Option<String>,
    /// True if it may sign others.
    pub is_authority: bool,
    /// SHA-256 of the whole certificate, lower-case hex. Changes with every renewal.
    pub fingerprint: String,
    /// `sha256:` and the SHA-256 of the public key (SubjectPublicKeyInfo): what kubeadm takes as
    /// `--discovery-token-ca-cert-hash`. Stays when a certificate is renewed with the same key.
    pub public_key_pin: String,
}

/// What a certificate is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectAlternativeNames {
    /// DNS names, lower case; wildcards as they are.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ip: Vec<IpAddr>,
}

impl SubjectAlternativeNames {
    /// True if a name or address of `spec.networkProfile.certSANs` is in the list, literally: a wildcard in the
    /// certificate does not stand for a name that was asked for.
    pub fn contains(&self, name: &str) -> bool {
        match name.parse::<IpAddr>() {
            Ok(address) => self.ip.contains(&address),
            Err(_) => self.dns.iter().any(|dns| dns.eq_ignore_ascii_case(name)),
        }
    }
}

fn unreadable(what: &str) -> Problem {
    Problem::new("Certificate cannot be read", format!("The certificate {what}."))
}

/// Reads every certificate of a PEM text, in order. Other blocks (keys) are passed over.
///
/// # Errors
/// No certificate in it, or one that is broken. The text itself is never repeated: a private key may be in it.
pub fn read_pem(pem: &str) -> Result<Vec<Certificate>, Problem> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|der| read_der(&der.map_err(|_| unreadable("is not well-formed PEM"))?))
        .collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() { Err(unreadable(&not_pem(pem, "CERTIFICATE"))) } else { Ok(certificates) }
}

/// Reads one certificate.
///
/// # Errors
/// Not an X.509 certificate.
pub fn read_der(der: &[u8]) -> Result<Certificate, Problem> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| unreadable("is PEM, but not an X.509 certificate inside"))?;
    let not_after = Timestamp::from_second(certificate.validity().not_after.timestamp())
        .map_err(|_| unreadable("has an end of life that is no date"))?;
    let not_before = Timestamp::from_second(certificate.validity().not_before.timestamp())
        .map_err(|_| unreadable("has a begin of life that is no date"))?;
    let mut names = SubjectAlternativeNames::default();
    if let Ok(Some(extension)) = certificate.subject_alternative_name() {
        for name in &extension.value.general_names {
            match name {
                GeneralName::DNSName(dns) => names.dns.push(dns.to_ascii_lowercase()),
                GeneralName::IPAddress(bytes) => names.ip.extend(address(bytes)),
                _ => {}
            }
        }
    }
    let common_name = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok()).map(str::to_owned);
    Ok(Certificate {
        not_before,
        not_after,
        common_name,
        is_authority: certificate.is_ca(),
        subject_alternative_names: names,
        fingerprint: sha256_hex(der),
        public_key_pin: format!("sha256:{}", sha256_hex(certificate.public_key().raw)),
    })
}

/// The pins of every CA in a bundle, in order: `kubeadm join` takes one flag for each.
///
/// # Errors
/// As [`read_pem`].
pub fn ca_pins(pem: &str) -> Result<Vec<String>, Problem> {
    Ok(read_pem(pem)?.into_iter().map(|certificate| certificate.public_key_pin).collect())
}

/// Reads the private key of a PEM text: PKCS#1, SEC1 or PKCS#8, not encrypted.
///
/// # Errors
/// No key in it, or one that cannot be used. The text itself is never repeated.
pub fn read_key(pem: &str) -> Result<Arc<dyn SigningKey>, Problem> {
    let unreadable = |what: &str| Problem::new("Private key cannot be read", format!("The private key {what}."));
    if pem.contains("ENCRYPTED") {
        return Err(unreadable("is encrypted, and nobody could give the passphrase. Decrypt it first"));
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable(&not_pem(pem, "PRIVATE KEY")))?;
    any_supported_type(&key).map_err(|_| unreadable("is PEM, but not an RSA, ECDSA or Ed25519 key inside"))
}

/// Why a text is no PEM of a kind.
fn not_pem(text: &str, kind: &str) -> String {
    // "-----BEGIN", in base64.
    if text.trim_start().starts_with("LS0tLS1CRUdJT") {
        return "is base64 of a PEM text, as in a kubeconfig or a Secret's manifest. Decode it with base64decode()"
            .to_owned();
    }
    format!("text has no well-formed \"BEGIN {kind}\" block")
}

/// Whether a private key belongs to a certificate.
///
/// # Errors
/// It belongs to another one.
pub fn check_pair(certificate: &str, key: &Arc<dyn SigningKey>) -> Result<(), Problem> {
    let Some(Ok(der)) = CertificateDer::pem_slice_iter(certificate.as_bytes()).next() else { return Ok(()) };
    match CertifiedKey::new(vec![der], Arc::clone(key)).keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(Problem::new(
            "Private key of another certificate",
            "The private key does not belong to the certificate: their public keys differ. Give the two that were made \
             together.",
        )),
        _ => Ok(()),
    }
}

/// True if a certificate of the bundle signed the first one of a PEM text, or if that cannot be told.
pub fn is_signed_by(certificate: &str, bundle: &str) -> bool {
    let ders = |pem: &str| CertificateDer::pem_slice_iter(pem.as_bytes()).map_while(Result::ok).collect::<Vec<_>>();
    let (signed, signers) = (ders(certificate), ders(bundle));
    let Some(signed) = signed.first().and_then(|der| X509Certificate::from_der(der).ok()) else { return true };
    signers.iter().any(|der| {
        X509Certificate::from_der(der).is_ok_and(|(_, signer)| {
            signer.subject() == signed.1.issuer() && signed.1.verify_signature(Some(signer.public_key())).is_ok()
        })
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use rstest::rstest;

    use super::*;

    /// A P-256 CA with the pin below.
    pub const EC_CA: &str = include_str!("certificate/ec-ca.pem");
    pub const EC_PIN: &str = "sha256:64a724664886bf3b3ec983421fff608c86227000f1cdc8c3e5fb0eabf95732cf";
    const RSA_CA: &str = include_str!("certificate/rsa-ca.pem");
    const RSA_PIN: &str = "sha256:14d516ef9178e9bbbd693cf91d2de990dc527274c8adf2c6f0c41d8cf3dec997";
    /// Good for `localhost`, `*.example.com`, `10.0.0.1` and `fd00::1`.
    pub const API_SERVER: &str = include_str!("certificate/api-server.pem");

    #[rstest]
    #[case::elliptic_curve(EC_CA, EC_PIN)]
    #[case::rsa(RSA_CA, RSA_PIN)]
    fn the_pin_is_the_hash_of_the_public_key(#[case] pem: &str, #[case] pin: &str) {
        assert_eq!(ca_pins(pem).unwrap(), [pin]);
    }

    #[test]
    fn a_bundle_has_one_pin_per_certificate_in_order() {
        assert_eq!(ca_pins(&format!("{RSA_CA}\n# comment\n{EC_CA}")).unwrap(), [RSA_PIN, EC_PIN]);
    }

    #[test]
    fn the_fingerprint_is_of_the_whole_certificate() {
        let certificate = &read_pem(EC_CA).unwrap()[0];
        assert_eq!(certificate.fingerprint, "8457999c99dbbd725a8470dd54a2395303e09bfbdf9c48bba90806a44437d9b8");
        assert_eq!(certificate.not_after.to_string(), "2036-11-19T07:08:35Z");
    }

    #[rstest]
    #[case("localhost", true)]
    #[case("LOCALHOST", true)]
    #[case("*.example.com", true)]
    #[case("a.example.com", false)]
    #[case("10.0.0.1", true)]
    #[case("10.0.0.2", false)]
    #[case("fd00:0::1", true)]
    fn names_are_found_literally_and_addresses_by_value(#[case] name: &str, #[case] found: bool) {
        assert_eq!(read_pem(API_SERVER).unwrap()[0].subject_alternative_names.contains(name), found);
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_pem("hello")]
    #[case::key("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")]
    #[case::not_a_certificate("-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n")]
    #[case::cut("-----BEGIN CERTIFICATE-----\nc2VjcmV0\n")]
    fn broken_text_is_an_error_that_does_not_repeat_it(#[case] pem: &str) {
        let problem = read_pem(pem).unwrap_err();
        assert!(!problem.detail.contains("c2VjcmV0"), "{}", problem.detail);
    }
}
