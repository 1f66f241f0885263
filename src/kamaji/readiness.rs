//! When a control plane is what was asked for: the judgement of one read, and how long it has to hold.
//!
//! A TenantControlPlane has no conditions. Right after a write its status still shows the old values, `Ready`
//! included; so "ready" is read from several fields at once, from the Deployment where Kamaji is too old to say which
//! generation it has seen, and is believed only when it stays.

use std::str::FromStr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tfplugin::schema::{Problem, Validator};

use super::certificate;
use super::tenant_control_plane::{Replicas, ServiceType, Status, View};
use super::version::same_version;

/// What an apply waits for. Each level includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The API took the object.
    Accepted,
    /// An endpoint is assigned and the admin kubeconfig exists.
    Provisioned,
    /// The control plane's pods run what was asked for and pass their probes.
    #[default]
    Ready,
    /// The tenant's API answers at the address that is handed out. Judged here is [`Level::Ready`] and that an ingress
    /// or gateway is in place; the caller asks the API itself. A control plane scaled to zero has none to ask.
    Reachable,
}

impl Level {
    /// The words of the attribute, in order.
    pub const WORDS: &'static [&'static str] = &["accepted", "provisioned", "ready", "reachable"];

    /// The rule for the attribute.
    pub fn validator() -> Validator {
        Validator::one_of(Self::WORDS)
    }
}

impl FromStr for Level {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "accepted" => Ok(Self::Accepted),
            "provisioned" => Ok(Self::Provisioned),
            "ready" => Ok(Self::Ready),
            "reachable" => Ok(Self::Reachable),
            _ => Err(Problem::new("Value not allowed", format!("{text:?} is not one of {}.", Self::WORDS.join(", ")))),
        }
    }
}

/// What is to be judged, beside the objects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// How far it shall be.
    pub level: Level,
    /// True if the installed CRD has `status.observedGeneration` (Kamaji edge-26.2.3). A status that carries it counts as
    /// well.
    pub reports_generation: bool,
    /// True if this Kamaji does not know the annotation that pauses an object, and works on.
    pub ignores_pause: bool,
    /// The certificate of the API server (PEM, `apiserver.crt`), as evidence of the SANs for an older Kamaji.
    pub api_server_certificate: Option<&'a str>,
}

/// What one read shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as asked for.
    Ready,
    /// Not yet, and what is missing.
    NotYet(String),
    /// It will not be without somebody's help, and whose.
    Never(String),
}

fn not_yet(reason: impl Into<String>) -> Verdict {
    Verdict::NotYet(reason.into())
}

/// Whether a control plane has reached a level, judged from one read of it and, where there is one, of its Deployment.
pub fn judge(object: &Value, deployment: Option<&Value>, wanted: Wanted<'_>) -> Verdict {
    let view = View::new(object);
    match stopped(&view, wanted.ignores_pause).or_else(|| missing(&view, deployment, wanted)) {
        Some(verdict) => verdict,
        None => Verdict::Ready,
    }
}

fn stopped(view: &View<'_>, ignores_pause: bool) -> Option<Verdict> {
    if let Some(since) = view.deletion_timestamp() {
        return Some(Verdict::Never(format!("The control plane is being deleted since {since}.")));
    }
    if view.paused() && !ignores_pause {
        return Some(Verdict::Never(format!(
            "The control plane is paused: Kamaji does nothing as long as it has the annotation {:?}. Remove it and apply again.",
            super::tenant_control_plane::PAUSED_ANNOTATION
        )));
    }
    None
}

fn missing(view: &View<'_>, deployment: Option<&Value>, wanted: Wanted<'_>) -> Option<Verdict> {
    if wanted.level >= Level::Provisioned {
        if view.service_type() == Some(ServiceType::NodePort) && view.address().is_none() && view.endpoint().is_none() {
            return Some(Verdict::Never(
                "The Service is of type NodePort, and network_profile.address is not set: Kamaji cannot know at which \
                 address the nodes are reached. Set it."
                    .to_owned(),
            ));
        }
        if view.endpoint().is_none() {
            return Some(not_yet("No endpoint is assigned yet."));
        }
        if view.admin_kubeconfig_secret().is_none() {
            return Some(not_yet("The admin kubeconfig does not exist yet."));
        }
    }
    if wanted.level >= Level::Ready {
        let reports_generation = wanted.reports_generation || view.observed_generation().is_some();
        return unseen(view, reports_generation)
            .or_else(|| unfinished(view))
            .or_else(|| unlike_deployment(view, deployment, reports_generation))
            .or_else(|| if reports_generation { None } else { missing_names(view, wanted.api_server_certificate) })
            .or_else(|| if wanted.level >= Level::Reachable { without_route(view) } else { None });
    }
    None
}

