//! Why a control plane is stuck: Kamaji writes neither conditions nor Events, so the reason is read from what surrounds
//! it.

use serde_json::Value;

use super::datastore::refusal;
use super::network::check_dns_service_ips;
use super::tenant_control_plane::{FINALIZER, PAUSED_ANNOTATION, SOOT_FINALIZER, ServiceType, View, is_paused};

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
    /// What is known of a migration under way.
    pub migration: Migration,
    /// What only a delete needs.
    pub for_delete: ForDelete,
}

/// What is known of the Job that moves a control plane's data.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// The Job.
    pub job: Option<Value>,
    /// The last lines of its last try.
    pub log: Vec<String>,
}

impl Migration {
    fn name(&self) -> String {
        let text = |pointer: &str| self.job.as_ref().and_then(|job| text(job, pointer)).unwrap_or_default();
        format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"))
    }

    /// How far it is, in a line for the log; empty if there is no Job.
    pub fn progress(&self) -> String {
        let Some(job) = &self.job else { return String::new() };
        let count = |pointer: &str| job.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        let last = self.log.last().map(|line| format!("; its last try said: {}", short(line))).unwrap_or_default();
        format!(
            "Job {}: {} active, {} failed, {} succeeded{last}",
            self.name(),
            count("/status/active"),
            count("/status/failed"),
            count("/status/succeeded")
        )
    }

    /// Why the Job has failed for good, if it has.
    pub fn failure(&self) -> Option<String> {
        let conditions = list(self.job.as_ref()?, "/status/conditions");
        let failed = conditions.iter().find(|condition| {
            text(condition, "/type") == Some("Failed") && text(condition, "/status") == Some("True")
        })?;
        let why = text(failed, "/message").or(text(failed, "/reason")).unwrap_or("no reason given");
        Some(format!("The Job {} has failed: {why}.", self.name()))
    }
}

/// What keeps Kamaji from ending a control plane.
#[derive(Clone, Debug, Default)]
pub struct ForDelete {
    /// Why the API server refuses any update of it, Kamaji's own included.
    pub updates_refused: Option<String>,
    /// DataStores of `dataStoreOverrides` that do not exist.
    pub missing_overrides: Vec<String>,
    /// True if the Secret that says how the datastore is entered does not exist.
    pub without_secret: bool,
}

/// More lines than this nobody reads.
const MOST_LINES: usize = 15;

/// The facts, then the likely causes by name: short lines for a person.
pub fn not_ready(evidence: &Evidence) -> Vec<String> {
    let view = View::new(&evidence.tenant_control_plane);
    let mut causes = Vec::new();
    if view.paused() {
        causes.push(paused(&view));
    }
    causes.extend(endpoint(&view, evidence));
    causes.extend(data_store(&view, evidence));
    causes.extend(route(&view));
    causes.extend(migration(&view, &evidence.migration));
    causes.extend(evidence.deployment.as_ref().into_iter().flat_map(deployment_trouble));
    causes.extend(evidence.pods.iter().map(pod_trouble).filter(|lines| !lines.is_empty()).take(3).flatten());
    if evidence.pods.is_empty() && view.wanted_replicas() > 0 && evidence.deployment.is_some() {
        causes.push("The Deployment has no pods: look at the Events of its ReplicaSet (quota, admission).".to_owned());
    }
    causes.extend(warnings(evidence));
    if causes.is_empty() {
        causes.push(
            "Nothing round it looks wrong. The reason may be in the log of the Kamaji controller: \
             `kubectl -n kamaji-system logs deploy/kamaji`."
                .to_owned(),
        );
    }
    finish(std::iter::once(facts(&view)).chain(causes))
}

fn finish(lines: impl Iterator<Item = String>) -> Vec<String> {
    lines.map(|line| short(&line)).take(MOST_LINES).collect()
}

/// One line of bearable length: messages of pods can hold whole logs.
fn short(line: &str) -> String {
    const LONGEST: usize = 300;
    let flat = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= LONGEST {
        return flat;
    }
    flat.chars().take(LONGEST).chain(std::iter::once('…')).collect()
}

/// The last warnings, newest first, each reason once.
fn warnings(evidence: &Evidence) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut lines = Vec::new();
    for event in evidence.events.iter().rev().filter(|event| text(event, "/type") == Some("Warning")) {
        let reason = text(event, "/reason").unwrap_or_default();
        if !reasons.contains(&reason) && lines.len() < 2 {
            reasons.push(reason);
            lines.push(format!(
                "Event {reason}: {}",
                text(event, "/message").or(text(event, "/note")).unwrap_or_default()
            ));
        }
    }
    lines
}

