//! Bootstrap tokens: the credential that lets a machine join a tenant, and the Secret that makes it valid.
//!
//! Kamaji makes none. A token is one Secret in the tenant's `kube-system`; controllers in the tenant sign
//! `cluster-info` with it and remove it when it has expired.

use std::collections::BTreeMap;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tfplugin::schema::{Problem, Validator};

/// The namespace that the API server and the controllers look in.
pub const NAMESPACE: &str = "kube-system";

/// The type of the Secret; it cannot be changed later.
pub const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";

/// The group that Kamaji's and kubeadm's RBAC lets join nodes and read `kubelet-config`.
pub const DEFAULT_GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";

/// What a token can be used for: to authenticate as a machine that joins, and to sign the tenant's address and CA for it.
pub const USAGES: [&str; 2] = ["authentication", "signing"];

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const ID_LENGTH: usize = 6;
const SECRET_LENGTH: usize = 16;

/// A token: a public id and a secret. Debug output shows the id alone.
#[derive(Clone, Debug)]
pub struct BootstrapToken {
    id: String,
    secret: SecretString,
}

impl BootstrapToken {
    /// Draws a token. `fill` fills a buffer with random bytes of a cryptographic generator.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn generate<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let id = draw(ID_LENGTH, &mut fill)?;
        let secret = draw(SECRET_LENGTH, &mut fill)?;
        Ok(Self { id, secret: secret.into() })
    }

    /// The public part, six characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The confidential part, sixteen characters.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// Both with a dot between, as kubeadm takes it.
    pub fn token(&self) -> SecretString {
        format!("{}.{}", self.id, self.secret.expose_secret()).into()
    }

    /// The name of its Secret.
    pub fn secret_name(&self) -> String {
        secret_name(&self.id)
    }

    /// The key in `kube-public/cluster-info` that says that a joining machine can verify the tenant with this token.
    pub fn signature_key(&self) -> String {
        format!("jws-kubeconfig-{}", self.id)
    }

    /// True for the token out of kubeadm's documentation, which Kamaji before edge-25.03.1 leaves in every new tenant for
    /// a day. Everybody knows it.
    pub fn is_public_knowledge(&self) -> bool {
        self.id == "abcdef" && self.secret.expose_secret() == "0123456789abcdef"
    }
}

/// The name of the Secret of a token with this id; one that disagrees with the id inside makes the token invalid.
pub fn secret_name(id: &str) -> String {
    format!("bootstrap-token-{id}")
}

/// Draws a text of lower-case letters and digits. `fill` fills a buffer with random bytes of a cryptographic generator.
///
/// # Errors
/// Those of `fill`.
pub fn random_text<E>(length: usize, mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<String, E> {
    draw(length, &mut fill)
}

/// The rule for an attribute that holds a token. Nothing of the value is repeated.
pub fn validator() -> Validator {
    Validator::new("a bootstrap token, `id.secret`", |value| {
        value.as_str().map_or(Ok(()), |text| text.parse::<BootstrapToken>().map(|_| ()))
    })
}

/// The rule for an attribute that holds the public part of a token.
pub fn id() -> Validator {
    Validator::new("the id of a bootstrap token, six lower-case letters and digits", |value| {
        let Some(text) = value.as_str().filter(|text| !has_form(text, ID_LENGTH)) else { return Ok(()) };
        // Whoever mistakes the whole token for its id must not find it in the error.
        let shown =
            if text.contains('.') { "The whole token is no id".to_owned() } else { format!("{text:?} is no id") };
        Err(Problem::new(
            "Not the id of a bootstrap token",
            format!("{shown}: it is the six lower-case letters and digits before the dot."),
        ))
    })
}

/// The rule for a group of a token.
pub fn group() -> Validator {
    Validator::new("a group such as `system:bootstrappers:pool-a`", |value| value.as_str().map_or(Ok(()), check_group))
}

/// Uniform over the 36 characters: bytes that would favour the first ones are drawn again.
fn draw<E>(length: usize, fill: &mut impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<String, E> {
    const FAIR: u8 = 252;
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 32];
    while text.len() < length {
        fill(&mut bytes)?;
        let fair = bytes.iter().filter(|&&byte| byte < FAIR);
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte % 36)])).take(length - text.len()));
    }
    Ok(text)
}

fn has_form(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// Reads `id.secret`. The error does not repeat the text.
impl FromStr for BootstrapToken {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text.split_once('.') {
            Some((id, secret)) if has_form(id, ID_LENGTH) && has_form(secret, SECRET_LENGTH) => {
                Ok(Self { id: id.to_owned(), secret: secret.to_owned().into() })
            }
            _ => Err(Problem::new(
                "Not a bootstrap token",
                "A bootstrap token is six characters, a dot and sixteen characters, of lower-case letters and digits.",
            )),
        }
    }
}

/// What is said about a token in its Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The end of its life; [`None`] for none.
    pub expiration: Option<Timestamp>,
    /// Free text.
    pub description: Option<String>,
    /// Groups beside [`DEFAULT_GROUP`]; each begins with `system:bootstrappers:`.
    pub extra_groups: Vec<String>,
    /// True if the holder is not in [`DEFAULT_GROUP`]: other RBAC lets it join.
    pub without_default_group: bool,
    /// True if machines recognise the tenant by other means than the token's signature.
    pub without_signing: bool,
    /// Labels of the Secret.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Secret.
    pub annotations: BTreeMap<String, String>,
}

