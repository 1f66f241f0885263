//! SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: a password is proved without being sent, and the server
//! proves that it knows it.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{constant_time, hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Its name.
pub(super) const MECHANISM: &str = "SCRAM-SHA-256";

/// "No channel binding", and that in base64.
const NO_BINDING: &str = "n,,";
const NO_BINDING_BASE64: &str = "biws";

/// More rounds than this are no server but an attack.
const MOST_ROUNDS: u32 = 10_000_000;

/// One login.
pub(super) struct Scram {
    nonce: String,
    server_signature: Option<Vec<u8>>,
}

impl Scram {
    /// With a nonce of its own.
    pub(super) fn new() -> Self {
        let mut random = [0; 18];
        // Without random bytes the login fails at the server, which adds its own.
        let _ = rand::fill(&mut random);
        Self::with(BASE64.encode(random))
    }

    fn with(nonce: String) -> Self {
        Self { nonce, server_signature: None }
    }

    /// PostgreSQL takes the user of the startup, whatever stands here.
    fn first_bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// The first answer: name of the mechanism, length, message.
    pub(super) fn first_message(&self) -> Vec<u8> {
        let message = format!("{NO_BINDING}{}", self.first_bare());
        let length = u32::try_from(message.len()).unwrap_or_default().to_be_bytes();
        [MECHANISM.as_bytes(), &[0], &length, message.as_bytes()].concat()
    }

    /// The proof for a challenge; [`None`] if that is none.
    pub(super) fn final_message(&mut self, password: &str, challenge: &[u8]) -> Option<Vec<u8>> {
        let challenge = std::str::from_utf8(challenge).ok()?;
        let field = |letter: &str| challenge.split(',').find_map(|field| field.strip_prefix(letter));
        let nonce = field("r=").filter(|nonce| nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len())?;
        let salt = BASE64.decode(field("s=")?).ok()?;
        let rounds = field("i=")?.parse::<u32>().ok().filter(|rounds| *rounds <= MOST_ROUNDS)?;
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::new(rounds)?, &salt, password.as_bytes(), &mut salted);
        let without_proof = format!("c={NO_BINDING_BASE64},r={nonce}");
        let all = format!("{},{challenge},{without_proof}", self.first_bare());
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest(&SHA256, &client_key);
        let signature = sign(stored_key.as_ref(), all.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        self.server_signature = Some(sign(&sign(&salted, b"Server Key"), all.as_bytes()));
        Some(format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes())
    }

    /// True if the server's last word proves that it knows the password.
    pub(super) fn knows_server(&self, last: &[u8]) -> bool {
        let given = last.strip_prefix(b"v=").and_then(|given| BASE64.decode(given).ok());
        given
            .zip(self.server_signature.as_ref())
            .is_some_and(|(given, ours)| constant_time::verify_slices_are_equal(&given, ours).is_ok())
    }
}

fn sign(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, whose user is not empty as with PostgreSQL, with the proof computed for an empty one by the
    /// definition: the server's signature must follow from what the server stores.
    #[test]
    fn what_the_server_stores_is_enough_to_check_both_sides() {
        let mut scram = Scram::with("rOprNGfwEbeRWgbNEkqO".to_owned());
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = scram.final_message("pencil", challenge.as_bytes()).expect("an answer");
        let answer = String::from_utf8(answer).expect("text");
        let (without_proof, proof) = answer.split_once(",p=").expect("a proof");
        assert_eq!(without_proof, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
        // The server: signature of what was said, XOR the proof, is the client key, whose hash it stores.
        let mut salted = [0; 32];
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let rounds = NonZeroU32::new(4096).expect("some");
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, b"pencil", &mut salted);
        let stored = digest(&SHA256, &sign(&salted, b"Client Key"));
        let all = format!("n=,r=rOprNGfwEbeRWgbNEkqO,{challenge},{without_proof}");
        let signature = sign(stored.as_ref(), all.as_bytes());
        let proof = BASE64.decode(proof).expect("base64");
        let key: Vec<u8> = proof.iter().zip(&signature).map(|(proof, signature)| proof ^ signature).collect();
        assert_eq!(digest(&SHA256, &key).as_ref(), stored.as_ref());
        let last = format!("v={}", BASE64.encode(sign(&sign(&salted, b"Server Key"), all.as_bytes())));
        assert!(scram.knows_server(last.as_bytes()));
        assert!(!scram.knows_server(b"v=AAAA"));
    }

    #[rstest::rstest]
    #[case::another_nonce("r=other,s=AAAA,i=4096")]
    #[case::no_nonce_of_the_server("r=n,s=AAAA,i=4096")]
    #[case::no_rounds("r=nx,s=AAAA,i=0")]
    #[case::absurd_rounds("r=nx,s=AAAA,i=4000000000")]
    #[case::no_salt("r=nx,i=4096")]
    #[case::nothing("")]
    fn a_broken_challenge_gets_no_answer(#[case] challenge: &str) {
        assert_eq!(Scram::with("n".to_owned()).final_message("p", challenge.as_bytes()), None);
    }
}
