//! How a password is proved to MySQL without being sent, where that is possible.

use aws_lc_rs::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;

fn hash(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// `mysql_native_password`: SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))).
pub(super) fn native(password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let sha1 = |parts: &[&[u8]]| hash(&SHA1_FOR_LEGACY_USE_ONLY, parts);
    let once = sha1(&[password.as_bytes()]);
    xor(&once, &sha1(&[nonce, &sha1(&[&once])]))
}

/// `caching_sha2_password`: SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce).
pub(super) fn sha2(password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let sha256 = |parts: &[&[u8]]| hash(&SHA256, parts);
    let once = sha256(&[password.as_bytes()]);
    xor(&once, &sha256(&[&sha256(&[&once]), nonce]))
}

/// The password as it is, for an encrypted connection.
pub(super) fn terminated(password: &str) -> Vec<u8> {
    [password.as_bytes(), &[0]].concat()
}

/// The password for the server's public key (PEM), for a connection that is not encrypted.
pub(super) fn with_key(password: &str, nonce: &[u8], pem: &[u8]) -> Option<Vec<u8>> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(key.as_ref()).ok()?).ok()?;
    let hidden =
        xor(&terminated(password), &nonce.iter().copied().cycle().take(password.len() + 1).collect::<Vec<_>>());
    let mut sealed = vec![0; key.ciphertext_size()];
    let sealed = key.encrypt(&OAEP_SHA1_MGF1SHA1, &hidden, &mut sealed, None).ok()?;
    Some(sealed.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn an_empty_password_is_proved_by_nothing() {
        assert_eq!(native("", b"12345678901234567890"), b"");
        assert_eq!(sha2("", b"12345678901234567890"), b"");
    }

    // The server checks the first with SHA1(SHA1(password)) alone: XOR gives SHA1(password) back.
    #[test]
    fn the_server_can_check_the_proof_with_what_it_stores() {
        let nonce = b"12345678901234567890";
        let sha1 = |parts: &[&[u8]]| hash(&SHA1_FOR_LEGACY_USE_ONLY, parts);
        let stored = sha1(&[&sha1(&[b"secret"])]);
        let once = xor(&native("secret", nonce), &sha1(&[nonce, &stored]));
        assert_eq!(hex(&sha1(&[&once])), hex(&stored));
        let sha256 = |parts: &[&[u8]]| hash(&SHA256, parts);
        let stored = sha256(&[&sha256(&[b"secret"])]);
        let once = xor(&sha2("secret", nonce), &sha256(&[&stored, nonce]));
        assert_eq!(hex(&sha256(&[&once])), hex(&stored));
    }
}