fn paused(view: &View<'_>) -> String {
    format!(
        "Cause: it is paused, and Kamaji does nothing. Remove the annotation: `kubectl -n {} annotate tenantcontrolplane {} \
         {PAUSED_ANNOTATION}-`.",
        view.namespace(),
        view.name()
    )
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
        return view
            .data_store()
            .is_none()
            .then(|| "Likely cause: no `data_store` is set and this Kamaji has no default one.".to_owned());
    };
    let Some(store) = &evidence.data_store else {
        return Some(format!("Likely cause: the DataStore {name} does not exist, or cannot be read."));
    };
    if let Some(why) = refusal(store) {
        return Some(format!("Likely cause: the DataStore {name} is not ready: {why}."));
    }
    // Kamaji notes the datastore when it has set up the tenant's user and data there.
    (view.endpoint().is_some() && view.text("/status/storage/setup/schema").is_none()).then(|| {
        format!(
            "Likely cause: Kamaji cannot work with the DataStore {name}: it is unreachable, its credentials or keys are \
             wrong, or (MySQL) `data_store_username` is not set to a name of at most 32 characters. The log of the Kamaji \
             controller has the reason."
        )
    })
}

fn route(view: &View<'_>) -> Option<String> {
    let without = |kind: &str, field: &str| {
        view.at(&format!("/spec/controlPlane/{kind}")).is_some_and(|spec| {
            spec.get(field)
                .is_none_or(|value| value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty))
        })
    };
    if without("ingress", "hostname") {
        return Some("Likely cause: `control_plane.ingress` has no `hostname`.".to_owned());
    }
    if without("gateway", "hostname") || without("gateway", "parentRefs") {
        return Some("Likely cause: `control_plane.gateway` needs `hostname` and `parent_refs`.".to_owned());
    }
    let parents = view.at("/status/kubernetesResources/gateway/parents").and_then(Value::as_array).map_or(0, Vec::len);
    (view.at("/spec/controlPlane/gateway").is_some() && parents != 1).then(|| {
        format!(
            "Possible cause: the TLSRoute is attached to {parents} parents, Kamaji needs exactly one. Does the Gateway have \
             a TLS listener with mode Passthrough that takes the host name?"
        )
    })
}

/// A migration that fails says so nowhere but in its own Job.
fn migration(view: &View<'_>, known: &Migration) -> Vec<String> {
    if view.moves_data() { moving_data(view, known) } else { Vec::new() }
}

/// Where the data are on their way to, what the Job says, and the way back.
pub fn moving_data(view: &View<'_>, known: &Migration) -> Vec<String> {
    let (from, to) = (view.data_store().unwrap_or_default(), view.requested_data_store().unwrap_or("the default"));
    let mut lines =
        vec![format!("The data are moving from DataStore {from} to {to}, and the tenant takes no writes meanwhile.")];
    match &known.job {
        None => lines.push(format!(
            "If that is stuck, look at the Job in Kamaji's namespace: `kubectl -n kamaji-system logs job/migrate-{}`.",
            view.uid().unwrap_or_default()
        )),
        Some(_) => {
            lines.extend(known.failure());
            lines.extend(known.log.iter().map(|line| format!("Job {}: {line}", known.name())));
            if known.log.is_empty() {
                lines.push(known.progress());
            }
        }
    }
    lines.push(format!("To go back, set `data_store` to {from:?} again: nothing there was changed."));
    if known.failure().is_some() {
        lines.push("To try again, remove the cause and the Job; Kamaji makes a new one.".to_owned());
    }
    finish(lines.into_iter())
}

