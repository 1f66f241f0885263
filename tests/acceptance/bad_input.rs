//! Bad input: each mistake is an error at its place, with what to do.

use std::net::{Ipv4Addr, TcpListener};

use base64::Engine as _;
use serde_json::json;

use crate::harness::sandbox::provider;
use crate::harness::terraform::Diagnostic;
use crate::harness::{Sandbox, wait_for};

/// The only error of a plan of the sandbox's tenant with this provider block.
fn refused_by(sandbox: &Sandbox, block: &str) -> Diagnostic {
    sandbox.terraform.configure(&[provider(block), sandbox.tenant().hcl()].join("\n"));
    sandbox.terraform.plan().error()
}

/// The only error of a validation of a tenant.
fn invalid(sandbox: &Sandbox, hcl: &str) -> Diagnostic {
    sandbox.configure(&[hcl]);
    sandbox.terraform.plan().error()
}

/// Checks that an error points at a line and says all of this.
#[track_caller]
fn says(error: &Diagnostic, line: &str, texts: &[&str]) {
    assert!(error.line().contains(line), "should point at {line:?}: {error:?}");
    let said = format!("{}\n{}", error.summary, error.detail);
    for text in texts {
        assert!(said.contains(text), "should say {text:?}: {error:#?}");
    }
    assert!(error.summary.split_whitespace().count() <= 8, "{:?}", error.summary);
}

#[test]
fn a_missing_cluster_is_an_error_that_lists_what_was_looked_at() {
    let sandbox = Sandbox::new("no-cluster");
    let error = refused_by(&sandbox, "");
    says(&error, "", &["config_path", "KUBE_CONFIG_PATH", "host", "in_cluster"]);
}

#[test]
fn a_wrong_kubeconfig_is_an_error_at_its_argument() {
    let sandbox = Sandbox::new("kubeconfig");
    let error = refused_by(&sandbox, "config_path = \"/nowhere/kubeconfig\"");
    says(&error, "config_path", &["/nowhere/kubeconfig"]);
    sandbox.terraform.write("broken", "clusters: [");
    let path = sandbox.terraform.path().join("broken");
    says(&refused_by(&sandbox, &format!("config_path = {path:?}")), "config_path", &["broken"]);
    let block = format!("config_path = {:?}\n  config_context = \"none\"", sandbox.cluster.kubeconfig());
    says(&refused_by(&sandbox, &block), "config_context", &["none"]);
}

#[test]
fn a_dead_api_server_is_an_error_of_the_apply_that_names_it() {
    let sandbox = Sandbox::new("dead");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    drop(listener);
    let block = format!("host = \"https://{address}\"\n  token = \"any\"\n  insecure = true");
    let tenant = sandbox.tenant().with("timeouts", "{ create = \"5s\" }");
    sandbox.terraform.configure(&[provider(&block), tenant.hcl()].join("\n"));
    says(&sandbox.terraform.apply().error(), "", &[&address]);
}

#[test]
fn a_certificate_of_another_authority_is_an_error_that_says_so() {
    let sandbox = Sandbox::new("certificate");
    let other = rcgen::generate_simple_self_signed(["other".to_owned()]).expect("a certificate");
    let der = base64::engine::general_purpose::STANDARD.encode(other.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    let block = format!("host = {:?}\n  token = \"any\"\n  cluster_ca_certificate = {pem:?}", server(&sandbox));
    says(&refused_by(&sandbox, &block), "", &["certificate", "cluster_ca_certificate"]);
}

/// URL of the management API.
fn server(sandbox: &Sandbox) -> String {
    let view = ["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"];
    sandbox.cluster.kubectl_run(&view)
}

/// A provider block for the management API with a token.
fn with_token(sandbox: &Sandbox, token: &str) -> String {
    let view =
        ["config", "view", "--raw", "--minify", "-o", "jsonpath={.clusters[0].cluster.certificate-authority-data}"];
    let ca = sandbox.cluster.kubectl_run(&view);
    format!("host = {:?}\n  token = {token:?}\n  cluster_ca_certificate = base64decode({ca:?})", server(sandbox))
}

#[test]
fn a_refused_token_is_an_error_about_credentials() {
    let sandbox = Sandbox::new("unauthorized");
    let error = refused_by(&sandbox, &with_token(&sandbox, "not-a-token"));
    says(&error, "", &["401"]);
    assert!(!error.detail.contains("not-a-token"), "{}", error.detail);
}

#[test]
fn a_missing_right_is_an_error_that_names_verb_and_resource() {
    let sandbox = Sandbox::new("forbidden");
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "name": "nobody", "namespace": sandbox.namespace },
    });
    sandbox.cluster.apply(&account);
    let token = wait_for("a token", std::time::Duration::from_secs(10), || {
        let create = sandbox.cluster.kubectl().args(["create", "token", "nobody", "-n", &sandbox.namespace]).output();
        create.ok().filter(|output| output.status.success())
    });
    let token = String::from_utf8_lossy(&token.stdout).trim().to_owned();
    let error = refused_by(&sandbox, &with_token(&sandbox, &token));
    says(&error, "", &["403", "patch", "tenantcontrolplanes"]);
    assert!(!error.detail.contains(&token));
}

