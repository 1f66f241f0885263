//! A typed view of a TenantControlPlane as it comes from the API.
//!
//! Every field may be missing: the whole status is absent until Kamaji knows an address, and an older Kamaji lacks the
//! newer fields. What is missing or of another type reads as [`None`].

use serde_json::Value;

use super::network::Endpoint;
use super::version::KubernetesVersion;

/// The annotation that stops Kamaji from touching an object. Its presence counts, whatever its value.
pub const PAUSED_ANNOTATION: &str = "kamaji.clastix.io/paused";

/// The label that everything Kamaji makes for a control plane carries, with the control plane's name.
pub const NAME_LABEL: &str = "kamaji.clastix.io/name";

/// The finalizer that Kamaji adds before it sets up the datastore, and removes after the data are gone.
pub const FINALIZER: &str = "finalizer.kamaji.clastix.io";

/// The finalizer of the part of Kamaji that works inside the tenant.
pub const SOOT_FINALIZER: &str = "finalizer.kamaji.clastix.io/soot";

/// `status.kubernetesResources.version.status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing runs yet.
    Provisioning,
    /// A new CA is being rolled out.
    CertificateAuthorityRotating,
    /// A new version is being rolled out.
    Upgrading,
    /// The data move to another datastore; writes are denied.
    Migrating,
    /// The Deployment is rolled out.
    Ready,
    /// No pod is ready.
    NotReady,
    /// Scaled to zero by wish.
    Sleeping,
    /// Writes are limited by wish. Hides roll-outs.
    WriteLimited,
    /// Some pods are ready: a roll-out is going on or stuck half-way.
    Unknown,
    /// A word that this provider does not know.
    Other(String),
}

impl Status {
    fn parse(word: &str) -> Self {
        match word {
            "Provisioning" => Self::Provisioning,
            "CertificateAuthorityRotating" => Self::CertificateAuthorityRotating,
            "Upgrading" => Self::Upgrading,
            "Migrating" => Self::Migrating,
            "Ready" => Self::Ready,
            "NotReady" => Self::NotReady,
            "Sleeping" => Self::Sleeping,
            "WriteLimited" => Self::WriteLimited,
            "Unknown" => Self::Unknown,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Kamaji's word for it.
    pub fn word(&self) -> &str {
        match self {
            Self::Provisioning => "Provisioning",
            Self::CertificateAuthorityRotating => "CertificateAuthorityRotating",
            Self::Upgrading => "Upgrading",
            Self::Migrating => "Migrating",
            Self::Ready => "Ready",
            Self::NotReady => "NotReady",
            Self::Sleeping => "Sleeping",
            Self::WriteLimited => "WriteLimited",
            Self::Unknown => "Unknown",
            Self::Other(word) => word,
        }
    }
}

/// `spec.controlPlane.service.serviceType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceType {
    /// Reached from inside the management cluster, or through an ingress or gateway.
    ClusterIp,
    /// Reached at a node's address, which the user has to give.
    NodePort,
    /// Reached at the address that a load balancer gets.
    LoadBalancer,
}

/// How far the pods of a Deployment are, from its status or from the copy in the control plane's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    /// All pods.
    pub total: i64,
    /// Pods of the newest template.
    pub updated: i64,
    /// Pods that pass their readiness probe.
    pub ready: i64,
    /// Pods that have passed it long enough.
    pub available: i64,
    /// Pods that are wanted and not available.
    pub unavailable: i64,
}

impl Replicas {
    /// From an apps/v1 DeploymentStatus, in which a zero is left out.
    pub fn of(status: &Value) -> Self {
        let count = |field: &str| status.get(field).and_then(Value::as_i64).unwrap_or_default();
        Self {
            total: count("replicas"),
            updated: count("updatedReplicas"),
            ready: count("readyReplicas"),
            available: count("availableReplicas"),
            unavailable: count("unavailableReplicas"),
        }
    }

    /// True if `wanted` pods of the newest template pass their probes and no other pod is left.
    pub fn rolled_out(&self, wanted: i64) -> bool {
        self.unavailable == 0 && [self.total, self.updated, self.ready].iter().all(|&count| count == wanted)
    }
}

/// A TenantControlPlane.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    object: &'a Value,
}

impl<'a> View<'a> {
    /// A view of the object as the API returned it.
    pub fn new(object: &'a Value) -> Self {
        Self { object }
    }

