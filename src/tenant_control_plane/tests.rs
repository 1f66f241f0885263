//! Changes and the end of a control plane against scripted APIs: one of the management cluster, one of the tenant.

mod destroy;
mod public_token;
mod upgrade;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, Checkpoint, Context};
use tfplugin::{Diagnostic, Diagnostics, Value};
use tokio::time::Instant;

use super::TenantControlPlane;
use super::schema::SCHEMA;
use crate::configured::Configured;
use crate::managed_object::ManagedResource;
use crate::managed_object::memory::Memory;
use crate::management_cluster::scripted::{Scripted, Step, list_of, on};
use crate::tenant_cluster::tests::{both, connect};

const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes";
const TENANT: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes/a";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/tenants/deployments/a";
const KUBECONFIG: &str = "/api/v1/namespaces/tenants/secrets/a-admin-kubeconfig";
const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tenantcontrolplanes.kamaji.clastix.io";

/// The resource on a management cluster, with a tenant behind its kubeconfig.
fn resource(management: &Scripted, tenant: &Scripted) -> ManagedResource<TenantControlPlane> {
    let shared = Arc::new(Configured::of(management.cluster()));
    ManagedResource::new(TenantControlPlane::with(connect(tenant), Arc::clone(&shared)), shared)
}

/// A control plane that works, of a Kamaji that says what it has seen.
fn live(requested: &str, installed: &str) -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "a", "namespace": "tenants", "uid": "uid-a", "generation": 3, "resourceVersion": "7"},
        "spec": {"dataStore": "d", "kubernetes": {"version": requested},
            "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "ClusterIP"}}},
        "status": {"observedGeneration": 3, "controlPlaneEndpoint": "10.0.0.1:6443",
            "storage": {"dataStoreName": "d"},
            "kubeconfig": {"admin": {"secretName": "a-admin-kubeconfig"}},
            "kubernetesResources": {"version": {"status": "Ready", "version": installed}}}})
}

/// The same with values elsewhere; what leads nowhere is made.
fn with(mut object: Json, edits: &[(&str, Json)]) -> Json {
    for (pointer, value) in edits {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    object
}

/// A control plane at work on a change.
fn busy(object: Json, status: &str) -> Json {
    with(object, &[("/metadata/generation", json!(4)), ("/status/kubernetesResources/version/status", json!(status))])
}

fn deployment(replicas: i64) -> Step {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "generation": 1},
        "spec": {"replicas": replicas}, "status": {"observedGeneration": 1, "replicas": replicas,
            "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}});
    on(Method::GET, DEPLOYMENT).answers(200, &object).always()
}

fn found(object: &Json) -> Step {
    on(Method::GET, TENANT).answers(200, object)
}

fn writes(answer: &Json) -> Step {
    on(Method::PATCH, TENANT).answers(200, answer)
}

/// A wait that finds this object and sees these events, and after them nothing any more.
fn waits(object: &Json, events: &[Json]) -> [Step; 2] {
    [
        on(Method::GET, TENANTS).answers(200, &list_of("8", std::slice::from_ref(object))),
        on(Method::GET, TENANTS).streams(events),
    ]
}

/// The tenant's kubeconfig, for those who ask the tenant.
fn kubeconfig() -> Step {
    on(Method::GET, KUBECONFIG).answers(200, &both()).always()
}

/// A CRD whose status has these words, and says what it has seen or not.
fn crd(words: &[&str], reports: bool) -> Step {
    let mut status =
        json!({"kubernetesResources": {"properties": {"version": {"properties": {"status": {"enum": words}}}}}});
    if reports {
        status["observedGeneration"] = json!({});
    }
    let schema = json!({"properties": {"status": {"properties": status}}});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "tenantcontrolplanes.kamaji.clastix.io"},
        "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}});
    on(Method::GET, CRD).answers(200, &crd).always()
}

fn config(version: &str, edits: &[(&str, Value)]) -> Value {
    let mut config = SCHEMA.null_object();
    config.set("name", "a".into());
    config.set("namespace", "tenants".into());
    config.set("data_store", "d".into());
    config.set("kubernetes.version", version.into());
    config.set("control_plane.service.service_type", "ClusterIP".into());
    config.set("control_plane.deployment.replicas", Value::from(1));
    for (path, value) in edits {
        config.set(path, value.clone());
    }
    config
}

/// The state of a control plane that works.
fn stored(version: &str, edits: &[(&str, Value)]) -> Value {
    let mut state = config(version, edits);
    state.set("id", "tenants/a".into());
    state.set("uid", "uid-a".into());
    state.set("status", "Ready".into());
    state.set("installed_version", version.into());
    state.set("effective.data_store", "d".into());
    state
}

/// What a plan makes of a state and a configuration that differs.
fn planned(config: &Value, unknown: &[&str]) -> Value {
    let mut planned = config.clone();
    planned.set("id", "tenants/a".into());
    planned.set("uid", "uid-a".into());
    for name in unknown {
        planned.set(name, Value::Unknown);
    }
    planned
}

const MOVES: &[&str] = &["status", "installed_version"];

fn memory() -> Private {
    Private::write(&Memory { was_ready: true, nonce: "n".to_owned(), ..Memory::default() })
}

fn change(prior: Value, planned: Value, private: Private) -> ApplyRequest {
    ApplyRequest { prior, config: planned.clone(), planned, private, checkpoint: Checkpoint::default() }
}

fn summaries(diagnostics: &Diagnostics) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect()
}

fn said<'a>(diagnostics: &'a Diagnostics, summary: &str) -> &'a Diagnostic {
    let found = diagnostics.iter().find(|diagnostic| diagnostic.summary == summary);
    found.unwrap_or_else(|| panic!("{summary:?} is not said: {diagnostics:#?}"))
}

/// Versions that were applied, in order; those of dry-runs with a `?`.
fn applied(api: &Scripted) -> Vec<String> {
    let patches = api.asked().into_iter().filter(|asked| asked.method == Method::PATCH);
    patches
        .map(|asked| {
            let version = asked.body["spec"]["kubernetes"]["version"].as_str().unwrap_or_default().to_owned();
            if asked.query.contains("dryRun") { format!("{version}?") } else { version }
        })
        .collect()
}

/// Interrupts an operation that waits, and checks that it ends within the second that Terraform is promised.
async fn interrupted<T>(cx: &Context, operation: impl Future<Output = T>) -> T {
    let stop = cx.stop.clone();
    let interrupting = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        stop.cancel();
        Instant::now()
    };
    let (outcome, since) = tokio::join!(operation, interrupting);
    assert!(since.elapsed() <= Duration::from_secs(1), "ended {:?} after the interrupt", since.elapsed());
    outcome
}
