//! The kinds of objects that are read or written in the management cluster, and references to single objects.

use std::fmt;

use kube::api::{ApiResource, GroupVersionKind};

/// A kind whose group, version and plural are known here, so that no discovery request is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `kamaji.clastix.io/v1alpha1`, namespaced.
    TenantControlPlane,
    /// `kamaji.clastix.io/v1alpha1`, cluster-wide.
    DataStore,
    /// `kamaji.clastix.io/v1alpha1`, cluster-wide; exists since edge-25.9.5.
    KubeconfigGenerator,
    /// `apiextensions.k8s.io/v1`, cluster-wide.
    CustomResourceDefinition,
    /// `v1`, cluster-wide.
    Namespace,
    /// `v1`, cluster-wide.
    Node,
    /// `v1`, namespaced.
    Secret,
    /// `v1`, namespaced.
    ServiceAccount,
    /// `rbac.authorization.k8s.io/v1`, cluster-wide.
    ClusterRole,
    /// `rbac.authorization.k8s.io/v1`, cluster-wide.
    ClusterRoleBinding,
    /// `v1`, namespaced.
    ConfigMap,
    /// `v1`, namespaced.
    Service,
    /// `v1`, namespaced.
    Pod,
    /// `v1`, namespaced.
    Event,
    /// `apps/v1`, namespaced.
    Deployment,
    /// `apps/v1`, namespaced.
    ReplicaSet,
    /// `batch/v1`, namespaced.
    Job,
    /// `networking.k8s.io/v1`, namespaced.
    Ingress,
    /// `certificates.k8s.io/v1`, cluster-wide.
    CertificateSigningRequest,
    /// `gateway.networking.k8s.io/v1`, namespaced; only where the Gateway API is installed.
    TlsRoute,
}

struct Names {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
}

impl Kind {
    const fn names(self) -> Names {
        const fn row(
            group: &'static str,
            version: &'static str,
            kind: &'static str,
            plural: &'static str,
            namespaced: bool,
        ) -> Names {
            Names { group, version, kind, plural, namespaced }
        }
        match self {
            Self::TenantControlPlane => {
                row("kamaji.clastix.io", "v1alpha1", "TenantControlPlane", "tenantcontrolplanes", true)
            }
            Self::DataStore => row("kamaji.clastix.io", "v1alpha1", "DataStore", "datastores", false),
            Self::KubeconfigGenerator => {
                row("kamaji.clastix.io", "v1alpha1", "KubeconfigGenerator", "kubeconfiggenerators", false)
            }
            Self::CustomResourceDefinition => {
                row("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false)
            }
            Self::Namespace => row("", "v1", "Namespace", "namespaces", false),
            Self::Node => row("", "v1", "Node", "nodes", false),
            Self::Secret => row("", "v1", "Secret", "secrets", true),
            Self::ServiceAccount => row("", "v1", "ServiceAccount", "serviceaccounts", true),
            Self::ClusterRole => row("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false),
            Self::ClusterRoleBinding => {
                row("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false)
            }
            Self::ConfigMap => row("", "v1", "ConfigMap", "configmaps", true),
            Self::Service => row("", "v1", "Service", "services", true),
            Self::Pod => row("", "v1", "Pod", "pods", true),
            Self::Event => row("", "v1", "Event", "events", true),
            Self::Deployment => row("apps", "v1", "Deployment", "deployments", true),
            Self::ReplicaSet => row("apps", "v1", "ReplicaSet", "replicasets", true),
            Self::Job => row("batch", "v1", "Job", "jobs", true),
            Self::TlsRoute => row("gateway.networking.k8s.io", "v1", "TLSRoute", "tlsroutes", true),
            Self::CertificateSigningRequest => {
                row("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", false)
            }
            Self::Ingress => row("networking.k8s.io", "v1", "Ingress", "ingresses", true),
        }
    }

    /// `TenantControlPlane`
    pub const fn name(self) -> &'static str {
        self.names().kind
    }

    /// `kamaji.clastix.io`; empty for the core group.
    pub const fn group(self) -> &'static str {
        self.names().group
    }

    /// `tenantcontrolplanes`
    pub const fn plural(self) -> &'static str {
        self.names().plural
    }

    /// `kamaji.clastix.io/v1alpha1`
    pub fn api_version(self) -> String {
        let Names { group, version, .. } = self.names();
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
    }

    /// `tenantcontrolplanes.kamaji.clastix.io`, as RBAC messages and CRD names write it.
    pub fn resource(self) -> String {
        let Names { group, plural, .. } = self.names();
        if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
    }

    /// True if its objects live in a namespace.
    pub const fn is_namespaced(self) -> bool {
        self.names().namespaced
    }

    /// True if Kamaji brings the kind.
    pub const fn is_kamaji(self) -> bool {
        matches!(self, Self::TenantControlPlane | Self::DataStore | Self::KubeconfigGenerator)
    }

    /// As kube wants it.
    pub fn api_resource(self) -> ApiResource {
        let Names { group, version, kind, plural, .. } = self.names();
        ApiResource { plural: plural.to_owned(), ..ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)) }
    }

    /// The path of the collection: `/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes`.
    /// Without a namespace, that of all namespaces.
    pub fn url_path(self, namespace: Option<&str>) -> String {
        let Names { group, version, plural, .. } = self.names();
        let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        match namespace.filter(|_| self.is_namespaced()) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
            None => format!("{root}/{plural}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One object: its kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The kind.
    pub kind: Kind,
    /// The namespace; [`None`] for cluster-wide kinds.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// An object in a namespace.
    pub fn namespaced(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: Some(namespace.into()), name: name.into() }
    }

    /// A cluster-wide object.
    pub fn cluster(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, namespace: None, name: name.into() }
    }

    /// `namespace/name`, or `name` of a cluster-wide object: the id of its resource, also for an import.
    pub fn id(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }
}

/// As diagnostics name it: `TenantControlPlane tenants/a`, `DataStore default`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(Kind::TenantControlPlane, Some("t"), "/apis/kamaji.clastix.io/v1alpha1/namespaces/t/tenantcontrolplanes")]
    #[case(Kind::DataStore, None, "/apis/kamaji.clastix.io/v1alpha1/datastores")]
    #[case(Kind::DataStore, Some("ignored"), "/apis/kamaji.clastix.io/v1alpha1/datastores")]
    #[case(Kind::Secret, Some("t"), "/api/v1/namespaces/t/secrets")]
    #[case(Kind::Pod, None, "/api/v1/pods")]
    fn the_path_of_a_collection_follows_the_scope(
        #[case] kind: Kind,
        #[case] namespace: Option<&str>,
        #[case] path: &str,
    ) {
        assert_eq!(kind.url_path(namespace), path);
    }

    #[test]
    fn a_reference_reads_as_in_kubectl() {
        assert_eq!(
            ObjectRef::namespaced(Kind::TenantControlPlane, "tenants", "a").to_string(),
            "TenantControlPlane tenants/a"
        );
        assert_eq!(ObjectRef::cluster(Kind::DataStore, "default").to_string(), "DataStore default");
    }
}
