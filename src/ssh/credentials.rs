//! How a user proves who it is: a key in the configuration, a key file, an agent, a password.

use std::path::Path;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, Handler};
#[cfg(unix)]
use russh::keys::HashAlg;
use russh::keys::{Error as KeyError, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key};
use secrecy::{ExposeSecret as _, SecretString};
use tfplugin::Value;
use tfplugin::schema::Problem;

use super::{Hop, SshError};
use crate::management_cluster::config::expand_home;

/// Where an agent listens.
const AGENT_VARIABLE: &str = "SSH_AUTH_SOCK";
/// How many keys of an agent are tried: servers end a connection after six failures (`MaxAuthTries`).
#[cfg(unix)]
const KEYS: usize = 5;

/// The means to log in, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    key: Option<SecretString>,
    key_file: Option<String>,
    passphrase: Option<SecretString>,
    agent: Option<bool>,
    password: Option<SecretString>,
}

impl Credentials {
    /// From the object `ssh` of the provider block.
    pub(super) fn of(block: &Value) -> Self {
        let secret = |name: &str| block.str_at(name).map(SecretString::from);
        Self {
            key: secret("private_key"),
            key_file: block.str_at("private_key_file").map(str::to_owned),
            passphrase: secret("private_key_passphrase"),
            agent: block.get("agent").as_bool(),
            password: secret("password"),
        }
    }

    /// Whether an agent is asked: if the configuration says so, or says nothing of any other means.
    fn asks_agent(&self) -> bool {
        let nothing_else = self.key.is_none() && self.key_file.is_none() && self.password.is_none();
        self.agent.unwrap_or(nothing_else && std::env::var_os(AGENT_VARIABLE).is_some())
    }

    /// The keys that are configured. Read before anything is sent.
    pub(super) fn keys(&self) -> Result<Vec<(&'static str, Arc<PrivateKey>)>, SshError> {
        let mut keys = Vec::new();
        let wrong = |problem: Problem| SshError::Credentials { why: problem.detail };
        if let Some(key) = &self.key {
            keys.push(("private_key", read_key("private_key", key, self.passphrase.as_ref()).map_err(wrong)?));
        }
        if let Some(file) = &self.key_file {
            let path = expand_home(Path::new(file), &|name| std::env::var(name).ok());
            let text = std::fs::read_to_string(&path).map_err(|error| SshError::Credentials {
                why: format!("the file {} that private_key_file names cannot be read: {error}", path.display()),
            })?;
            let key = read_key("private_key_file", &text.into(), self.passphrase.as_ref()).map_err(wrong)?;
            keys.push(("private_key_file", key));
        }
        Ok(keys)
    }

    /// Logs in. The host has proved who it is.
    pub(super) async fn log_in<H: Handler>(
        &self,
        handle: &mut Handle<H>,
        hop: &Hop,
        keys: &[(&'static str, Arc<PrivateKey>)],
    ) -> Result<(), SshError> {
        let lost = |error: russh::Error| SshError::Unreachable { hop: hop.to_string(), why: error.to_string() };
        let mut tried: Vec<String> = Vec::new();
        for (name, key) in keys {
            let hash =
                if key.algorithm().is_rsa() { handle.best_supported_rsa_hash().await.map_err(lost)? } else { None };
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash.flatten());
            match handle.authenticate_publickey(&hop.user, key).await.map_err(lost)? {
                AuthResult::Success => return Ok(()),
                AuthResult::Failure { .. } => tried.push(format!("the key of {name}")),
            }
        }
        if self.asks_agent() && self.log_in_with_agent(handle, hop, &mut tried).await? {
            return Ok(());
        }
        if let Some(password) = &self.password {
            let outcome = handle.authenticate_password(&hop.user, password.expose_secret()).await.map_err(lost)?;
            if matches!(outcome, AuthResult::Success) {
                return Ok(());
            }
            tried.push("the password".to_owned());
        }
        let why = if tried.is_empty() {
            format!(
                "there is nothing to log in with. Set private_key, private_key_file, agent or password in `ssh` in the provider \
                 block; {AGENT_VARIABLE} names no agent"
            )
        } else {
            format!("tried {}", tried.join(", "))
        };
        Err(SshError::Refused { hop: hop.to_string(), why })
    }

    #[cfg(unix)]
    async fn log_in_with_agent<H: Handler>(
        &self,
        handle: &mut Handle<H>,
        hop: &Hop,
        tried: &mut Vec<String>,
    ) -> Result<bool, SshError> {
        use russh::keys::agent::client::AgentClient;
        let failed = |error: KeyError| SshError::Credentials { why: format!("the SSH agent cannot be asked: {error}") };
        let mut agent = AgentClient::connect_env().await.map_err(failed)?;
        let identities = agent.request_identities().await.map_err(failed)?;
        if identities.is_empty() {
            tried.push("the agent, which holds no key".to_owned());
        }
        for identity in identities.iter().take(KEYS) {
            let key = identity.public_key().into_owned();
            let print = key.fingerprint(HashAlg::Sha256);
            let hash = if key.algorithm().is_rsa() {
                handle.best_supported_rsa_hash().await.ok().flatten().flatten()
            } else {
                None
            };
            match handle.authenticate_publickey_with(&hop.user, key, hash, &mut agent).await {
                Ok(AuthResult::Success) => return Ok(true),
                Ok(AuthResult::Failure { .. }) => tried.push(format!("the agent's key {print}")),
                Err(error) => tried.push(format!("the agent's key {print} ({error})")),
            }
        }
        Ok(false)
    }

    #[cfg(not(unix))]
    async fn log_in_with_agent<H: Handler>(
        &self,
        _handle: &mut Handle<H>,
        _hop: &Hop,
        tried: &mut Vec<String>,
    ) -> Result<bool, SshError> {
        tried.push("the agent, which can be asked on Unix only".to_owned());
        Ok(false)
    }
}

/// Reads a private key. `subject` names where it comes from; the text is not quoted.
///
/// # Errors
/// No key, a public one, or one that is encrypted without a passphrase for it.
pub fn read_key(
    subject: &str,
    text: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<Arc<PrivateKey>, Problem> {
    let text = text.expose_secret();
    let why = if text.trim_start().starts_with("ssh-") || text.contains("PUBLIC KEY") {
        "it is a public key; the private one is in the file without \".pub\"".to_owned()
    } else if !text.contains("-----BEGIN ") && !text.trim_start().starts_with("PuTTY-User-Key-File-") {
        "it is not a private key in the form of OpenSSH or PEM (\"-----BEGIN …\")".to_owned()
    } else {
        // Windows' line ends, and blanks that a heredoc leaves.
        let text: String = text.lines().map(|line| format!("{}\n", line.trim())).collect();
        match decode_secret_key(&text, passphrase.map(|secret| secret.expose_secret())) {
            Ok(key) => return Ok(Arc::new(key)),
            Err(KeyError::KeyIsEncrypted) => "it is encrypted; set private_key_passphrase, or use an agent".to_owned(),
            Err(_) if passphrase.is_some() => "it cannot be read, perhaps because of another passphrase".to_owned(),
            Err(KeyError::UnsupportedKeyType { key_type_string, .. }) => {
                format!("keys of type {key_type_string} are not supported")
            }
            Err(_) => "it cannot be read".to_owned(),
        }
    };
    Err(Problem::new("Not a private key for SSH", format!("{subject} cannot be used: {why}.")))
}
