//! The parts of a datastore's credentials: values that the DataStore refers to or holds, where they stand in the
//! configuration and in the API, and the key that each has in the Secret that the provider keeps.

use tfplugin::{Path, Value};

use super::schema::SECRET_NAMESPACE;
use crate::management_cluster::{Kind, ObjectRef};

/// A part of the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// User of the database.
    Username,
    /// Its password.
    Password,
    /// The certificate of the CA.
    CaCertificate,
    /// The private key of the CA.
    CaPrivateKey,
    /// The client certificate.
    ClientCertificate,
    /// The private key of the client certificate.
    ClientPrivateKey,
}

struct Names {
    path: &'static str,
    api_path: &'static str,
    key: &'static str,
    doc: &'static str,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Username,
        Self::Password,
        Self::CaCertificate,
        Self::CaPrivateKey,
        Self::ClientCertificate,
        Self::ClientPrivateKey,
    ];

    const fn names(self) -> Names {
        const fn row(path: &'static str, api_path: &'static str, key: &'static str, doc: &'static str) -> Names {
            Names { path, api_path, key, doc }
        }
        match self {
            Self::Username => row("basic_auth.username", "spec.basicAuth.username", "username", "User name."),
            Self::Password => row("basic_auth.password", "spec.basicAuth.password", "password", "Password."),
            Self::CaCertificate => row(
                "tls_config.certificate_authority.certificate",
                "spec.tlsConfig.certificateAuthority.certificate",
                "ca.crt",
                "Certificate of the CA, PEM.",
            ),
            Self::CaPrivateKey => row(
                "tls_config.certificate_authority.private_key",
                "spec.tlsConfig.certificateAuthority.privateKey",
                "ca.key",
                "Private key of the CA, PEM. Needed for etcd: Kamaji signs a client certificate per tenant.",
            ),
            Self::ClientCertificate => row(
                "tls_config.client_certificate.certificate",
                "spec.tlsConfig.clientCertificate.certificate",
                "tls.crt",
                "Client certificate, PEM.",
            ),
            Self::ClientPrivateKey => row(
                "tls_config.client_certificate.private_key",
                "spec.tlsConfig.clientCertificate.privateKey",
                "tls.key",
                "Private key of the client certificate, PEM.",
            ),
        }
    }

    /// Its attribute, dotted from the top: `basic_auth.password`.
    pub const fn path(self) -> &'static str {
        self.names().path
    }

    /// Its attribute, or one inside it.
    pub fn at(self, inner: &str) -> Path {
        Path::of(&self.inner(inner))
    }

    /// The dotted path of an attribute inside it.
    pub fn inner(self, inner: &str) -> String {
        if inner.is_empty() { self.path().to_owned() } else { format!("{}.{inner}", self.path()) }
    }

    /// The name of its attribute.
    pub fn name(self) -> &'static str {
        self.path().rsplit('.').next().unwrap_or_default()
    }

    /// Its path in the object: `spec.basicAuth.password`.
    pub const fn api_path(self) -> &'static str {
        self.names().api_path
    }

    /// The last key of it.
    pub fn api_name(self) -> &'static str {
        self.api_path().rsplit('.').next().unwrap_or_default()
    }

    /// Its key in the Secret that the provider keeps.
    pub const fn key(self) -> &'static str {
        self.names().key
    }

    /// What it is.
    pub const fn doc(self) -> &'static str {
        self.names().doc
    }

    /// True if a value says that the provider keeps this part in a Secret of its own.
    pub fn is_kept(self, value: &Value) -> bool {
        value.get(&self.inner("content_wo_version")).is_set()
    }
}

/// The parts that the provider keeps, in a state or plan.
pub fn kept(value: &Value) -> impl Iterator<Item = Part> + use<'_> {
    Part::ALL.into_iter().filter(|part| part.is_kept(value))
}

/// The Secret in which the provider keeps them.
pub fn kept_in(value: &Value) -> ObjectRef {
    let name = match value.str_at("credentials_secret.name") {
        Some(name) => name.to_owned(),
        None => format!("{}-credentials", value.str_at("name").unwrap_or_default()),
    };
    let namespace = value.str_at("credentials_secret.namespace").unwrap_or(SECRET_NAMESPACE);
    ObjectRef::namespaced(Kind::Secret, namespace, name)
}