fn deployment_trouble(deployment: &Value) -> Vec<String> {
    let failed = |condition: &&Value| match text(condition, "/type") {
        Some("ReplicaFailure") => text(condition, "/status") == Some("True"),
        Some("Progressing") => text(condition, "/status") == Some("False"),
        _ => false,
    };
    list(deployment, "/status/conditions")
        .iter()
        .filter(failed)
        .map(|condition| {
            let why = text(condition, "/message").unwrap_or("no reason given");
            format!("Deployment: {}: {why}", text(condition, "/reason").unwrap_or("stuck"))
        })
        .collect()
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Reasons for waiting that every container goes through.
const ORDINARY: &[&str] = &["ContainerCreating", "PodInitializing"];

fn pod_trouble(pod: &Value) -> Vec<String> {
    let name = text(pod, "/metadata/name").unwrap_or_default();
    let mut lines = Vec::new();
    for condition in list(pod, "/status/conditions") {
        if text(condition, "/type") == Some("PodScheduled") && text(condition, "/status") == Some("False") {
            let why = text(condition, "/message").unwrap_or("no reason given");
            lines.push(format!("Pod {name} cannot be scheduled: {why}"));
        }
    }
    let statuses = list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses"));
    for container in statuses {
        let title = format!(
            "Pod {name}, container {} ({})",
            text(container, "/name").unwrap_or_default(),
            text(container, "/image").unwrap_or_default()
        );
        // The message of a crash loop only says how long the pause is; the end before it has the reason.
        if let Some(reason) = text(container, "/lastState/terminated/reason") {
            let code = container.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64).unwrap_or_default();
            let restarts = container.pointer("/restartCount").and_then(Value::as_i64).unwrap_or_default();
            let message = text(container, "/lastState/terminated/message").unwrap_or_default();
            lines.push(format!("{title} ended {restarts} times, last with {reason}, exit code {code}. {message}"));
        } else if let Some(reason) =
            text(container, "/state/waiting/reason").filter(|reason| !ORDINARY.contains(reason))
        {
            lines.push(format!("{title}: {reason}. {}", text(container, "/state/waiting/message").unwrap_or_default()));
        } else if container.pointer("/state/running").is_some() && container.get("ready") == Some(&Value::Bool(false)) {
            lines.push(format!("{title} runs and does not pass its readiness probe."));
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
    if let Some(why) = &evidence.for_delete.updates_refused {
        lines.push(format!(
            "Cause: every update of it is refused, and so is Kamaji's removal of the finalizers: {why}. Remove that, or have \
             an administrator switch the webhook off for a moment."
        ));
    }
    if view.paused() {
        lines.push(paused(&view));
    }
    if let Some(name) = view.data_store().or(view.requested_data_store()) {
        lines.push(match &evidence.data_store {
            None => format!(
                "Cause: the DataStore {name} does not exist any more, and Kamaji needs it to remove the tenant's data. \
                 Create it again with the same name."
            ),
            Some(store) => match refusal(store) {
                Some(why) => {
                    format!("Cause: the DataStore {name} is not ready: {why}. Restore the Secrets that it refers to.")
                }
                None => format!(
                    "Possible cause: the database behind the DataStore {name} is unreachable, or refuses Kamaji's \
                     credentials; Kamaji tries again with growing pauses."
                ),
            },
        });
        if evidence.data_store.as_ref().is_some_and(is_paused) {
            lines.push(format!("The DataStore {name} is paused; it will not go away after the tenant."));
        }
    }
    lines.extend(for_delete(&view, &evidence.for_delete));
    lines.extend(stored_dns_service_ips(&view));
    if view.at("/spec/controlPlane/gateway").is_some() {
        lines.push(
            "Possible cause: the Gateway API's CRDs were removed; Kamaji's webhook then refuses its own updates. Install \
             them again."
                .to_owned(),
        );
    }
    lines.push(
        "Otherwise the Kamaji controller or its webhook may be down: `kubectl -n kamaji-system get pods`; its log has the \
         reason."
            .to_owned(),
    );
    if finalizers.iter().any(|name| *name == FINALIZER || *name == SOOT_FINALIZER) {
        lines.push(format!(
            "Finalizers are never removed by this provider. As the last resort, if the tenant's data and user may stay behind in \
             the datastore: `kubectl -n {} patch tenantcontrolplane {} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'`",
            view.namespace(),
            view.name()
        ));
    }
    finish(lines.into_iter())
}

/// The blockers that lie beside the control plane.
fn for_delete(view: &View<'_>, found: &ForDelete) -> Vec<String> {
    let mut lines = Vec::new();
    if found.without_secret && view.finalizers().contains(&FINALIZER) {
        lines.push(format!(
            "Cause: the Secret {} is gone, without which Kamaji cannot enter the datastore to remove the tenant's data. It \
             cannot be made again from the outside: remove the data by hand, then the finalizers.",
            view.data_store_config_secret()
        ));
    }
    for name in &found.missing_overrides {
        lines.push(format!(
            "Cause: the DataStore {name} of `data_store_overrides` does not exist any more. Create it again with the same name."
        ));
    }
    if view.data_store_driver() == Some("PostgreSQL") {
        lines.push(
            "Possible cause: a PostgreSQL older than version 13, in which Kamaji cannot drop a database that is in use."
                .to_owned(),
        );
    }
    lines
}

/// Kamaji's webhook judges the stored object on every update, its own removal of the finalizer included.
fn stored_dns_service_ips(view: &View<'_>) -> Option<String> {
    let many = view.texts("/spec/networkProfile/serviceCidrs");
    let one = view.text("/spec/networkProfile/serviceCidr");
    let networks = if many.is_empty() { one.into_iter().collect() } else { many };
    let networks: Vec<_> = networks.iter().map(|text| text.parse()).collect::<Result<_, _>>().ok()?;
    let stored = view.texts("/spec/networkProfile/dnsServiceIPs");
    let addresses: Vec<_> = stored.iter().map(|text| text.parse()).collect::<Result<_, _>>().ok()?;
    let problem = check_dns_service_ips(&addresses, &networks).err()?;
    problem.summary.contains("outside").then(|| {
        format!(
            "Cause: dnsServiceIPs {} are outside the service network, and Kamaji's webhook refuses every update for that, \
             Kamaji's own included. An administrator has to switch the webhook \"vtenantcontrolplane.kb.io\" off for a moment.",
            stored.join(", ")
        )
    })
}

#[cfg(test)]
mod tests;
