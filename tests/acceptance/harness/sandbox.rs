//! A place of its own for each test: a namespace, a NodePort, a Terraform directory. The drop removes all of it.

use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::cluster::{Cluster, cluster, text};
use super::terraform::Terraform;
use super::{Tenant, wait_for};

/// Held by all tests: shared by most, alone by those that stop a component of the cluster.
static RUNNING: RwLock<()> = RwLock::new(());

enum Turn {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// What one test works in.
pub struct Sandbox {
    /// The management cluster.
    pub cluster: &'static Cluster,
    /// The test's own namespace.
    pub namespace: String,
    /// The test's own NodePort.
    pub port: u16,
    /// The test's own working directory.
    pub terraform: Terraform,
    _turn: Turn,
}

impl Sandbox {
    /// A sandbox whose namespace is named after the test.
    pub fn new(name: &str) -> Self {
        // A test that failed poisons the lock, and nothing else.
        let guard = RUNNING.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        Self::make(name, Turn::Shared { _guard: guard })
    }

    /// A sandbox of a test that has the cluster for itself.
    pub fn alone(name: &str) -> Self {
        let guard = RUNNING.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        Self::make(name, Turn::Alone { _guard: guard })
    }

    fn make(name: &str, turn: Turn) -> Self {
        let cluster = cluster();
        let namespace = format!("acceptance-{name}-{}", std::process::id());
        cluster.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }));
        Self { cluster, namespace, port: cluster.take_port(), terraform: Terraform::new(), _turn: turn }
    }

    /// The provider block for the cluster.
    pub fn provider(&self) -> String {
        provider(&format!("config_path = {:?}", self.cluster.kubeconfig()))
    }

    /// URL of the management API.
    pub fn server(&self) -> String {
        let view = ["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"];
        self.cluster.kubectl_run(&view)
    }

    /// The content of a provider block for the management API with a token.
    pub fn settings_with_token(&self, token: &str) -> String {
        let view =
            ["config", "view", "--raw", "--minify", "-o", "jsonpath={.clusters[0].cluster.certificate-authority-data}"];
        let ca = self.cluster.kubectl_run(&view);
        format!("host = {:?}\n  token = {token:?}\n  cluster_ca_certificate = base64decode({ca:?})", self.server())
    }

    /// A token of a ServiceAccount in the sandbox's namespace, which is made.
    pub fn token_of(&self, account: &str) -> String {
        let manifest = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": account, "namespace": self.namespace },
        });
        self.cluster.apply(&manifest);
        let token = wait_for("a token", Duration::from_secs(10), || {
            let create = self.cluster.kubectl().args(["create", "token", account, "-n", &self.namespace]).output();
            create.ok().filter(|output| output.status.success())
        });
        text(&token).trim().to_owned()
    }

    /// A tenant called `blue` in the sandbox's namespace and on its NodePort.
    pub fn tenant(&self) -> Tenant {
        Tenant::new(&self.namespace, self.cluster.node_address(), self.port)
    }

    /// The same tenant as somebody else makes it, without Terraform.
    pub fn tenant_manifest(&self, version: &str, data_store: &str) -> Json {
        json!({
            "apiVersion": "kamaji.clastix.io/v1alpha1",
            "kind": "TenantControlPlane",
            "metadata": { "name": "blue", "namespace": self.namespace },
            "spec": {
                "dataStore": data_store,
                "controlPlane": { "deployment": { "replicas": 1 }, "service": { "serviceType": "NodePort" } },
                "kubernetes": { "version": version, "kubelet": { "cgroupfs": "systemd" } },
                "networkProfile": { "address": self.cluster.node_address(), "port": self.port },
            },
        })
    }

    /// Makes a configuration of the provider and `parts`.
    pub fn configure(&self, parts: &[&str]) {
        self.terraform.configure(&[&[self.provider().as_str()], parts].concat().join("\n"));
    }

    /// Names of everything in the namespace that Kamaji makes for a tenant, its own objects and those without label
    /// among them. What Kubernetes itself puts into each namespace is left out.
    pub fn leftovers(&self) -> Vec<String> {
        let kinds = "tenantcontrolplanes.kamaji.clastix.io,deployments,replicasets,pods,services,endpoints,\
                     endpointslices,ingresses,secrets,configmaps,jobs";
        let mut found = self.cluster.list(kinds, &self.namespace);
        found.retain(|object| object != "ConfigMap/kube-root-ca.crt");
        found
    }

    /// Deletes the tenant as somebody else does, and waits for the end of its Service, which holds the NodePort.
    pub fn delete_tenant(&self) {
        let tenant = "tenantcontrolplanes.kamaji.clastix.io/blue";
        self.cluster.kubectl_run(&["delete", tenant, "-n", &self.namespace, "--timeout=60s"]);
        wait_for("the tenant's objects are gone", Duration::from_secs(60), || {
            self.leftovers().is_empty().then_some(())
        });
    }

    /// Waits until the tenant is what the predicate wants, and returns it.
    pub fn wait_for_tenant(&self, what: &str, mut is: impl FnMut(&Json) -> bool) -> Json {
        wait_for(what, Duration::from_secs(120), || {
            self.cluster.tenant(&self.namespace, "blue").filter(|live| is(live))
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let kubectl = |arguments: &[&str]| {
            // A cleanup that fails must not hide why the test failed.
            self.cluster.kubectl().args(arguments).output().is_ok_and(|output| output.status.success())
        };
        let tenants =
            ["delete", "tenantcontrolplanes.kamaji.clastix.io", "--all", "-n", &self.namespace, "--timeout=60s"];
        let store = ["delete", "datastores.kamaji.clastix.io", &self.namespace, "--ignore-not-found", "--timeout=60s"];
        let gone =
            kubectl(&tenants) && kubectl(&store) && kubectl(&["delete", "namespace", &self.namespace, "--timeout=60s"]);
        if gone {
            self.cluster.give_back(self.port);
        } else {
            eprintln!("the namespace {} could not be removed", self.namespace);
        }
    }
}

/// The provider requirement and a provider block with this content.
pub fn provider(content: &str) -> String {
    let source = terraform_provider_kamaji::provider::ADDRESS;
    format!(
        "terraform {{\n  required_providers {{\n    kamaji = {{ source = {source:?} }}\n  }}\n}}\n\nprovider \"kamaji\" \
         {{\n  {content}\n}}\n"
    )
}
