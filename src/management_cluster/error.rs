//! What can go wrong between the provider and the API server of the management cluster.

use super::kind::{Kind, ObjectRef};

/// A failed request, in Kubernetes' terms. Texts hold no credentials. What to do about each is in [`super::diagnostic`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No connection, or no answer on it.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// `host:port` of the API server.
        host: String,
        /// The chain of causes.
        cause: String,
        /// True if there was a connection: a write may have arrived.
        sent: bool,
    },
    /// Connected, but the certificates do not fit.
    #[error("TLS with {host} failed: {cause}")]
    Tls {
        /// `host:port` of the API server.
        host: String,
        /// What rustls says.
        cause: String,
    },
    /// The credentials cannot be used at all: a credential plugin fails, a key does not fit its certificate.
    #[error("the credentials cannot be used: {0}")]
    Credentials(String),
    /// 401.
    #[error("not authenticated: {message}")]
    Unauthorized {
        /// What the API server says.
        message: String,
    },
    /// 403 that no webhook gave.
    #[error("forbidden: {message}")]
    Forbidden {
        /// The right that is missing, if RBAC is the reason.
        permission: Option<Box<Permission>>,
        /// What the API server says.
        message: String,
    },
    /// The object to change does not exist.
    #[error("{0} does not exist")]
    NotFound(ObjectRef),
    /// The API server does not serve the kind.
    #[error("the API server does not serve {0}", .kind.resource())]
    NoSuchApi {
        /// The kind that was asked for.
        kind: Kind,
    },
    /// The namespace to write into does not exist.
    #[error("namespace {name} does not exist")]
    NamespaceMissing {
        /// The namespace.
        name: String,
    },
    /// The namespace to create in is being deleted.
    #[error("namespace {name} is being deleted")]
    NamespaceTerminating {
        /// The namespace.
        name: String,
    },
    /// A ResourceQuota of the namespace has no room.
    #[error("the ResourceQuota {quota} is exceeded: {excess}")]
    QuotaExceeded {
        /// Its name.
        quota: String,
        /// What was requested, used and allowed, as the API server says it.
        excess: String,
    },
    /// A create found an object of that name.
    #[error("{message}")]
    AlreadyExists {
        /// What the API server says.
        message: String,
    },
    /// A server-side apply found fields that others own.
    #[error("{} owned by other field managers: {}", if .0.len() == 1 { "a field is" } else { "fields are" }, list(.0.iter().map(|c| c.field.as_str())))]
    FieldConflict(Vec<FieldConflict>),
    /// A precondition (resource version, uid) does not hold any more.
    #[error("{message}")]
    Conflict {
        /// What the API server says.
        message: String,
    },
    /// The schema or a CEL rule refuses values.
    #[error("{}", list(.0.iter().map(|f| f.message.as_str())))]
    Invalid(Vec<InvalidField>),
    /// An admission webhook said no.
    #[error("{webhook} denied the request: {message}")]
    WebhookDenied {
        /// Its name: `vtenantcontrolplane.kb.io`.
        webhook: String,
        /// Its reason.
        message: String,
    },
    /// A ValidatingAdmissionPolicy said no.
    #[error("{policy} denied the request: {message}")]
    PolicyDenied {
        /// Its name.
        policy: String,
        /// Its reason.
        message: String,
    },
    /// The installed CRD has no such fields: Kamaji is too old, or too new.
    #[error("the API server does not know {}", list(.paths.iter().map(String::as_str)))]
    UnknownField {
        /// Paths as the API server writes them: `.spec.networkProfile.bogus`.
        paths: Vec<String>,
    },
    /// An admission webhook that must be asked does not answer.
    #[error("webhook {webhook} does not answer: {message}")]
    WebhookUnavailable {
        /// Its name.
        webhook: String,
        /// What the API server says.
        message: String,
    },
    /// 429 until the end.
    #[error("too many requests: {message}")]
    Throttled {
        /// What the API server says.
        message: String,
    },
    /// 429 to an eviction: a PodDisruptionBudget lets no pod go now.
    #[error("{message}")]
    DisruptionBudget {
        /// What the API server says: `The disruption budget web needs 2 healthy pods and has 2 currently`.
        message: String,
    },
    /// 502, 503 or 504 until the end.
    #[error("the API server is unavailable (HTTP {status}): {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// What the API server, or a proxy before it, says.
        message: String,
    },
    /// The user interrupted.
    #[error("interrupted")]
    Stopped {
        /// True if a write was under way: it may have been carried out.
        sent: bool,
    },
    /// The operation's time is over.
    #[error("the time is over{}", .last.as_ref().map(|e| format!("; the last attempt: {e}")).unwrap_or_default())]
    DeadlineExceeded {
        /// Why the last attempt failed.
        last: Option<Box<ApiError>>,
    },
    /// Anything else.
    #[error("unexpected answer (HTTP {status}): {message}")]
    Other {
        /// The HTTP status; 0 if there was none.
        status: u16,
        /// What was found.
        message: String,
    },
}