/// An expiration as every reader of it parses it: whole seconds and a literal `Z`. (An unreadable one counts as expired.)
pub fn expiration_text(expiration: Timestamp) -> String {
    expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Whether a group may stand in a token. One that may not makes the whole token invalid.
///
/// # Errors
/// Not of the form `system:bootstrappers:…`.
pub fn check_group(group: &str) -> Result<(), Problem> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = group.strip_prefix("system:bootstrappers:").is_some_and(|rest| {
        (1..=256).contains(&rest.len())
            && rest.bytes().all(|byte| allowed(byte) || byte == b':' || byte == b'-')
            && rest.bytes().last().is_some_and(allowed)
    });
    if good {
        return Ok(());
    }
    Err(Problem::new(
        "Bootstrap group is not valid",
        format!(
            "{group:?} cannot be a group of a bootstrap token: write \"system:bootstrappers:\" and then lower-case letters, \
             digits, \":\" and \"-\"."
        ),
    ))
}

impl Terms {
    /// The data of the Secret that say them; null for what is to be absent.
    fn data(&self) -> Value {
        let default = (!self.without_default_group).then_some(DEFAULT_GROUP);
        let groups: Vec<&str> = default.into_iter().chain(self.extra_groups.iter().map(String::as_str)).collect();
        json!({
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": if self.without_signing { "false" } else { "true" },
            "auth-extra-groups": (!groups.is_empty()).then(|| groups.join(",")),
            "expiration": self.expiration.map(expiration_text),
            "description": self.description,
        })
    }

    /// A merge patch that makes a Secret say them; of the Secret with this UID and no other.
    pub fn patch(&self, uid: &str) -> Value {
        let (mut removed, mut set) = (Map::new(), Map::new());
        for (key, value) in self.data().as_object().into_iter().flatten() {
            if value.is_null() { &mut removed } else { &mut set }.insert(key.clone(), value.clone());
        }
        json!({"metadata": {"uid": uid}, "data": removed, "stringData": set})
    }
}

/// The Secret to create in the tenant. It holds the token.
pub fn secret_object(token: &BootstrapToken, terms: &Terms) -> Value {
    let mut data = terms.data();
    data["token-id"] = token.id.as_str().into();
    data["token-secret"] = token.secret.expose_secret().into();
    if let Some(data) = data.as_object_mut() {
        data.retain(|_, value| !value.is_null());
    }
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": token.secret_name(),
            "namespace": NAMESPACE,
            "labels": terms.labels,
            "annotations": terms.annotations,
        },
        "type": SECRET_TYPE,
        "stringData": data,
    })
}

/// The end of a token's life as its Secret says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiration {
    /// It has none.
    Never,
    /// At this time.
    At(Timestamp),
    /// The text is no time; Kubernetes counts it as expired.
    Unreadable,
}

/// A token as it was found in the tenant.
#[derive(Clone, Debug)]
pub struct Found {
    /// The token.
    pub token: BootstrapToken,
    /// The end of its life.
    pub expiration: Expiration,
    /// What it can be used for, of [`USAGES`]; a machine that joins by token needs both.
    pub usages: Vec<&'static str>,
    /// Free text.
    pub description: Option<String>,
    /// Groups that its holder is in, beside `system:bootstrappers`.
    pub groups: Vec<String>,
}

impl Found {
    /// True if Kubernetes refuses the token at that time.
    pub fn expired(&self, now: Timestamp) -> bool {
        match self.expiration {
            Expiration::Never => false,
            Expiration::At(end) => end <= now,
            Expiration::Unreadable => true,
        }
    }
}

/// Reads a token Secret as the API returns it.
///
/// # Errors
/// Another type of Secret; a name, id or secret that makes the token invalid. The secret is not repeated.
pub fn read_secret(object: &Value) -> Result<Found, Problem> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let invalid = |why: &str| Problem::new("Bootstrap token is not valid", format!("Secret {NAMESPACE}/{name} {why}."));
    if object.get("type").and_then(Value::as_str) != Some(SECRET_TYPE) {
        return Err(invalid(&format!("is not of type {SECRET_TYPE}")));
    }
    let text = |key: &str| -> Option<String> {
        if let Some(plain) = object.pointer("/stringData").and_then(|data| data.get(key)?.as_str()) {
            return Some(plain.to_owned());
        }
        let encoded = object.pointer("/data").and_then(|data| data.get(key)?.as_str())?;
        String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
    };
    let (id, secret) = (text("token-id").unwrap_or_default(), text("token-secret").unwrap_or_default());
    let token: BootstrapToken =
        format!("{id}.{secret}").parse().map_err(|_| invalid("has a token-id or token-secret of another form"))?;
    if token.secret_name() != name {
        return Err(invalid("has another token-id than its name says"));
    }
    let expiration = match text("expiration").filter(|text| !text.is_empty()) {
        None => Expiration::Never,
        Some(text) => text.parse().map_or(Expiration::Unreadable, Expiration::At),
    };
    let usage = |name: &str| text(&format!("usage-bootstrap-{name}")).as_deref() == Some("true");
    let groups = text("auth-extra-groups").unwrap_or_default();
    Ok(Found {
        token,
        expiration,
        usages: USAGES.into_iter().filter(|name| usage(name)).collect(),
        description: text("description"),
        groups: groups.split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests;
