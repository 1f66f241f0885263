//! The computed attributes, from the live object and, when its credentials moved, from the admin kubeconfig.

use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics, Value};

use crate::kamaji::certificate::ca_pins;
use crate::kamaji::kubeconfig::Kubeconfig;
use crate::kamaji::network::Endpoint;
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::Scene;
use crate::managed_object::memory::Memory;

/// Fills the computed attributes. One request at most, and none while Kamaji's checksum of the admin kubeconfig is the
/// one that `memory` has.
pub(super) async fn observe(scene: &Scene, live: &Json, state: &mut Value, memory: &mut Memory) -> Diagnostics {
    let view = View::new(live);
    show(&view, state);
    let checksum = live.pointer("/status/kubeconfig/admin/checksum").and_then(Json::as_str).unwrap_or_default();
    let (Some(secret), false) = (view.admin_kubeconfig_secret(), checksum.is_empty()) else {
        unknown_endpoint(&view, state);
        return Diagnostics::new();
    };
    let known = ["cluster_ca_certificate", "endpoint"].into_iter().all(|attribute| state.get(attribute).is_set());
    if memory.observed_checksum == checksum && known {
        return Diagnostics::new();
    }
    match credentials(scene, view.namespace(), secret).await {
        Ok(Some((endpoint, ca))) => {
            state.set("endpoint", endpoint_value(&endpoint));
            state.set("ca_cert_hash", ca_pins(&ca).ok().and_then(|pins| pins.into_iter().next()).into());
            state.set("cluster_ca_certificate", ca.into());
            memory.observed_checksum = checksum.to_owned();
            Diagnostics::new()
        }
        Ok(None) => {
            unknown_endpoint(&view, state);
            Diagnostics::new()
        }
        Err(warning) => {
            unknown_endpoint(&view, state);
            warning.into()
        }
    }
}

/// Fills the computed attributes that the object itself shows.
pub(super) fn show(view: &View<'_>, state: &mut Value) {
    state.set("id", format!("{}/{}", view.namespace(), view.name()).into());
    state.set("uid", view.uid().into());
    state.set("status", view.status().map(|status| status.word().to_owned()).into());
    state.set("installed_version", view.installed_version().into());
    state.set(
        "secret_names",
        Value::object([
            ("admin_kubeconfig", Value::from(view.admin_kubeconfig_secret())),
            ("ca", Value::from(view.ca_secret())),
        ]),
    );
    state.set("effective", effective(view));
}

/// Without the kubeconfig: the management side's address, and null for what only the kubeconfig has.
fn unknown_endpoint(view: &View<'_>, state: &mut Value) {
    let endpoint = view.endpoint().map(|endpoint| endpoint_value(&endpoint)).unwrap_or(Value::Null);
    state.set("endpoint", endpoint);
    for attribute in ["cluster_ca_certificate", "ca_cert_hash"] {
        if !state.get(attribute).is_set() {
            state.set(attribute, Value::Null);
        }
    }
}

fn endpoint_value(endpoint: &Endpoint) -> Value {
    Value::object([
        ("host", Value::from(endpoint.host.as_str())),
        ("port", Value::from(i64::from(endpoint.port))),
        ("url", Value::from(endpoint.url())),
    ])
}

/// Server and CA of the admin kubeconfig: what the tenant's own users and nodes get. The credentials in it are dropped.
async fn credentials(scene: &Scene, namespace: &str, name: &str) -> Result<Option<(Endpoint, String)>, Diagnostic> {
    let secret = scene.cluster.secret(&scene.operation, namespace, name).await.map_err(|error| {
        let mut warning = error.to_diagnostic(&format!("read the Secret {namespace}/{name}"));
        warning.severity = tfplugin::Severity::Warning;
        warning.detail.push_str("\n\nUntil then `cluster_ca_certificate` and `ca_cert_hash` are not known.");
        warning
    })?;
    let text = secret.as_ref().and_then(|secret| secret.get("super-admin.conf").or_else(|| secret.get("admin.conf")));
    let kubeconfig =
        text.and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| Kubeconfig::parse(text).ok());
    let Some(kubeconfig) = kubeconfig else { return Ok(None) };
    Ok(kubeconfig.endpoint().ok().map(|endpoint| (endpoint, kubeconfig.ca_pem)))
}

fn effective(view: &View<'_>) -> Value {
    let list = |lists: &str, scalar: &str| {
        let many = view.texts(&format!("/spec/networkProfile/{lists}"));
        let one = view.text(&format!("/spec/networkProfile/{scalar}"));
        Value::strings(if many.is_empty() { one.into_iter().collect() } else { many })
    };
    let number = |pointer: &str| Value::from(view.at(pointer).and_then(Json::as_i64));
    Value::object([
        ("data_store", Value::from(view.data_store().or(view.requested_data_store()))),
        ("replicas", number("/spec/controlPlane/deployment/replicas")),
        ("port", number("/spec/networkProfile/port")),
        ("cluster_domain", Value::from(view.text("/spec/networkProfile/clusterDomain").unwrap_or("cluster.local"))),
        ("service_cidrs", list("serviceCidrs", "serviceCidr")),
        ("pod_cidrs", list("podCidrs", "podCidr")),
        ("dns_service_ips", list("dnsServiceIPs", "dnsServiceIP")),
    ])
}
