//! Why a control plane is stuck: Kamaji writes neither conditions nor Events, so the reason is read from what surrounds
//! it.

use serde_json::Value;

use super::tenant_control_plane::{ServiceType, View};

/// What was found round a control plane; what could not be read is absent.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The TenantControlPlane itself.
    pub tenant_control_plane: Value,
    /// Its Deployment.
    pub deployment: Option<Value>,
    /// Its Service.
    pub service: Option<Value>,
    /// The DataStore that it asks for.
    pub data_store: Option<Value>,
    /// Its pods.
    pub pods: Vec<Value>,
    /// Events about its pods, oldest first.
    pub events: Vec<Value>,
}

/// The facts, then the likely causes by name: lines for a person, a dozen at most.
pub fn not_ready(evidence: &Evidence) -> Vec<String> {
    let view = View::new(&evidence.tenant_control_plane);
    let mut lines = vec![facts(&view)];
    lines.extend(endpoint(&view, evidence));
    lines.extend(data_store(&view, evidence));
    lines.extend(ingress(&view));
    for pod in evidence.pods.iter().take(3) {
        lines.extend(pod_trouble(pod));
    }
    if evidence.pods.is_empty() && view.wanted_replicas() > 0 && evidence.deployment.is_some() {
        lines.push("The Deployment has no pods: look at the Events of its ReplicaSet (quota, admission).".to_owned());
    }
    let warnings = evidence.events.iter().rev().filter(|event| text(event, "/type") == Some("Warning"));
    for event in warnings.take(2) {
        let (reason, message) =
            (text(event, "/reason").unwrap_or_default(), text(event, "/message").unwrap_or_default());
        lines.push(format!("Event {reason}: {message}"));
    }
    if lines.len() == 1 {
        lines.push(
            "Nothing round it looks wrong. The reason may be in the log of the Kamaji controller: \
             `kubectl -n kamaji-system logs deploy/kamaji`."
                .to_owned(),
        );
    }
    lines
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

fn facts(view: &View<'_>) -> String {
    let status = view.status().map_or_else(|| "none".to_owned(), |status| status.word().to_owned());
    let seen = view.observed_generation().map(|seen| format!(", seen by Kamaji: {seen}")).unwrap_or_default();
    let pods = view.replicas().map(|r| format!("; {} of {} pods ready", r.ready, view.wanted_replicas()));
    format!(
        "Status {status}, generation {}{seen}, installed version {}{}.",
        view.generation().unwrap_or_default(),
        view.installed_version().unwrap_or("none"),
        pods.unwrap_or_default()
    )
}

fn endpoint(view: &View<'_>, evidence: &Evidence) -> Option<String> {
    if view.endpoint().is_some() || view.address().is_some() {
        return None;
    }
    match view.service_type()? {
        ServiceType::NodePort => Some(
            "Likely cause: a NodePort Service without `network_profile.address`; Kamaji waits for it in silence."
                .to_owned(),
        ),
        ServiceType::LoadBalancer => {
            let ingress =
                evidence.service.as_ref().and_then(|service| service.pointer("/status/loadBalancer/ingress/0"));
            match ingress {
                None => Some(
                    "Likely cause: the LoadBalancer Service has no address. Is there a load balancer controller in the \
                     management cluster, and does it have addresses left?"
                        .to_owned(),
                ),
                Some(first) if first.get("ip").is_none() => Some(
                    "Likely cause: the load balancer has a host name and no IP address, which Kamaji does not support. Set \
                     `network_profile.address`, or use a load balancer with a fixed address."
                        .to_owned(),
                ),
                Some(_) => None,
            }
        }
        ServiceType::ClusterIp => None,
    }
}

fn data_store(view: &View<'_>, evidence: &Evidence) -> Option<String> {
    let Some(name) = view.requested_data_store() else {
        return Some("Likely cause: no `data_store` is set and this Kamaji has no default one.".to_owned());
    };
    let Some(store) = &evidence.data_store else {
        return Some(format!("Likely cause: the DataStore {name} does not exist, or cannot be read."));
    };
    if store.pointer("/status/ready") == Some(&Value::Bool(false)) {
        let conditions = store.pointer("/status/conditions").and_then(Value::as_array);
        let why = conditions
            .into_iter()
            .flatten()
            .find(|condition| text(condition, "/status") == Some("False"))
            .and_then(|condition| text(condition, "/message"))
            .unwrap_or("no reason given");
        return Some(format!("Likely cause: the DataStore {name} is not ready: {why}."));
    }
    (view.data_store().is_none() && evidence.deployment.is_none()).then(|| {
        format!(
            "Possible cause: Kamaji cannot work with the DataStore {name}: it is unreachable, or its credentials or keys are \
             wrong. The log of the Kamaji controller has the reason."
        )
    })
}

fn ingress(view: &View<'_>) -> Option<String> {
    let wanted = view.at("/spec/controlPlane/ingress").is_some();
    let without_host = wanted && view.text("/spec/controlPlane/ingress/hostname").is_none_or(str::is_empty);
    without_host.then(|| "Likely cause: `control_plane.ingress` has no `hostname`.".to_owned())
}

fn pod_trouble(pod: &Value) -> Vec<String> {
    let name = text(pod, "/metadata/name").unwrap_or_default();
    let list = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = Vec::new();
    for condition in list("/status/conditions") {
        if text(&condition, "/type") == Some("PodScheduled") && text(&condition, "/status") == Some("False") {
            let why = text(&condition, "/message").unwrap_or("no reason given");
            lines.push(format!("Pod {name} cannot be scheduled: {why}"));
        }
    }
    for container in list("/status/initContainerStatuses").iter().chain(&list("/status/containerStatuses")) {
        let container_name = text(container, "/name").unwrap_or_default();
        let reason = text(container, "/state/waiting/reason");
        if let Some(reason) = reason.filter(|reason| *reason != "ContainerCreating" && *reason != "PodInitializing") {
            let message = text(container, "/state/waiting/message").unwrap_or_default();
            let image = text(container, "/image").unwrap_or_default();
            lines.push(format!("Pod {name}, container {container_name} ({image}): {reason}. {message}"));
        }
        if let Some(ended) = text(container, "/lastState/terminated/reason") {
            let code = container.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64).unwrap_or_default();
            lines.push(format!("Pod {name}, container {container_name} ended before: {ended}, exit code {code}."));
        }
    }
    lines
}

