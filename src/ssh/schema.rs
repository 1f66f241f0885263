//! The attributes that say how machines are reached: `ssh` in the provider block, and those of one machine.

use secrecy::SecretString;
use tfplugin::schema::{Attribute, Problem, Validator, boolean, number, object, string};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::credentials::read_key;
use super::host_key;

/// `ssh` of the provider block. Its values may be ephemeral: nothing of it is stored.
pub fn settings() -> Attribute {
    object(
        "ssh",
        vec![
            string("user").default(super::USER).rule(user()).doc(
                "Who logs in on machines that name no `user`. Another user than root needs sudo without a password.",
            ),
            string("private_key").sensitive().doc(
                "Private key, in the form of OpenSSH or PEM. It may be ephemeral, for example from a secret store: a destroy has \
                 no other values than those of the provider block.",
            ),
            string("private_key_file").rule(Validator::non_empty()).doc(
                "Path of a private key; `~` is the home directory.",
            ),
            string("private_key_passphrase").sensitive().doc("Passphrase of an encrypted private key."),
            boolean("agent").doc(
                "Whether the SSH agent behind `SSH_AUTH_SOCK` is asked. By default if there is one and no key and no password is \
                 given.",
            ),
            string("password").sensitive().doc("Password, tried last. A key is better."),
            string("known_hosts").rule(Validator::non_empty()).doc(
                "Lines of a `known_hosts` file, instead of the files: what `ssh-keyscan` prints, once it was compared.",
            ),
            string("known_hosts_file").rule(Validator::non_empty()).doc(
                "Path of a `known_hosts` file; by default `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`. Nothing is ever \
                 written to it.",
            ),
            boolean("host_key_checking").default("true").doc(
                "Whether the key of a host without `host_key` must be in the known hosts. Without it whoever is on the way can \
                 take a machine's place, and gets a token that joins the tenant: only for tests.",
            ),
            bastion().doc("The host from which machines are reached that name no `bastion`."),
        ],
    )
    .doc(
        "How `kamaji_worker` reaches machines by SSH. The values may be ephemeral; none is stored. The means to log in are tried \
         in this order: `private_key`, `private_key_file`, `agent`, `password`.",
    )
}

/// The attributes of an object that is about one machine.
pub fn machine() -> Vec<Attribute> {
    let mut all = hop();
    all.push(bastion().doc("The host from which the machine is reached, if not from where Terraform runs."));
    all
}

fn bastion() -> Attribute {
    object("bastion", hop())
}

fn hop() -> Vec<Attribute> {
    vec![
        string("host").required().rule(host()).doc("Name or address."),
        number("port").default("22").rule(Validator::between(1, 65_535)).doc("Port of its SSH server."),
        string("user").rule(user()).doc(
            "Who logs in: by default what `ssh` in the provider block says, or root. Another user than root needs sudo without a \
             password.",
        ),
        string("host_key").rule(host_key::validator()).doc(
            "The key that the host has to have: its fingerprint (`SHA256:…`) or its public key (`ssh-ed25519 AAAA…`). Without it \
             the known hosts of the provider block are asked.",
        ),
    ]
}

/// A name or address, and nothing else.
fn host() -> Validator {
    Validator::new("a name or address, without user and port", |value| {
        let Some(text) = value.as_str() else { return Ok(()) };
        let wrong = |advice: &str| {
            Err(Problem::new("Not the name of a host", format!("{text:?} is not a name or address. {advice}")))
        };
        if text.is_empty() {
            return wrong("It is empty.");
        }
        if text.contains("://") || text.contains('/') {
            return wrong("Write the host alone, without scheme and path.");
        }
        if text.contains('@') {
            return wrong("The user is set in `user`.");
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Ok(());
        }
        if text.contains([':', '[']) {
            return wrong("The port is set in `port`; an IPv6 address has no brackets.");
        }
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !text.bytes().all(good) || text.starts_with('-') {
            return wrong("It has letters, digits, dots and dashes.");
        }
        Ok(())
    })
}

fn user() -> Validator {
    Validator::new("the name of a user", |value| match value.as_str() {
        Some(name)
            if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || "@:/".contains(c)) =>
        {
            Err(Problem::new("Not the name of a user", format!("{name:?} is not the name of a user.")))
        }
        _ => Ok(()),
    })
}

/// What is wrong with `ssh` of the provider block, as far as it is known.
pub fn validate(block: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let at = |name: &str| Path::of("ssh").attribute(name);
    let passphrase = block.get("private_key_passphrase");
    if let Some(key) = block.str_at("private_key")
        && !passphrase.is_unknown()
    {
        let passphrase = passphrase.as_str().map(SecretString::from);
        if let Err(problem) = read_key("private_key", &key.into(), passphrase.as_ref()) {
            found.push(Diagnostic::error(problem.summary, problem.detail).at(at("private_key")));
        }
    }
    if passphrase.is_set() && block.get("private_key").is_null() && block.get("private_key_file").is_null() {
        let detail = "private_key_passphrase is for private_key or private_key_file, and neither is given.";
        found.push(Diagnostic::error("Passphrase without a key", detail).at(at("private_key_passphrase")));
    }
    if block.get("known_hosts").is_set() && block.get("known_hosts_file").is_set() {
        let detail = "known_hosts stands instead of a file. Keep one of known_hosts and known_hosts_file.";
        found.push(Diagnostic::error("Known hosts are given twice", detail).at(at("known_hosts_file")));
    }
    found
}