/// A right of RBAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// `get`, `list`, `watch`, `create`, `patch`, `delete`
    pub verb: String,
    /// `kamaji.clastix.io`; empty for the core group.
    pub group: String,
    /// `tenantcontrolplanes`
    pub resource: String,
    /// [`None`] for the cluster scope.
    pub namespace: Option<String>,
}

/// A field that a server-side apply may not set without force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldConflict {
    /// `.spec.controlPlane.deployment.replicas`
    pub field: String,
    /// The manager that owns it; empty if the message has another form than expected.
    pub manager: String,
    /// `scale`: an autoscaler or `kubectl scale`.
    pub subresource: Option<String>,
    /// How it took the field.
    pub operation: OwnerOperation,
    /// When, RFC 3339; the API server says so for updates only, and not always.
    pub time: Option<String>,
    /// What the API server says.
    pub message: String,
}

/// How a field manager took a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnerOperation {
    /// Server-side apply: a declarative owner.
    Apply,
    /// Any other write.
    Update,
}

/// A value that the API server refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// `spec.networkProfile.certSANs[1]`; empty or `<nil>` if the API server names none.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl ApiError {
    /// True if a write that ended so may have been carried out all the same: read before writing again.
    pub fn is_in_doubt(&self) -> bool {
        match self {
            Self::Stopped { sent } | Self::Unreachable { sent, .. } => *sent,
            Self::Unavailable { .. } => true,
            Self::DeadlineExceeded { last } => last.as_ref().is_some_and(|last| last.is_in_doubt()),
            Self::Other { status, .. } => *status < 400,
            _ => false,
        }
    }

    /// True if the API server was not reached, or gave no answer of its own: an operation that can do without it may
    /// go on.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unavailable { .. } | Self::Tls { .. } => true,
            Self::DeadlineExceeded { last } => last.as_ref().is_none_or(|last| last.is_unreachable()),
            _ => false,
        }
    }
}

/// At most three, and how many more.
fn list<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = all.len().saturating_sub(3);
    let shown = all.take(3).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// An error and its causes, each once: kube and hyper show only the outermost.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut current = error.source();
    while let Some(source) = current {
        let next = source.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        current = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let fields =
            |n: usize| ApiError::UnknownField { paths: (0..n).map(|i| format!(".spec.f{i}")).collect() }.to_string();
        assert_eq!(fields(1), "the API server does not know .spec.f0");
        assert_eq!(fields(5), "the API server does not know .spec.f0, .spec.f1, .spec.f2 and 2 more");
    }

    #[test]
    fn a_deadline_tells_the_last_reason() {
        let last = ApiError::Unreachable { host: "a:6443".into(), cause: "connection reset".into(), sent: true };
        let over = ApiError::DeadlineExceeded { last: Some(Box::new(last)) };
        assert_eq!(over.to_string(), "the time is over; the last attempt: a:6443 cannot be reached: connection reset");
        assert!(over.is_unreachable() && over.is_in_doubt());
    }
}