/// What keeps a deleted control plane: the known blockers, with what removes each.
pub fn not_deleted(evidence: &Evidence) -> Vec<String> {
    let view = View::new(&evidence.tenant_control_plane);
    let mut lines = Vec::new();
    let finalizers = view.finalizers();
    if !finalizers.is_empty() {
        lines.push(format!("It waits for the finalizers {}.", finalizers.join(", ")));
    }
    if view.paused() {
        lines.push(
            "Cause: it is paused. Remove the annotation: `kubectl annotate tenantcontrolplane NAME \
             kamaji.clastix.io/paused-`."
                .to_owned(),
        );
    }
    if let Some(name) = view.requested_data_store() {
        match &evidence.data_store {
            None => lines.push(format!(
                "Cause: the DataStore {name} does not exist any more, and Kamaji needs it to remove the tenant's data. \
                 Create it again with the same name."
            )),
            Some(store) if store.pointer("/status/ready") == Some(&Value::Bool(false)) => lines.push(format!(
                "Cause: the DataStore {name} is not ready; restore the Secrets that it refers to."
            )),
            Some(_) => lines.push(format!(
                "Possible cause: the database behind the DataStore {name} is unreachable, or refuses Kamaji's credentials; \
                 Kamaji tries again with growing pauses."
            )),
        }
    }
    lines.push(
        "Otherwise the Kamaji controller may be down: `kubectl -n kamaji-system get pods`. Finalizers are never removed by \
         this provider: the tenant's data would stay behind."
            .to_owned(),
    );
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evidence(spec: Value, status: Value) -> Evidence {
        Evidence { tenant_control_plane: json!({"spec": spec, "status": status}), ..Evidence::default() }
    }

    #[rstest::rstest]
    #[case::node_port(json!({"dataStore": "d", "controlPlane": {"service": {"serviceType": "NodePort"}}}), "network_profile.address")]
    #[case::load_balancer(json!({"dataStore": "d", "controlPlane": {"service": {"serviceType": "LoadBalancer"}}}), "load balancer controller")]
    #[case::no_data_store(json!({"controlPlane": {"service": {"serviceType": "ClusterIP"}}}), "no `data_store`")]
    #[case::missing_data_store(json!({"dataStore": "d"}), "DataStore d does not exist")]
    fn the_likely_cause_is_named(#[case] spec: Value, #[case] word: &str) {
        let lines = not_ready(&evidence(spec, json!({}))).join("\n");
        assert!(lines.contains(word), "{lines}");
    }

    #[test]
    fn a_pod_that_cannot_start_is_quoted() {
        let mut evidence = evidence(json!({"dataStore": "d"}), json!({"controlPlaneEndpoint": "1.2.3.4:6443"}));
        evidence.data_store = Some(json!({}));
        evidence.deployment = Some(json!({}));
        evidence.pods = vec![json!({
            "metadata": {"name": "a-1"},
            "status": {"containerStatuses": [{
                "name": "kube-apiserver", "image": "x:v9",
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
            }]},
        })];
        let lines = not_ready(&evidence).join("\n");
        assert!(lines.contains("a-1, container kube-apiserver (x:v9): ImagePullBackOff. not found"), "{lines}");
    }

    #[test]
    fn a_paused_deletion_names_the_annotation() {
        let mut evidence = evidence(json!({"dataStore": "d"}), json!({}));
        evidence.tenant_control_plane["metadata"] =
            json!({"annotations": {"kamaji.clastix.io/paused": ""}, "finalizers": ["finalizer.kamaji.clastix.io"]});
        let lines = not_deleted(&evidence).join("\n");
        assert!(lines.contains("paused-") && lines.contains("finalizer.kamaji.clastix.io"), "{lines}");
    }
}
