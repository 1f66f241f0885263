//! From an HTTP answer of the API server to an [`ApiError`]: what happened, and whether asking again can help.
//!
//! Works on the HTTP status and the body itself. kube's own error type loses the status when the body is JSON but no
//! `Status`, and takes a plain 404 of a missing path for a missing object.

use kube::core::Status;
use kube::core::response::{StatusCause, reason};

use super::error::{ApiError, FieldConflict, InvalidField, OwnerOperation, Permission};
use super::kind::{Kind, ObjectRef};
use super::retry::Again;

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The kind.
    pub(super) kind: Kind,
    /// [`None`] for cluster-wide kinds and for all namespaces.
    pub(super) namespace: Option<String>,
    /// Empty for lists and creates.
    pub(super) name: String,
}

impl Asked {
    fn object(&self) -> ObjectRef {
        ObjectRef { kind: self.kind, namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// Reads an answer that is no success.
pub(super) fn classify(asked: &Asked, status: u16, body: &[u8]) -> (ApiError, Again) {
    match status_object(body) {
        Some(found) => from_status(asked, status, &found),
        None => from_foreign_body(asked, status, body),
    }
}

/// Reads the `Status` that kube found in a watch.
pub(super) fn classify_status(asked: &Asked, status: &Status) -> (ApiError, Again) {
    // kube makes a Status of its own from a body that is none.
    if status.reason == "Failed to parse error data" {
        return from_foreign_body(asked, status.code, status.message.as_bytes());
    }
    from_status(asked, status.code, status)
}

fn status_object(body: &[u8]) -> Option<Status> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    (value.get("kind")? == "Status").then(|| serde_json::from_value(value).ok()).flatten()
}

fn from_foreign_body(asked: &Asked, status: u16, body: &[u8]) -> (ApiError, Again) {
    let text = plain_text(body);
    match status {
        // What kube-apiserver answers where no API is served.
        404 if text.starts_with("404 page not found") => (ApiError::NoSuchApi { kind: asked.kind }, Again::Never),
        401 => (ApiError::Unauthorized { message: text }, Again::Never),
        403 => (ApiError::Forbidden { permission: None, message: text }, Again::Never),
        429 => (ApiError::Throttled { message: text }, Again::Always),
        502..=504 => (ApiError::Unavailable { status, message: text }, Again::IfIdempotent),
        _ => {
            let message = format!("{}. This is not how a Kubernetes API server answers", text.trim_end_matches('.'));
            (ApiError::Other { status, message }, Again::Never)
        }
    }
}

/// The beginning of a body that somebody else wrote, if a human can read it.
fn plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.trim().lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.starts_with(['<', '{', '[']) || line.chars().any(char::is_control) {
        return "no Kubernetes Status in the answer".to_owned();
    }
    line.chars().take(160).collect()
}

fn from_status(asked: &Asked, status: u16, found: &Status) -> (ApiError, Again) {
    let message = found.message.clone();
    let details = found.details.as_ref();
    let causes = details.map(|details| details.causes.as_slice()).unwrap_or_default();

    if let Some((webhook, why)) = webhook_denial(&message) {
        return (ApiError::WebhookDenied { webhook, message: why }, Again::Never);
    }
    if let Some((policy, why)) = policy_denial(&message) {
        return (ApiError::PolicyDenied { policy, message: why }, Again::Never);
    }
    let error = match (status, found.reason.as_str()) {
        (404, _) | (_, reason::NOT_FOUND) => not_found(asked, found),
        (_, reason::ALREADY_EXISTS) => ApiError::AlreadyExists { message },
        (409, _) | (_, reason::CONFLICT) => {
            let owned: Vec<_> =
                causes.iter().filter(|c| c.reason == "FieldManagerConflict").map(field_conflict).collect();
            if owned.is_empty() { ApiError::Conflict { message } } else { ApiError::FieldConflict(owned) }
        }
        (422, _) | (_, reason::INVALID) => match unknown_fields(&message) {
            unknown if !unknown.is_empty() => ApiError::UnknownField { paths: unknown },
            _ => ApiError::Invalid(invalid_fields(causes, &message)),
        },
        (403, _) if causes.iter().any(|cause| cause.reason == "NamespaceTerminating") => {
            ApiError::NamespaceTerminating { name: asked.namespace.clone().unwrap_or_default() }
        }
        (403, _) => match exceeded_quota(&message) {
            Some((quota, excess)) => ApiError::QuotaExceeded { quota, excess },
            None => ApiError::Forbidden { permission: missing_permission(&message), message },
        },
        (401, _) => ApiError::Unauthorized { message },
        // Whoever evicts decides how long to wait for a budget, and says so meanwhile.
        (429, _) => match causes.iter().find(|cause| cause.reason == "DisruptionBudget") {
            Some(cause) if !cause.message.is_empty() => {
                ApiError::DisruptionBudget { message: cause.message.trim_end_matches('.').to_owned() }
            }
            Some(_) => ApiError::DisruptionBudget { message },
            None => return (ApiError::Throttled { message }, Again::Always),
        },
        (502..=504, _) => return (ApiError::Unavailable { status, message }, Again::IfIdempotent),
        (400 | 500, _) => return bad_request_or_internal(status, message),
        _ => ApiError::Other { status, message },
    };
    (error, Again::Never)
}

fn not_found(asked: &Asked, found: &Status) -> ApiError {
    let details = found.details.as_ref();
    let name = details.map(|details| details.name.as_str()).unwrap_or_default();
    let kind = details.map(|details| details.kind.as_str()).unwrap_or_default();
    if kind == "namespaces" && !name.is_empty() && asked.kind != Kind::Namespace {
        ApiError::NamespaceMissing { name: name.to_owned() }
    } else if !name.is_empty() && name == asked.name {
        ApiError::NotFound(asked.object())
    } else {
        // "the server could not find the requested resource": the path, not the object.
        ApiError::NoSuchApi { kind: asked.kind }
    }
}

/// 400 and 500 carry no reason that tells their cases apart: the text must.
fn bad_request_or_internal(status: u16, message: String) -> (ApiError, Again) {
    let unknown = unknown_fields(&message);
    if !unknown.is_empty() {
        return (ApiError::UnknownField { paths: unknown }, Again::Never);
    }
    // Server-side apply reports wrong types as 500.
    if let Some((_, problems)) = message.split_once("failed to create typed patch object (") {
        let problems = problems.split_once("): ").map_or(problems, |(_, problems)| problems);
        let fields = typed_problems(problems)
            .map(|(field, message)| InvalidField { field: field.to_owned(), message: message.to_owned() })
            .collect();
        return (ApiError::Invalid(fields), Again::Never);
    }
    if let Some((_, after)) = message.split_once("failed calling webhook ") {
        let webhook = quoted(after).unwrap_or_default().to_owned();
        return (ApiError::WebhookUnavailable { webhook, message }, Again::Always);
    }
    (ApiError::Other { status, message }, Again::Never)
}

/// `admission webhook "NAME" denied the request: TEXT`. The HTTP status is the webhook's own choice.
fn webhook_denial(message: &str) -> Option<(String, String)> {
    let (_, after) = message.split_once("admission webhook ")?;
    let webhook = quoted(after)?;
    let (_, why) = after.split_once("denied the request")?;
    let why = why.trim_start_matches(':').trim();
    Some((webhook.to_owned(), why.to_owned()))
}

/// `… ValidatingAdmissionPolicy 'NAME' with binding 'BINDING' denied request: TEXT`. The HTTP status is the policy's own
/// choice.
fn policy_denial(message: &str) -> Option<(String, String)> {
    let (_, after) = message.split_once("ValidatingAdmissionPolicy '")?;
    let (policy, after) = after.split_once('\'')?;
    let (_, why) = after.split_once("denied request: ")?;
    Some((policy.to_owned(), why.trim().to_owned()))
}

/// `… is forbidden: exceeded quota: NAME, requested: R=1, used: R=2, limited: R=2`
fn exceeded_quota(message: &str) -> Option<(String, String)> {
    let (_, after) = message.split_once("exceeded quota: ")?;
    let (quota, excess) = after.split_once(", ")?;
    Some((quota.to_owned(), excess.to_owned()))
}

/// `… cannot VERB resource "RESOURCE" in API group "GROUP" in the namespace "NAMESPACE"` or `… at the cluster scope`.
fn missing_permission(message: &str) -> Option<Box<Permission>> {
    let (_, after) = message.split_once(" cannot ")?;
    let (verb, after) = after.split_once(" resource ")?;
    let resource = quoted(after)?;
    let group = after.split_once("in API group ").and_then(|(_, rest)| quoted(rest)).unwrap_or_default();
    let namespace = after.split_once("in the namespace ").and_then(|(_, rest)| quoted(rest));
    Some(Box::new(Permission {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.map(str::to_owned),
    }))
}

/// `conflict with "MANAGER" with subresource "SUB" using GROUP/VERSION at TIME`; `using` is there for updates alone.
fn field_conflict(cause: &StatusCause) -> FieldConflict {
    let (_, after) = cause.message.split_once("conflict with ").unwrap_or_default();
    let (owner, update) = after.split_once(" using ").map_or((after, None), |(owner, rest)| (owner, Some(rest)));
    FieldConflict {
        field: cause.field.clone(),
        manager: quoted(owner).unwrap_or_default().to_owned(),
        subresource: owner.split_once("with subresource ").and_then(|(_, rest)| quoted(rest)).map(str::to_owned),
        operation: if update.is_some() { OwnerOperation::Update } else { OwnerOperation::Apply },
        time: update.and_then(|rest| rest.split_once(" at ")).map(|(_, time)| time.to_owned()),
        message: cause.message.clone(),
    }
}

fn invalid_fields(causes: &[StatusCause], message: &str) -> Vec<InvalidField> {
    if causes.is_empty() {
        return vec![InvalidField { field: String::new(), message: shortened(message) }];
    }
    let field = |cause: &StatusCause| InvalidField { field: cause.field.clone(), message: shortened(&cause.message) };
    // A remark about the other causes, not one more mistake.
    let told = |cause: &&StatusCause| !cause.message.contains("some validation rules were not checked");
    let fields: Vec<InvalidField> = causes.iter().filter(told).map(field).collect();
    if fields.is_empty() { causes.iter().map(field).collect() } else { fields }
}

/// A refused value is quoted before the reason, and may be a whole object.
fn shortened(message: &str) -> String {
    const HEAD: usize = 80;
    const TAIL: usize = 300;
    let length = message.chars().count();
    if length <= HEAD + TAIL {
        return message.to_owned();
    }
    let head: String = message.chars().take(HEAD).collect();
    let tail: String = message.chars().skip(length - TAIL).collect();
    format!("{head} … {tail}")
}

/// Server-side apply: `PATH: field not declared in schema` (500); other writes: `strict decoding error: unknown field
/// "PATH"` (400, or 422 after the whole object).
fn unknown_fields(message: &str) -> Vec<String> {
    let problems = message.split_once("): ").map_or(message, |(_, problems)| problems);
    let undeclared = typed_problems(problems)
        .filter(|(_, problem)| problem.contains("field not declared in schema"))
        .map(|(path, _)| path.to_owned());
    let strict = message.rsplit_once("strict decoding error: ").map(|(_, problems)| problems).unwrap_or_default();
    let strict = strict.split("unknown field ").skip(1).filter_map(quoted).map(str::to_owned);
    undeclared.chain(strict).collect()
}

/// `PATH: PROBLEM`, one a line.
fn typed_problems(problems: &str) -> impl Iterator<Item = (&str, &str)> {
    problems.lines().map(str::trim).filter_map(|line| line.split_once(": ")).filter(|(path, _)| path.starts_with('.'))
}

/// The text between the first two double quotes.
fn quoted(text: &str) -> Option<&str> {
    let (_, after) = text.split_once('"')?;
    after.split_once('"').map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests;
