//! The API of the management cluster: the few verbs that the provider uses, with one way to fail.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use k8s_openapi::api::core::v1::Event;
use kube::api::{DeleteParams, DynamicObject, GetParams, LogParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::classify::Asked;
use super::error::ApiError;
use super::exchanged::{ApplyOptions, Change, Deleted, Propagation, SecretData, Written};
use super::features::Features;
use super::kind::{Kind, ObjectRef};
use super::login::{Login, Logins};
use super::operation::Operation;
use super::pages::PAGE;
use super::shared::Shared;
use super::traffic::{Counting, Whose};
use super::transport::{Answer, Call};

/// Requests in flight, unless the configuration says otherwise. HTTP/1.1 needs a connection for each; the API server's own
/// fairness does the rest.
pub const MAX_IN_FLIGHT: usize = 32;

/// What a list is to have; empty for everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selectors<'a> {
    /// A label selector.
    pub labels: &'a str,
    /// A field selector.
    pub fields: &'a str,
}

/// The management cluster. Cheap to clone; all clones share connections.
///
/// Nothing is sent before the first request: the client, and with it a credential plugin, starts then.
#[derive(Clone)]
pub struct ManagementCluster(Arc<Inner>);

struct Inner {
    host: String,
    logins: Logins,
    in_flight: Semaphore,
    shared: Shared,
    features: Features,
}

/// The right to send one request.
pub(super) struct Turn<'a> {
    pub(super) client: kube::Client,
    pub(super) login: Arc<Login>,
    // Never closed, so there is always a permit.
    _permit: Option<SemaphorePermit<'a>>,
}

impl ManagementCluster {
    /// The cluster of a configuration, and how many requests may be under way at once. Makes no connection.
    pub fn new(config: kube::Config, in_flight: usize) -> Self {
        Self::of(config, in_flight, Whose::ManagementCluster)
    }

    /// The API of a tenant, which is asked in the same way. Makes no connection.
    pub fn of_tenant(config: kube::Config) -> Self {
        Self::of(config, MAX_IN_FLIGHT, Whose::Tenant)
    }

    fn of(config: kube::Config, in_flight: usize, whose: Whose) -> Self {
        let url = &config.cluster_url;
        let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
        let host = format!("{}:{port}", url.host().unwrap_or_default());
        let counting = Counting { whose, host: host.clone() };
        Self::with(host, Logins::new(config, counting), in_flight)
    }

    /// A cluster behind a client of one's own.
    #[cfg(test)]
    pub(crate) fn from_client(host: &str, client: kube::Client) -> Self {
        Self::with(host.to_owned(), Logins::of(client), MAX_IN_FLIGHT)
    }

    fn with(host: String, logins: Logins, in_flight: usize) -> Self {
        let (in_flight, shared) = (Semaphore::new(in_flight), Shared::default());
        Self(Arc::new(Inner { host, logins, in_flight, shared, features: Features::default() }))
    }

    /// What its reads share.
    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// `host:port` of the API server, for messages.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// What was found out about the installed CRDs.
    pub(super) fn features(&self) -> &Features {
        &self.0.features
    }

    /// The client, made at the first call, and whose it is.
    pub(super) async fn client(&self) -> Result<(kube::Client, Arc<Login>), ApiError> {
        self.0.logins.client().await
    }

    /// Credentials for the requests that follow; true if that can help ([`Logins::renew`]).
    pub(super) fn log_in_again(&self, refused: &Arc<Login>) -> bool {
        self.0.logins.renew(refused)
    }