    /// What a JSON pointer leads to; null counts as absent.
    pub fn at(&self, pointer: &str) -> Option<&'a Value> {
        self.object.pointer(pointer).filter(|value| !value.is_null())
    }

    /// A text that is not empty.
    pub fn text(&self, pointer: &str) -> Option<&'a str> {
        self.at(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn number(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    /// The texts of a list; empty if there is none.
    pub fn texts(&self, pointer: &str) -> Vec<&'a str> {
        self.at(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// `metadata.name`
    pub fn name(&self) -> &'a str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// `metadata.namespace`
    pub fn namespace(&self) -> &'a str {
        self.text("/metadata/namespace").unwrap_or_default()
    }

    /// `metadata.uid`
    pub fn uid(&self) -> Option<&'a str> {
        self.text("/metadata/uid")
    }

    /// `metadata.generation`
    pub fn generation(&self) -> Option<i64> {
        self.number("/metadata/generation")
    }

    /// `status.observedGeneration`; Kamaji has it since edge-26.2.3, from the first reconcile that ran through.
    pub fn observed_generation(&self) -> Option<i64> {
        self.number("/status/observedGeneration")
    }

    /// `metadata.deletionTimestamp`, RFC 3339.
    pub fn deletion_timestamp(&self) -> Option<&'a str> {
        self.text("/metadata/deletionTimestamp")
    }

    /// True once the object is being deleted.
    pub fn deleting(&self) -> bool {
        self.deletion_timestamp().is_some()
    }

    /// `metadata.finalizers`
    pub fn finalizers(&self) -> Vec<&'a str> {
        self.texts("/metadata/finalizers")
    }

    /// True if Kamaji leaves the object alone.
    pub fn paused(&self) -> bool {
        is_paused(self.object)
    }

    /// The version that is asked for.
    pub fn requested_version(&self) -> Option<&'a str> {
        self.text("/spec/kubernetes/version")
    }

    /// The version that runs; it follows the requested one when the roll-out is done.
    pub fn installed_version(&self) -> Option<&'a str> {
        self.text("/status/kubernetesResources/version/version")
    }

    /// The installed version, if it is one.
    pub fn installed(&self) -> Option<KubernetesVersion> {
        self.installed_version()?.parse().ok()
    }

    /// What Kamaji says about the control plane.
    pub fn status(&self) -> Option<Status> {
        self.text("/status/kubernetesResources/version/status").map(Status::parse)
    }

    /// The address that Kamaji assigned, on the management side: ingress, gateway and advertise address do not show.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.text("/status/controlPlaneEndpoint")?.parse().ok()
    }

    /// The Service type that is asked for.
    pub fn service_type(&self) -> Option<ServiceType> {
        match self.text("/spec/controlPlane/service/serviceType")? {
            "ClusterIP" => Some(ServiceType::ClusterIp),
            "NodePort" => Some(ServiceType::NodePort),
            "LoadBalancer" => Some(ServiceType::LoadBalancer),
            _ => None,
        }
    }

    /// `spec.networkProfile.address`
    pub fn address(&self) -> Option<&'a str> {
        self.text("/spec/networkProfile/address")
    }

    /// `spec.networkProfile.certSANs`
    pub fn cert_sans(&self) -> Vec<&'a str> {
        self.texts("/spec/networkProfile/certSANs")
    }

    /// Replicas that are asked for; the API's default is two.
    pub fn wanted_replicas(&self) -> i64 {
        self.number("/spec/controlPlane/deployment/replicas").unwrap_or(2)
    }

    /// Kamaji's copy of the Deployment's counters, the newest of which may be missing.
    pub fn replicas(&self) -> Option<Replicas> {
        self.at("/status/kubernetesResources/deployment").map(Replicas::of)
    }

    /// True if any kind of write is blocked by wish.
    pub fn write_limited(&self) -> bool {
        ["blockCreation", "blockUpdate", "blockDeletion"]
            .iter()
            .any(|flag| self.at("/spec/writePermissions").and_then(|flags| flags.get(flag)?.as_bool()).unwrap_or(false))
    }

    /// The DataStore that is asked for; empty means the manager's own default.
    pub fn requested_data_store(&self) -> Option<&'a str> {
        self.text("/spec/dataStore")
    }

    /// True while its data are on their way to another DataStore. Kamaji goes on saying so for a moment after they have
    /// been called back.
    pub fn moves_data(&self) -> bool {
        let elsewhere = self.data_store().is_some() && self.data_store() != self.requested_data_store();
        elsewhere && self.status() == Some(Status::Migrating)
    }

    /// The DataStore in use; differs from the requested one during a migration.
    pub fn data_store(&self) -> Option<&'a str> {
        self.text("/status/storage/dataStoreName")
    }

    /// `status.storage.driver`
    pub fn data_store_driver(&self) -> Option<&'a str> {
        self.text("/status/storage/driver")
    }

    /// The database, prefix or bucket in use.
    pub fn data_store_schema(&self) -> Option<&'a str> {
        self.text("/status/storage/setup/schema")
    }

    /// The database user in use.
    pub fn data_store_user(&self) -> Option<&'a str> {
        self.text("/status/storage/setup/user")
    }

    /// The Secret with `admin.conf` and `super-admin.conf`, once Kamaji has made it.
    pub fn admin_kubeconfig_secret(&self) -> Option<&'a str> {
        self.text("/status/kubeconfig/admin/secretName")
    }

    /// The Secret with the tenant's CA, once Kamaji has made it. It holds the private key too.
    pub fn ca_secret(&self) -> Option<&'a str> {
        self.text("/status/certificates/ca/secretName")
    }

    /// The Secret with the API server's certificate under `apiserver.crt`, once Kamaji has made it.
    pub fn api_server_certificate_secret(&self) -> Option<&'a str> {
        self.text("/status/certificates/apiServer/secretName")
    }

    /// The Secret that a delete needs and that can stay behind.
    pub fn data_store_config_secret(&self) -> String {
        self.text("/status/storage/config/secretName")
            .map_or_else(|| format!("{}-datastore-config", self.name()), str::to_owned)
    }

    /// True once `cluster-info` and the RBAC for joining nodes are in the tenant.
    pub fn accepts_nodes(&self) -> bool {
        self.text("/status/kubeadmPhase/bootstrapToken/checksum").is_some()
    }
}

