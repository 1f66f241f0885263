//! Whether the key of a host is its own: by a pin, or by lines of `known_hosts`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_lc_rs::hmac;
use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

use super::{Hop, PORT, SshError};
use crate::management_cluster::config::expand_home;

/// The file of the user, unless the configuration names another.
const OF_THE_USER: &str = "~/.ssh/known_hosts";
/// The file of the system.
const OF_THE_SYSTEM: &str = "/etc/ssh/ssh_known_hosts";

/// A key that a host has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKey {
    /// By its fingerprint, `SHA256:…`.
    Fingerprint(Fingerprint),
    /// As a whole, `ssh-ed25519 AAAA…`.
    Key(Box<PublicKey>),
}

impl FromStr for HostKey {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = |why: &str| {
            Problem::new(
                "Not the key of a host",
                format!(
                    "{text:?} is neither a fingerprint (\"SHA256:\" and 43 characters, as `ssh-keygen -lf` prints it) nor a \
                     public key (\"ssh-ed25519 AAAA…\", as in /etc/ssh/ssh_host_ed25519_key.pub). {why}"
                ),
            )
        };
        let trimmed = text.trim();
        if let Some(rest) = trimmed.strip_prefix("MD5:") {
            return Err(wrong(&format!("An MD5 fingerprint ({rest}) is not safe.")));
        }
        if trimmed.starts_with("SHA") {
            return match trimmed.parse::<Fingerprint>() {
                Ok(print) if print.algorithm() == HashAlg::Sha256 => Ok(Self::Fingerprint(print)),
                _ => Err(wrong("It is cut short or has characters that are not base64.")),
            };
        }
        let key = trimmed.parse::<PublicKey>().map_err(|_| wrong("It cannot be read as one."))?;
        Ok(Self::Key(Box::new(key)))
    }
}

/// The rule of an attribute with a [`HostKey`].
pub fn validator() -> Validator {
    Validator::new("a fingerprint `SHA256:…` or a public key `ssh-ed25519 AAAA…`", |value| {
        value.as_str().map_or(Ok(()), |text| text.parse::<HostKey>().map(|_| ()))
    })
}

/// Lines of `known_hosts`, as they are configured.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts {
    /// Lines in the configuration.
    text: Option<String>,
    /// Another file than the user's own.
    file: Option<String>,
    /// Any key is taken.
    unchecked: bool,
}

/// The keys that a host may have.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pin: Option<HostKey>,
    known: Vec<PublicKey>,
    revoked: Vec<PublicKey>,
    unchecked: bool,
}

impl KnownHosts {
    /// From the object `ssh` of the provider block.
    pub fn of(block: &Value) -> Self {
        Self {
            text: block.str_at("known_hosts").map(str::to_owned),
            file: block.str_at("known_hosts_file").map(str::to_owned),
            unchecked: block.get("host_key_checking").as_bool() == Some(false),
        }
    }

    /// What is expected of a host. Text in the configuration stands instead of the files.
    ///
    /// # Errors
    /// The file that the configuration names cannot be read. One that is not there by default is no error.
    pub fn expected(&self, hop: &Hop) -> Result<Expected, SshError> {
        let mut expected = Expected { pin: hop.host_key.clone(), unchecked: self.unchecked, ..Expected::default() };
        if expected.pin.is_some() {
            return Ok(expected);
        }
        let texts = match (&self.text, &self.file) {
            (Some(text), _) => vec![text.clone()],
            (None, Some(file)) => {
                let path = home(file);
                let text = std::fs::read_to_string(&path).map_err(|error| SshError::Credentials {
                    why: format!("the file of known hosts {} cannot be read: {error}", path.display()),
                })?;
                vec![text]
            }
            (None, None) => [OF_THE_USER, OF_THE_SYSTEM]
                .iter()
                .filter_map(|file| std::fs::read_to_string(home(file)).ok())
                .collect(),
        };
        for entry in texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.trim().parse::<Entry>().ok()) {
            if !is_about(entry.host_patterns(), hop) {
                continue;
            }
            match entry.marker() {
                None => expected.known.push(entry.public_key().clone()),
                Some(Marker::Revoked) => expected.revoked.push(entry.public_key().clone()),
                // Hosts are not asked for certificates.
                Some(Marker::CertAuthority) => {}
            }
        }
        Ok(expected)
    }
}

impl Expected {
    /// The algorithms to ask the host for: those of the keys that it may have, so that it shows one of these.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        match &self.pin {
            Some(HostKey::Key(key)) => vec![key.algorithm()],
            Some(HostKey::Fingerprint(_)) => Vec::new(),
            None => self.known.iter().map(PublicKey::algorithm).collect(),
        }
    }

    /// Whether the key that a host has shown is its own.
    pub fn check(&self, hop: &Hop, key: &PublicKey) -> Result<(), SshError> {
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        let wrong = |expected: &str| SshError::WrongHostKey {
            hop: hop.to_string(),
            fingerprint: fingerprint.to_string(),
            algorithm: key.algorithm().to_string(),
            expected: expected.to_owned(),
        };
        let is = |other: &PublicKey| other.key_data() == key.key_data();
        match &self.pin {
            Some(HostKey::Fingerprint(pin)) if *pin == fingerprint => return Ok(()),
            Some(HostKey::Key(pin)) if is(pin) => return Ok(()),
            Some(HostKey::Fingerprint(pin)) => return Err(wrong(&format!("host_key pins ({pin})"))),
            Some(HostKey::Key(pin)) => {
                return Err(wrong(&format!("host_key pins ({})", pin.fingerprint(HashAlg::Sha256))));
            }
            None => {}
        }
        if self.revoked.iter().any(is) {
            return Err(wrong("may be used: it is marked as revoked in the known hosts"));
        }
        if self.unchecked || self.known.iter().any(is) {
            return Ok(());
        }
        if let Some(known) = self.known.first() {
            return Err(wrong(&format!("the known hosts say ({})", known.fingerprint(HashAlg::Sha256))));
        }
        Err(SshError::UnknownHostKey {
            hop: hop.to_string(),
            fingerprint: fingerprint.to_string(),
            algorithm: key.algorithm().to_string(),
        })
    }
}