#[test]
fn a_missing_namespace_is_a_warning_of_the_plan_and_an_error_of_the_apply() {
    let sandbox = Sandbox::new("namespace");
    sandbox.configure(&[&sandbox.tenant().with("namespace", "\"not-there\"").hcl()]);
    let plan = sandbox.terraform.plan().has_changes();
    assert_eq!(plan.warnings().len(), 1, "{plan}");
    assert_eq!(plan.warnings()[0].summary, "Not there yet");
    says(&sandbox.terraform.apply().error(), "namespace", &["not-there", "kubectl create namespace"]);
}

#[test]
fn a_missing_datastore_is_a_warning_of_the_plan_and_an_error_of_the_apply() {
    let sandbox = Sandbox::new("datastore");
    sandbox.configure(&[&sandbox.tenant().with("data_store", "\"not-there\"").hcl()]);
    let plan = sandbox.terraform.plan().has_changes();
    assert_eq!(plan.warnings().len(), 1, "{plan}");
    says(&plan.warnings()[0], "data_store", &["not-there"]);
    says(&sandbox.terraform.apply().error(), "data_store", &["not-there"]);
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
}

#[test]
fn missing_definitions_are_an_error_that_names_kamaji() {
    let sandbox = Sandbox::alone("definitions");
    let name = "tenantcontrolplanes.kamaji.clastix.io";
    assert_eq!(sandbox.cluster.kubectl_run(&["get", name, "-A", "--no-headers"]).trim(), "", "no tenant is at stake");
    let saved = sandbox.cluster.kubectl_run(&["get", "crd", name, "-o", "json"]);
    let mut saved: serde_json::Value = serde_json::from_str(&saved).expect("JSON");
    sandbox.cluster.kubectl_run(&["delete", "crd", name]);
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    let (plan, apply) = (sandbox.terraform.plan(), sandbox.terraform.apply());
    for member in ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"] {
        saved["metadata"].as_object_mut().expect("an object").remove(member);
    }
    let file = sandbox.terraform.path().join("definition.json");
    std::fs::write(&file, saved.to_string()).expect("written");
    sandbox.cluster.kubectl_run(&["create", "-f", &file.to_string_lossy()]);
    sandbox.cluster.kubectl_run(&["wait", "--for=condition=Established", "--timeout=30s", "crd", name]);

    let plan = plan.has_changes();
    assert_eq!(plan.warnings().len(), 1, "{plan}");
    says(&apply.error(), "", &["Kamaji", "tenantcontrolplanes"]);
}

#[test]
fn mistakes_in_values_are_errors_at_their_attribute() {
    let sandbox = Sandbox::new("values");
    let address = sandbox.cluster.node_address();
    let network = |more: &str| format!("{{ address = {address:?}, port = 30099, {more} }}");

    says(&invalid(&sandbox, &sandbox.tenant().version("v1.3O.2").hcl()), "kubernetes", &["v1.3O.2", "v1.30"]);
    let error =
        invalid(&sandbox, &sandbox.tenant().with("network_profile", &network("pod_cidr = \"10.244.0.0/33\"")).hcl());
    says(&error, "network_profile", &["10.244.0.0/33"]);
    let error = invalid(&sandbox, &sandbox.tenant().with("network_profile", "{ address = \"10.0.0.256\" }").hcl());
    says(&error, "network_profile", &["10.0.0.256"]);
    let error = invalid(&sandbox, &sandbox.tenant().with("network_profile", "{}").hcl());
    says(&error, "network_profile", &["NodePort", "network_profile.address"]);

    let store = "resource \"kamaji_datastore\" \"d\" {\n  name = \"d\"\n  driver = \"etcd\"\n  endpoints = [\n    \
                 \"https://etcd:2379\",\n  ]\n  tls_config = {}\n}";
    sandbox.configure(&[store]);
    let errors = sandbox.terraform.plan().errors();
    let endpoint = errors.iter().find(|error| error.detail.contains("https://etcd:2379"));
    says(endpoint.unwrap_or_else(|| panic!("{errors:#?}")), "", &["host:port"]);
}