    /// A client and the right to send one request.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, ApiError> {
        let (client, login) = self.client().await?;
        Ok(Turn { client, login, _permit: self.0.in_flight.acquire().await.ok() })
    }

    /// Reads an object. [`None`] only if the API server says that this object does not exist; a missing CRD is an error.
    pub async fn get(&self, operation: &Operation, object: &ObjectRef) -> Result<Option<DynamicObject>, ApiError> {
        self.get_as(operation, object).await
    }

    async fn get_as<T: DeserializeOwned>(
        &self,
        operation: &Operation,
        object: &ObjectRef,
    ) -> Result<Option<T>, ApiError> {
        let request = collection(object)?.get(&object.name, &GetParams::default()).map_err(unsendable)?;
        match self.exchange(operation, &call(object, request, true)).await {
            Ok(answer) => read(&answer).map(Some),
            Err(ApiError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a Secret.
    pub async fn secret(
        &self,
        operation: &Operation,
        namespace: &str,
        name: &str,
    ) -> Result<Option<SecretData>, ApiError> {
        let object = ObjectRef::namespaced(Kind::Secret, namespace, name);
        let secret = self.get_as::<k8s_openapi::api::core::v1::Secret>(operation, &object).await?;
        Ok(secret.map(|secret| SecretData {
            kind: secret.type_.unwrap_or_default(),
            resource_version: secret.metadata.resource_version.unwrap_or_default(),
            data: secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0.into())).collect(),
        }))
    }

    /// The last lines of the log of a pod with one container; `previous`: of the container before the one that runs.
    pub async fn log_tail(
        &self,
        operation: &Operation,
        pod: &ObjectRef,
        lines: i64,
        previous: bool,
    ) -> Result<String, ApiError> {
        // A single line can be long.
        let parameters =
            LogParams { tail_lines: Some(lines), limit_bytes: Some(16 << 10), previous, ..LogParams::default() };
        let request = collection(pod)?.logs(&pod.name, &parameters).map_err(unsendable)?;
        let answer = self.exchange(operation, &call(pod, request, true)).await?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Has a token made for a ServiceAccount (`TokenRequest`). `spec` is that of the request.
    pub async fn token_of(
        &self,
        operation: &Operation,
        account: &ObjectRef,
        spec: &Value,
    ) -> Result<SecretString, ApiError> {
        #[derive(Deserialize)]
        struct Answered {
            status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            token: String,
        }
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
        let body = serde_json::to_vec(&body).map_err(|error| unsendable(&error))?;
        let request = collection(account)?.create_subresource("token", &account.name, &PostParams::default(), body);
        // Asked twice there are two tokens, and the first one is known to nobody.
        let call = call(account, request.map_err(unsendable)?, true);
        read(&self.exchange(operation, &call).await?).map(|answered: Answered| answered.status.token.into())
    }

    /// Asks the API server whether it is ready to serve (`/readyz`).
    pub async fn ready(&self, operation: &Operation) -> Result<(), ApiError> {
        let request = http::Request::get("/readyz").body(Vec::new()).map_err(unsendable)?;
        let asked = Asked { kind: Kind::Namespace, namespace: None, name: String::new() };
        match self.exchange(operation, &Call { asked, request, idempotent: true }).await {
            Ok(_) => Ok(()),
            // The answer is a list of checks, no Status.
            Err(ApiError::Other { status: status @ 500.., .. }) => {
                Err(ApiError::Unavailable { status, message: "it is starting or stopping".to_owned() })
            }
            Err(error) => Err(error),
        }
    }

    /// Lists the objects of a kind: of one namespace, or of all. `labels` is a label selector; empty for everything.
    pub async fn list(
        &self,
        operation: &Operation,
        kind: Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<DynamicObject>, ApiError> {
        self.list_kept(operation, kind, namespace, labels, |object| object).await
    }

    /// The same, keeping of each object only what `keep` makes of it: a thousand objects as they come are 60 MB.
    pub async fn list_kept<T>(
        &self,
        operation: &Operation,
        kind: Kind,
        namespace: Option<&str>,
        labels: &str,
        keep: impl Fn(DynamicObject) -> T,
    ) -> Result<Vec<T>, ApiError> {
        self.list_as(operation, kind, namespace, Selectors { labels, fields: "" }, keep).await
    }

    /// The same with selectors of both sorts.
    pub async fn list_selected<T>(
        &self,
        operation: &Operation,
        kind: Kind,
        namespace: Option<&str>,
        selectors: Selectors<'_>,
        keep: impl Fn(DynamicObject) -> T,
    ) -> Result<Vec<T>, ApiError> {
        self.list_as(operation, kind, namespace, selectors, keep).await
    }

    /// Lists the objects of a kind, from all namespaces, that a field selector chooses: `spec.nodeName=a` for Pods.
    pub async fn list_by_fields(
        &self,
        operation: &Operation,
        kind: Kind,
        fields: &str,
    ) -> Result<Vec<DynamicObject>, ApiError> {
        self.list_as(operation, kind, None, Selectors { labels: "", fields }, |object| object).await
    }

    /// The Events about an object, oldest first. With a uid only those about this object, not about one of the same
    /// name before it.
    pub async fn events(
        &self,
        operation: &Operation,
        involved: &ObjectRef,
        uid: Option<&str>,
    ) -> Result<Vec<Event>, ApiError> {
        let mut fields = format!("involvedObject.kind={},involvedObject.name={}", involved.kind, involved.name);
        if let Some(uid) = uid {
            fields.push_str(&format!(",involvedObject.uid={uid}"));
        }
        // Events about cluster-wide objects are in the namespace `default`.
        let namespace = involved.namespace.as_deref().unwrap_or("default");
        let selectors = Selectors { labels: "", fields: &fields };
        let mut events: Vec<Event> =
            self.list_as(operation, Kind::Event, Some(namespace), selectors, |event| event).await?;
        events.sort_by_key(|event| {
            let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
            series.or(event.last_timestamp.as_ref().map(|time| time.0)).or(event.event_time.as_ref().map(|time| time.0))
        });
        Ok(events)
    }

    async fn list_as<T: DeserializeOwned, K>(
        &self,
        operation: &Operation,
        kind: Kind,
        namespace: Option<&str>,
        selectors: Selectors<'_>,
        keep: impl Fn(T) -> K,
    ) -> Result<Vec<K>, ApiError> {
        let mut pages = self.pages(kind, namespace, selectors, PAGE)?;
        let mut all = Vec::new();
        while let Some(page) = pages.next(operation, &keep).await? {
            if page.anew {
                all.clear();
            }
            all.extend(page.items);
        }
        Ok(all)
    }

    /// Server-side apply. `manifest` holds the fields to own; `apiVersion`, `kind`, `name` and `namespace` are put in.
    ///
    /// An upsert: it creates what does not exist. Repeated after a lost answer, unless the manifest carries a
    /// `metadata.resourceVersion`, which a first attempt that did arrive would have outdated.
    pub async fn apply(
        &self,
        operation: &Operation,
        object: &ObjectRef,
        manifest: &Value,
        options: &ApplyOptions,
    ) -> Result<Written, ApiError> {
        let manifest = identified(object, manifest);
        let parameters = PatchParams { dry_run: options.dry_run, force: options.force, ..PatchParams::default() };
        let parameters =
            PatchParams { field_manager: Some(options.field_manager.clone()), ..parameters.validation_strict() };
        let request = collection(object)?.patch(&object.name, &parameters, &Patch::Apply(&manifest));
        let call = call(object, request.map_err(unsendable)?, is_repeatable(&manifest));
        written(&self.exchange(operation, &call).await?)
    }

    /// Creates an object from a manifest with a name or a `generateName`. `kind` and `apiVersion` are put in.
    pub async fn create(
        &self,
        operation: &Operation,
        kind: Kind,
        namespace: Option<&str>,
        manifest: &Value,
        field_manager: &str,
    ) -> Result<Written, ApiError> {
        let parameters = PostParams { field_manager: Some(field_manager.to_owned()), ..PostParams::default() };
        self.post(operation, kind, namespace, manifest, &parameters).await
    }

    /// Asks whether an object could be created, by a dry-run: nothing is stored.
    pub async fn would_create(
        &self,
        operation: &Operation,
        kind: Kind,
        namespace: &str,
        manifest: &Value,
    ) -> Result<(), ApiError> {
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        self.post(operation, kind, Some(namespace), manifest, &parameters).await.map(|_| ())
    }

    async fn post(
        &self,
        operation: &Operation,
        kind: Kind,
        namespace: Option<&str>,
        manifest: &Value,
        parameters: &PostParams,
    ) -> Result<Written, ApiError> {
        let manifest = typed(kind, manifest);
        let name = manifest.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let body = serde_json::to_vec(&manifest).map_err(|error| unsendable(&error))?;
        let request = Request::new(kind.url_path(checked(namespace)?)).create(parameters, body);
        let asked = Asked { kind, namespace: namespace.map(str::to_owned), name };
        // A dry-run stores nothing, so it can be repeated.
        let call = Call { asked, request: request.map_err(unsendable)?, idempotent: parameters.dry_run };
        written(&self.exchange(operation, &call).await?)
    }

    /// Changes an object that exists by a merge or JSON patch.
    pub async fn patch(
        &self,
        operation: &Operation,
        object: &ObjectRef,
        change: &Change,
        field_manager: &str,
    ) -> Result<Written, ApiError> {
        let (content_type, body, idempotent) = match change {
            Change::Merge(body) => ("application/merge-patch+json", body, is_repeatable(body)),
            Change::Json(body) => ("application/json-patch+json", body, false),
        };
        // kube would want the json-patch crate's types for the second.
        let parameters = PatchParams { field_manager: Some(field_manager.to_owned()), ..PatchParams::default() };
        let request = collection(object)?.patch(&object.name, &parameters.validation_strict(), &Patch::Merge(body));
        let mut request = request.map_err(unsendable)?;
        request.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
        written(&self.exchange(operation, &call(object, request, idempotent)).await?)
    }

    /// Asks a pod to go, as far as the PodDisruptionBudgets allow (`policy/v1` Eviction), within `grace` or its own grace
    /// period. Returns once the pod is marked.
    ///
    /// # Errors
    /// [`ApiError::DisruptionBudget`] while a budget does not let it go; [`ApiError::NotFound`] and
    /// [`ApiError::Conflict`] if the pod with this uid is gone.
    pub async fn evict(
        &self,
        operation: &Operation,
        pod: &ObjectRef,
        uid: &str,
        grace: Option<Duration>,
    ) -> Result<(), ApiError> {
        let mut body = json!({"apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": {"preconditions": {"uid": uid}}});
        if let Some(grace) = grace {
            body["deleteOptions"]["gracePeriodSeconds"] = json!(grace.as_secs());
        }
        let body = serde_json::to_vec(&body).map_err(|error| unsendable(&error))?;
        let request = collection(pod)?.create_subresource("eviction", &pod.name, &PostParams::default(), body);
        // A pod that is marked can be asked again.
        self.exchange(operation, &call(pod, request.map_err(unsendable)?, true)).await.map(|_| ())
    }

    /// Deletes the object with this uid. One of the same name with another uid is left alone: [`Deleted::Gone`].
    pub async fn delete(
        &self,
        operation: &Operation,
        object: &ObjectRef,
        uid: &str,
        propagation: Propagation,
    ) -> Result<Deleted, ApiError> {
        let parameters = match propagation {
            Propagation::Foreground => DeleteParams::foreground(),
            Propagation::Background => DeleteParams::background(),
        };
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let request = collection(object)?.delete(&object.name, &parameters.preconditions(preconditions));
        match self.exchange(operation, &call(object, request.map_err(unsendable)?, true)).await {
            Ok(answer) => {
                let body: Value = read(&answer)?;
                Ok(if body["kind"] == "Status" { Deleted::Gone } else { Deleted::Going })
            }
            Err(ApiError::NotFound(_)) => Ok(Deleted::Gone),
            Err(ApiError::Conflict { message }) if is_another_uid(&message) => Ok(Deleted::Gone),
            Err(error) => Err(error),
        }
    }
}

/// "the UID in the precondition (…) does not match the UID in record (…)", or from storage "Precondition failed: UID in
/// precondition: …, UID in object meta: …". A delete can also conflict for other reasons.
fn is_another_uid(message: &str) -> bool {
    message.contains("UID in the precondition") || message.contains("UID in precondition")
}

fn collection(object: &ObjectRef) -> Result<Request, ApiError> {
    // The name goes into the path as it is: `..` or `a?x` would ask for something else. Roles have colons.
    let name = object.name.as_str();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    if !name.bytes().all(allowed) || name.bytes().all(|byte| byte == b'.') {
        return Err(unsendable(format!("{name:?} is no name of an object")));
    }
    Ok(Request::new(object.kind.url_path(checked(object.namespace.as_deref())?)))
}

/// A namespace goes into the path as it is. What is no DNS label names no namespace.
pub(super) fn checked(namespace: Option<&str>) -> Result<Option<&str>, ApiError> {
    match namespace {
        Some(name) if name.is_empty() || !name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) => {
            Err(ApiError::NamespaceMissing { name: name.to_owned() })
        }
        _ => Ok(namespace),
    }
}

fn call(object: &ObjectRef, request: http::Request<Vec<u8>>, idempotent: bool) -> Call {
    let asked = Asked { kind: object.kind, namespace: object.namespace.clone(), name: object.name.clone() };
    Call { asked, request, idempotent }
}

fn typed(kind: Kind, manifest: &Value) -> Value {
    let mut manifest = if manifest.is_object() { manifest.clone() } else { json!({}) };
    manifest["apiVersion"] = json!(kind.api_version());
    manifest["kind"] = json!(kind.name());
    manifest
}

fn identified(object: &ObjectRef, manifest: &Value) -> Value {
    let mut manifest = typed(object.kind, manifest);
    if !manifest["metadata"].is_object() {
        manifest["metadata"] = json!({});
    }
    manifest["metadata"]["name"] = json!(object.name);
    if let Some(namespace) = &object.namespace {
        manifest["metadata"]["namespace"] = json!(namespace);
    }
    manifest
}

fn is_repeatable(manifest: &Value) -> bool {
    manifest.pointer("/metadata/resourceVersion").is_none()
}

fn written(answer: &Answer) -> Result<Written, ApiError> {
    Ok(Written { object: read(answer)?, warnings: answer.warnings.clone() })
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, ApiError> {
    serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error))
}

/// The error for a body that is not what was expected.
pub(super) fn unreadable(error: &serde_json::Error) -> ApiError {
    // The category and place, never the content: it may be a Secret.
    let place = format!("{:?} at line {} column {}", error.classify(), error.line(), error.column());
    let message = format!("the body is not the JSON that was expected ({place}). Is this a Kubernetes API server?");
    ApiError::Other { status: 200, message }
}

pub(super) fn unsendable(error: impl std::fmt::Display) -> ApiError {
    ApiError::Other { status: 0, message: format!("the request cannot be sent: {error}") }
}

#[cfg(test)]
mod tests;