/// Whether Kamaji has worked on this generation.
fn unseen(view: &View<'_>, reports_generation: bool) -> Option<Verdict> {
    let generation = view.generation();
    if !reports_generation || view.observed_generation() == generation {
        return None;
    }
    let seen = view.observed_generation().map_or_else(|| "none".to_owned(), |seen| format!("generation {seen}"));
    Some(not_yet(format!(
        "Kamaji has not finished with the last change: it has seen {seen}, the object is at generation {}.",
        generation.unwrap_or_default()
    )))
}

/// Whether the status says that the work is done.
fn unfinished(view: &View<'_>) -> Option<Verdict> {
    let status = view.status();
    let asleep = view.wanted_replicas() == 0;
    let done = match &status {
        // Kamaji before edge-25.4.1 has no word for zero replicas.
        Some(Status::Ready) => true,
        Some(Status::Sleeping) => asleep,
        // The word hides roll-outs, so the counters have to speak.
        Some(Status::WriteLimited) => {
            view.write_limited() && view.replicas().is_some_and(|replicas| replicas.rolled_out(view.wanted_replicas()))
        }
        _ => false,
    };
    if !done {
        return Some(not_yet(match status {
            None => "Kamaji has not reported a status yet.".to_owned(),
            Some(Status::WriteLimited) if view.write_limited() => "The pods are being replaced.".to_owned(),
            Some(status) => format!("The status is {}.", status.word()),
        }));
    }
    let (requested, installed) = (view.requested_version(), view.installed_version());
    let same =
        matches!((requested, installed), (Some(requested), Some(installed)) if same_version(requested, installed));
    // While writes are limited Kamaji never advances the installed version.
    if !same && status != Some(Status::WriteLimited) {
        return Some(not_yet(format!(
            "Version {} is asked for, {} is installed.",
            requested.unwrap_or("(none)"),
            installed.unwrap_or("none")
        )));
    }
    match (view.requested_data_store(), view.data_store()) {
        (Some(requested), in_use) if in_use != Some(requested) => Some(not_yet(format!(
            "The data are to be in DataStore {requested:?} and are in {}.",
            in_use.map_or_else(|| "none".to_owned(), |name| format!("{name:?}"))
        ))),
        _ => None,
    }
}

/// Whether the Deployment runs what is asked for. Where Kamaji reports the generation the Deployment only adds that its
/// pods are there: a change of konnectivity or of a certificate rolls out after Kamaji has called it done.
fn unlike_deployment(view: &View<'_>, deployment: Option<&Value>, reports_generation: bool) -> Option<Verdict> {
    let Some(deployment) = deployment else {
        return if reports_generation { None } else { Some(not_yet("The Deployment does not exist yet.")) };
    };
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_i64);
    if number("/metadata/generation") != number("/status/observedGeneration") {
        return Some(not_yet("The Deployment has changed and its roll-out has not started."));
    }
    let wanted = view.wanted_replicas();
    let replicas = deployment.get("status").map(Replicas::of).unwrap_or_default();
    if number("/spec/replicas").is_some_and(|scaled| scaled != wanted) || !replicas.rolled_out(wanted) {
        return Some(not_yet(format!(
            "{} of {wanted} pods are up to date, {} are ready, {} exist.",
            replicas.updated, replicas.ready, replicas.total
        )));
    }
    if reports_generation {
        return None;
    }
    if replicas.available != wanted {
        return Some(not_yet(format!("{} of {wanted} pods are available.", replicas.available)));
    }
    unlike_images(view, deployment).or_else(|| unlike_arguments(view, deployment))
}

fn container<'a>(deployment: &'a Value, name: &str) -> Option<&'a Value> {
    let containers = deployment.pointer("/spec/template/spec/containers")?.as_array()?;
    containers.iter().find(|container| container.get("name").and_then(Value::as_str) == Some(name))
}

fn unlike_images(view: &View<'_>, deployment: &Value) -> Option<Verdict> {
    let setting = |name: &str, default: &'static str| {
        view.text(&format!("/spec/controlPlane/deployment/registrySettings/{name}")).unwrap_or(default)
    };
    let registry = setting("registry", "registry.k8s.io");
    let tag = format!("{}{}", view.requested_version().unwrap_or_default(), setting("tagSuffix", ""));
    for (name, image_setting) in [
        ("kube-apiserver", "apiServerImage"),
        ("kube-controller-manager", "controllerManagerImage"),
        ("kube-scheduler", "schedulerImage"),
    ] {
        let wanted = format!("{registry}/{}:{tag}", setting(image_setting, name));
        let found = container(deployment, name).and_then(|container| container.get("image")?.as_str());
        if found != Some(wanted.as_str()) {
            return Some(not_yet(format!(
                "The Deployment's container {name} has image {}, {wanted} is asked for.",
                found.unwrap_or("(none)")
            )));
        }
    }
    None
}

