//! Configurations of tenants, changed one setting at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Sandbox;

/// The configuration of a `kamaji_tenant_control_plane` named `blue`: ready in the shortest time, free to be destroyed.
#[derive(Clone)]
pub struct Tenant {
    /// Top-level arguments and their HCL.
    arguments: BTreeMap<&'static str, String>,
    address: String,
    port: u16,
}

/// The address of the tenant's resource.
pub const BLUE: &str = "kamaji_tenant_control_plane.blue";

impl Tenant {
    /// A tenant with one replica on a NodePort.
    pub fn new(namespace: &str, address: &str, port: u16) -> Self {
        let deployment = "{ service = { service_type = \"NodePort\" }, deployment = { replicas = 1 } }";
        let arguments = BTreeMap::from([
            ("name", "\"blue\"".to_owned()),
            ("namespace", format!("{namespace:?}")),
            ("data_store", "\"default\"".to_owned()),
            ("control_plane", deployment.to_owned()),
            ("network_profile", format!("{{ address = {address:?}, port = {port} }}")),
            ("deletion_protection", "false".to_owned()),
        ]);
        Self { arguments, address: address.to_owned(), port }.version("v1.30.0")
    }

    /// With another argument, as HCL.
    pub fn with(mut self, argument: &'static str, hcl: &str) -> Self {
        self.arguments.insert(argument, hcl.to_owned());
        self
    }

    /// Without an argument.
    pub fn without(mut self, argument: &'static str) -> Self {
        self.arguments.remove(argument);
        self
    }

    /// Of another Kubernetes version.
    pub fn version(self, version: &str) -> Self {
        self.with("kubernetes", &format!("{{ version = {version:?} }}"))
    }

    /// With names in the certificate.
    pub fn cert_sans(self, names: &[&str]) -> Self {
        let (address, port) = (self.address.clone(), self.port);
        self.with("network_profile", &format!("{{ address = {address:?}, port = {port}, cert_sans = {names:?} }}"))
    }

    /// One that never becomes ready: nobody has images of this release.
    pub fn that_gets_stuck(self) -> Self {
        self.version("v1.24.17")
    }

    /// The resource block.
    pub fn hcl(&self) -> String {
        let mut block = String::from("resource \"kamaji_tenant_control_plane\" \"blue\" {\n");
        for (name, value) in &self.arguments {
            let _ = writeln!(block, "  {name} = {value}");
        }
        block.push_str("}\n");
        block
    }
}

/// The block of `kamaji_datastore.store` for the etcd of the cluster that has no DataStore yet. It is named like the
/// sandbox's namespace.
pub fn data_store(sandbox: &Sandbox) -> String {
    let fact = |fact: &str| sandbox.cluster.fact(&format!("KAMAJI_CLUSTER_ETCD_{fact}"));
    let (namespace, secret) = (fact("SECRET_NAMESPACE"), fact("SECRET_NAME"));
    let key = |key: &str| {
        format!("{{ secret_reference = {{ namespace = {namespace:?}, name = {secret:?}, key_path = {key:?} }} }}")
    };
    let pair = |certificate: &str, private_key: &str| {
        format!("{{ certificate = {}, private_key = {} }}", key(certificate), key(private_key))
    };
    format!(
        "resource \"kamaji_datastore\" \"store\" {{\n  name = {:?}\n  driver = \"etcd\"\n  endpoints = [{:?}]\n  \
         tls_config = {{\n    certificate_authority = {}\n    client_certificate = {}\n  }}\n  deletion_protection = \
         false\n}}\n",
        sandbox.namespace,
        fact("ENDPOINT"),
        pair("ca.crt", "ca.key"),
        pair("tls.crt", "tls.key")
    )
}