/// True if an object of Kamaji's carries the annotation that stops all work on it.
pub fn is_paused(object: &Value) -> bool {
    object.pointer("/metadata/annotations").is_some_and(|annotations| annotations.get(PAUSED_ANNOTATION).is_some())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_object_has_nothing_but_defaults() {
        let object = json!({"metadata": {"name": "t1"}, "status": null});
        let view = View::new(&object);
        assert_eq!(view.name(), "t1");
        assert_eq!(view.wanted_replicas(), 2);
        assert_eq!((view.status(), view.endpoint(), view.replicas()), (None, None, None));
        assert!(!view.deleting() && !view.paused() && !view.write_limited() && !view.accepts_nodes());
        assert_eq!(view.data_store_config_secret(), "t1-datastore-config");
    }

    #[test]
    fn fields_of_another_type_read_as_absent() {
        let object =
            json!({"metadata": {"name": 1, "annotations": []}, "spec": "x", "status": {"observedGeneration": "2"}});
        let view = View::new(&object);
        assert_eq!((view.name(), view.observed_generation(), view.requested_version()), ("", None, None));
        assert!(!view.paused());
    }

    #[rstest]
    #[case("10.0.0.1:6443", "https://10.0.0.1:6443")]
    #[case("[fd00::1]:6443", "https://[fd00::1]:6443")]
    fn the_endpoint_becomes_a_url(#[case] endpoint: &str, #[case] url: &str) {
        let object = json!({"status": {"controlPlaneEndpoint": endpoint}});
        assert_eq!(View::new(&object).endpoint().map(|endpoint| endpoint.url()).as_deref(), Some(url));
    }

    #[test]
    fn a_pause_annotation_counts_whatever_its_value() {
        assert!(is_paused(&json!({"metadata": {"annotations": {PAUSED_ANNOTATION: "false"}}})));
    }

    #[rstest]
    #[case::done(json!({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}), 2, true)]
    #[case::old_pod_left(json!({"replicas": 3, "updatedReplicas": 2, "readyReplicas": 3}), 2, false)]
    #[case::one_not_ready(json!({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 1, "unavailableReplicas": 1}), 2, false)]
    #[case::zero(json!({}), 0, true)]
    fn rolled_out_means_all_new_all_ready_none_left(#[case] status: Value, #[case] wanted: i64, #[case] done: bool) {
        assert_eq!(Replicas::of(&status).rolled_out(wanted), done);
    }
}
