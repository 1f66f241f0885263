//! What can go wrong on the way to a machine: which step, at which host, and what to do.

use tfplugin::{Diagnostic, Path};

/// A failure of SSH. `hop` is `user@host:port`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SshError {
    /// There is no connection.
    #[error("{hop} is not reached: {why}")]
    Unreachable {
        /// The host.
        hop: String,
        /// Why.
        why: String,
    },
    /// The two do not understand each other.
    #[error("{hop} answers, but the SSH handshake failed: {why}")]
    Handshake {
        /// The host.
        hop: String,
        /// Why.
        why: String,
    },
    /// Nobody has vouched for the host's key.
    #[error("nothing says that the key of {hop} is its own; it showed {fingerprint} ({algorithm})")]
    UnknownHostKey {
        /// The host.
        hop: String,
        /// `SHA256:…`
        fingerprint: String,
        /// `ssh-ed25519`
        algorithm: String,
    },
    /// The host has another key than it should.
    #[error("{hop} showed the key {fingerprint} ({algorithm}), which is not the one that {expected}")]
    WrongHostKey {
        /// The host.
        hop: String,
        /// `SHA256:…`
        fingerprint: String,
        /// `ssh-ed25519`
        algorithm: String,
        /// Completes "the one that …".
        expected: String,
    },
    /// A key that is configured cannot be used.
    #[error("{why}")]
    Credentials {
        /// Why. Holds no secret.
        why: String,
    },
    /// The host lets the user not in.
    #[error("{hop} does not let the user in: {why}")]
    Refused {
        /// The host.
        hop: String,
        /// What was tried.
        why: String,
    },
    /// The connection or the command ended without a status.
    #[error("the connection to {hop} ended while it ran a command: {why}")]
    Lost {
        /// The host.
        hop: String,
        /// Why.
        why: String,
    },
    /// It took too long.
    #[error("{hop} took too long: {doing}")]
    Timeout {
        /// The host.
        hop: String,
        /// What was waited for.
        doing: String,
    },
    /// The user interrupted.
    #[error("interrupted")]
    Stopped,
}

impl SshError {
    /// True if it may be well a moment later: a machine that boots.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Lost { .. } | Self::Timeout { .. })
    }

    /// A diagnostic. `doing` completes "Failed to …".
    pub fn diagnostic(&self, doing: &str) -> Diagnostic {
        let (summary, path, advice) = match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => (
                "Machine not reachable by SSH",
                Some("host"),
                "Check host, port, firewalls and routes; where the machine is reached from another host only, set `bastion`."
                    .to_owned(),
            ),
            Self::Handshake { .. } => {
                ("SSH handshake failed", Some("host"), "Check that this port is the one of an SSH server.".to_owned())
            }
            Self::UnknownHostKey { fingerprint, .. } => (
                "Host key is not known",
                Some("host_key"),
                format!(
                    "Compare the fingerprint with what the machine says on its console (`ssh-keygen -lf \
                     /etc/ssh/ssh_host_ed25519_key.pub`). If it is the same, pin it: `host_key = \"{fingerprint}\"`; or add the \
                     machine to the known hosts (`ssh-keyscan`, `ssh.known_hosts` in the provider block)."
                ),
            ),
            Self::WrongHostKey { .. } => (
                "Host key is another one",
                Some("host_key"),
                "Either the machine was set up anew, or somebody else answers in its place. Find out which before you change \
                 the pin or the known hosts. Nothing was sent to it."
                    .to_owned(),
            ),
            Self::Credentials { .. } => (
                "SSH key not usable",
                None,
                "The keys are set in `ssh` in the provider block.".to_owned(),
            ),
            Self::Refused { .. } => (
                "SSH login refused",
                None,
                "Check user and keys: `user` of the resource, `ssh` in the provider block, `authorized_keys` on the host."
                    .to_owned(),
            ),
            Self::Lost { .. } => ("SSH connection lost", None, "Apply again.".to_owned()),
            Self::Stopped => ("Interrupted", None, "Apply again to go on.".to_owned()),
        };
        let diagnostic = Diagnostic::error(summary, format!("Failed to {doing}: {self}.\n\n{advice}"));
        match path {
            Some(path) => diagnostic.at(Path::of(path)),
            None => diagnostic,
        }
    }
}