/// Flags of the API server that Kamaji sets itself, or may set otherwise than the user: no evidence either way.
const MANAGED_FLAGS: &[&str] = &[
    "--advertise-address",
    "--allow-privileged",
    "--authorization-mode",
    "--client-ca-file",
    "--egress-selector-config-file",
    "--enable-admission-plugins",
    "--enable-bootstrap-token-auth",
    "--etcd-cafile",
    "--etcd-certfile",
    "--etcd-compaction-interval",
    "--etcd-keyfile",
    "--etcd-prefix",
    "--etcd-servers",
    "--etcd-servers-overrides",
    "--kubelet-client-certificate",
    "--kubelet-client-key",
    "--kubelet-preferred-address-types",
    "--proxy-client-cert-file",
    "--proxy-client-key-file",
    "--requestheader-allowed-names",
    "--requestheader-client-ca-file",
    "--requestheader-extra-headers-prefix",
    "--requestheader-group-headers",
    "--requestheader-username-headers",
    "--secure-port",
    "--service-account-issuer",
    "--service-account-key-file",
    "--service-account-signing-key-file",
    "--service-cluster-ip-range",
    "--tls-cert-file",
    "--tls-private-key-file",
];

/// Arguments may be sorted and duplicates dropped on their way, so each flag only has to be there with one of the values
/// that were asked for.
fn unlike_arguments(view: &View<'_>, deployment: &Value) -> Option<Verdict> {
    let present: Vec<&str> = container(deployment, "kube-apiserver")
        .and_then(|container| container.get("args")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let asked = view.texts("/spec/controlPlane/deployment/extraArgs/apiServer");
    let flag = |argument: &str| argument.split_once('=').map(|(flag, _)| flag.to_owned());
    asked
        .iter()
        .filter_map(|argument| flag(argument))
        .filter(|name| name.starts_with("--") && !MANAGED_FLAGS.contains(&name.as_str()))
        .find(|name| {
            let values = asked.iter().filter(|argument| flag(argument).as_ref() == Some(name));
            !values
                .into_iter()
                .any(|argument| present.contains(&argument.trim_end_matches('=')) || present.contains(argument))
        })
        .map(|name| not_yet(format!("The Deployment's API server does not have the argument {name} yet.")))
}

/// Whether the certificate has the names that are asked for. Names are added to it, never taken out.
fn missing_names(view: &View<'_>, pem: Option<&str>) -> Option<Verdict> {
    let name = missing_name(view, pem?)?;
    Some(not_yet(format!("The certificate of the API server does not have the name {name:?} yet.")))
}

/// The first name that is asked for and that a certificate (PEM) does not have.
pub fn missing_name<'a>(view: &View<'a>, pem: &str) -> Option<&'a str> {
    let leaf = certificate::read_pem(pem).ok()?.into_iter().next()?;
    view.cert_sans().into_iter().find(|name| !leaf.subject_alternative_names.contains(name))
}

fn without_route(view: &View<'_>) -> Option<Verdict> {
    if view.at("/spec/controlPlane/ingress").is_some()
        && view.text("/status/kubernetesResources/ingress/name").is_none()
    {
        return Some(not_yet("The Ingress does not exist yet."));
    }
    let access_points = view.at("/status/kubernetesResources/gateway/accessPoints").and_then(Value::as_array);
    if view.at("/spec/controlPlane/gateway").is_some() && access_points.is_none_or(Vec::is_empty) {
        return Some(not_yet("The Gateway has not taken the route yet."));
    }
    None
}

/// What a [`StabilityWindow`] says about the judgements so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It was ready throughout the window.
    Settled,
    /// It is ready; judge again at this time, or when something changes before.
    Holding(Instant),
    /// Not ready, for this reason; wait for a change.
    Waiting(String),
    /// It will not be, for this reason.
    Failed(String),
}

/// Believes a control plane to be ready when every judgement in a stretch of time says so.
#[derive(Clone, Debug)]
pub struct StabilityWindow {
    length: Duration,
    ready_since: Option<Instant>,
}

impl StabilityWindow {
    /// A window of this length; of zero length it believes the first judgement.
    pub fn new(length: Duration) -> Self {
        Self { length, ready_since: None }
    }

    /// The window that fits Kamaji: short where it reports the generation that it has seen, longer where it does not.
    pub fn for_kamaji(reports_generation: bool) -> Self {
        Self::new(Duration::from_secs(if reports_generation { 2 } else { 5 }))
    }

    /// Takes the next judgement, made at `now`. Times must not go back.
    pub fn observe(&mut self, now: Instant, verdict: Verdict) -> Progress {
        match verdict {
            Verdict::Ready => {
                let since = *self.ready_since.get_or_insert(now);
                let end = since + self.length;
                if now >= end { Progress::Settled } else { Progress::Holding(end) }
            }
            Verdict::NotYet(reason) => {
                self.ready_since = None;
                Progress::Waiting(reason)
            }
            Verdict::Never(reason) => Progress::Failed(reason),
        }
    }
}

#[cfg(test)]
mod tests;