fn home(path: &str) -> PathBuf {
    expand_home(Path::new(path), &|name| std::env::var(name).ok())
}

/// Whether a line of `known_hosts` is about a host: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
fn is_about(patterns: &HostPatterns, hop: &Hop) -> bool {
    let host = hop.host.to_ascii_lowercase();
    let name = if hop.port == PORT { host } else { format!("[{host}]:{}", hop.port) };
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, name.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let matches = |pattern: &str| glob(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes());
            let (mut found, mut denied) = (false, false);
            for pattern in patterns {
                match pattern.strip_prefix('!') {
                    Some(pattern) => denied |= matches(pattern),
                    None => found |= matches(pattern),
                }
            }
            found && !denied
        }
    }
}

/// `*` stands for anything, `?` for one character.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(one) if *one == b'?' || Some(one) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn hop(host: &str, port: u16) -> Hop {
        Hop { host: host.to_owned(), port, user: "root".to_owned(), host_key: None }
    }

    fn check(lines: &str, hop: &Hop, key: &str) -> Result<(), SshError> {
        let known = KnownHosts { text: Some(lines.to_owned()), ..KnownHosts::default() };
        known.expected(hop)?.check(hop, &key.parse().unwrap())
    }

    #[rstest]
    #[case::name("a.example.com ", "a.example.com", 22, true)]
    #[case::another_name("a.example.com ", "b.example.com", 22, false)]
    #[case::case("A.example.com ", "a.Example.com", 22, true)]
    #[case::list("10.0.0.1,a.example.com ", "a.example.com", 22, true)]
    #[case::wild("*.example.com ", "a.example.com", 22, true)]
    #[case::one("10.0.0.? ", "10.0.0.7", 22, true)]
    #[case::not("*.example.com,!a.example.com ", "a.example.com", 22, false)]
    #[case::port("[a.example.com]:2222 ", "a.example.com", 2222, true)]
    #[case::another_port("a.example.com ", "a.example.com", 2222, false)]
    #[case::hashed("|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= ", "example.com", 22, true)]
    #[case::hashed_another("|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= ", "example.org", 22, false)]
    #[case::authority("@cert-authority a.example.com ", "a.example.com", 22, false)]
    #[case::after_rubbish("what is this\n\n# a comment\na.example.com ", "a.example.com", 22, true)]
    fn a_line_vouches_for_its_hosts(#[case] line: &str, #[case] host: &str, #[case] port: u16, #[case] known: bool) {
        let outcome = check(&format!("{line}{KEY} comment\n"), &hop(host, port), KEY);
        assert_eq!(outcome.is_ok(), known, "{outcome:?}");
    }

    #[test]
    fn another_key_than_the_known_one_and_a_revoked_one_are_refused() {
        let outcome = check(&format!("a {KEY}\n"), &hop("a", 22), OTHER);
        assert!(matches!(outcome, Err(SshError::WrongHostKey { .. })), "{outcome:?}");
        let outcome = check(&format!("a {KEY}\n@revoked * {KEY}\n"), &hop("a", 22), KEY);
        assert!(matches!(outcome, Err(SshError::WrongHostKey { .. })), "{outcome:?}");
        let unchecked = Expected { unchecked: true, revoked: vec![KEY.parse().unwrap()], ..Expected::default() };
        assert!(unchecked.check(&hop("a", 22), &KEY.parse().unwrap()).is_err());
        assert!(unchecked.check(&hop("a", 22), &OTHER.parse().unwrap()).is_ok());
    }

    #[test]
    fn a_pin_wins_over_the_known_hosts() {
        let fingerprint = KEY.parse::<PublicKey>().unwrap().fingerprint(HashAlg::Sha256).to_string();
        for pin in [fingerprint.as_str(), KEY] {
            let hop = Hop { host_key: Some(pin.parse().unwrap()), ..hop("a", 22) };
            assert!(check(&format!("a {OTHER}\n"), &hop, KEY).is_ok());
            let error = check(&format!("a {OTHER}\n"), &hop, OTHER).unwrap_err().to_string();
            assert!(error.contains("host_key pins") && error.contains(&fingerprint), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_how_to_be_pinned() {
        let error = check("", &hop("a", 22), KEY).unwrap_err().diagnostic("join the machine");
        let fingerprint = KEY.parse::<PublicKey>().unwrap().fingerprint(HashAlg::Sha256).to_string();
        assert!(error.detail.contains(&format!("host_key = \"{fingerprint}\"")), "{}", error.detail);
    }

    #[rstest]
    #[case("SHA256:abc")]
    #[case("MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48")]
    #[case("ssh-ed25519")]
    #[case("AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ")]
    #[case("")]
    fn what_is_no_key_is_refused(#[case] text: &str) {
        assert!(text.parse::<HostKey>().is_err());
    }
}
