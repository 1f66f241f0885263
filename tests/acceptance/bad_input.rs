//! Bad input: each mistake is an error at its place, with what to do.

use std::net::{Ipv4Addr, TcpListener};

use base64::Engine as _;
use serde_json::json;

use crate::harness::running::Diagnostic;
use crate::harness::sandbox::provider;
use crate::harness::{Sandbox, Tenant};

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
    let block = format!("host = {:?}\n  token = \"any\"\n  cluster_ca_certificate = {pem:?}", sandbox.server());
    says(&refused_by(&sandbox, &block), "", &["certificate", "cluster_ca_certificate"]);
}

#[test]
fn a_refused_token_is_an_error_about_credentials() {
    let sandbox = Sandbox::new("unauthorized");
    let error = refused_by(&sandbox, &sandbox.settings_with_token("not-a-token"));
    says(&error, "", &["Not authenticated", "token"]);
    assert!(!error.detail.contains("not-a-token"), "{}", error.detail);
}

#[test]
fn a_missing_right_is_an_error_that_names_verb_and_resource() {
    let sandbox = Sandbox::new("forbidden");
    let token = sandbox.token_of("nobody");
    let error = refused_by(&sandbox, &sandbox.settings_with_token(&token));
    says(&error, "", &["forbidden", "resources: [\"tenantcontrolplanes\"]", "verbs: [\"get\"]"]);
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
    let sandbox = Sandbox::new("definitions");
    // A tenant is a cluster without Kamaji.
    sandbox.cluster.apply(&sandbox.tenant_manifest("v1.30.0", "default"));
    sandbox.wait_for_tenant("ready", |live| live["status"]["kubernetesResources"]["version"]["status"] == "Ready");
    let kubeconfig = sandbox.cluster.secret(&sandbox.namespace, "blue-admin-kubeconfig", "super-admin.conf");
    let path = sandbox.terraform.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig.expect("a kubeconfig")).expect("written");
    let tenant = sandbox.tenant().with("namespace", "\"default\"").hcl();
    sandbox.terraform.configure(&[provider(&format!("config_path = {path:?}")), tenant].join("\n"));
    let plan = sandbox.terraform.plan().has_changes();
    assert_eq!(plan.warnings().len(), 1, "{plan}");
    says(&plan.warnings()[0], "", &["Not there yet"]);
    says(&sandbox.terraform.apply().error(), "", &["Kamaji"]);
}

#[test]
fn mistakes_in_values_are_errors_at_their_attribute() {
    let sandbox = Sandbox::new("values");
    let address = sandbox.cluster.node_address();
    // Terraform shows the line of top-level attributes only; those inside are named in the text.
    let mistake = |tenant: Tenant| invalid(&sandbox, &tenant.hcl());
    says(&mistake(sandbox.tenant().version("v1.3O.2")), "", &["kubernetes.version", "v1.3O.2", "v1.32.4"]);
    let port = sandbox.port;
    let network = |more: &str| sandbox.tenant().with("network_profile", &format!("{{ port = {port}, {more} }}"));
    let pods = network(&format!("address = {address:?}, pod_cidr = \"10.244.0.0/33\""));
    says(&mistake(pods), "", &["network_profile.pod_cidr", "10.244.0.0/33"]);
    says(&mistake(network("address = \"10.0.0.256\"")), "", &["network_profile.address", "10.0.0.256"]);
    says(&mistake(network("")), "", &["NodePort", "network_profile.address"]);
    says(&mistake(sandbox.tenant().with("name", "\"Blue_1\"")), "name", &["Blue_1"]);
    let store = r#"
        resource "kamaji_datastore" "store" {
          name       = "store"
          driver     = "NATS"
          endpoints = ["https://nats:4222"]
          basic_auth = {
            username = { secret_reference = { namespace = "a", name = "b", key_path = "user" } }
            password = { secret_reference = { namespace = "a", name = "b", key_path = "password" } }
          }
        }
    "#;
    says(&invalid(&sandbox, store), "endpoints", &["https://nats:4222", "host:port"]);
}

#[test]
fn a_node_port_in_use_is_an_error_of_the_plan() {
    let sandbox = Sandbox::new("port-in-use");
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "holder", "namespace": sandbox.namespace },
        "spec": { "type": "NodePort", "ports": [{ "port": 80, "nodePort": sandbox.port }] },
    });
    sandbox.cluster.apply(&service);
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    says(&sandbox.terraform.plan().error(), "", &["network_profile.port", "already allocated"]);
    sandbox.cluster.kubectl_run(&["delete", "service", "holder", "-n", &sandbox.namespace]);
    sandbox.terraform.plan().has_changes();
}

#[test]
fn a_missing_namespace_is_made_if_that_is_wanted() {
    let sandbox = Sandbox::new("makes-namespace");
    let namespace = format!("{}-made", sandbox.namespace);
    let tenant = sandbox.tenant().with("namespace", &format!("{namespace:?}"));
    let tenant = tenant.with("create_namespace", "true").with("wait_for", "\"provisioned\"");
    sandbox.configure(&[&tenant.hcl()]);
    let plan = sandbox.terraform.plan().has_changes();
    assert_eq!(plan.warnings().len(), 0, "{plan}");
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();
    assert!(sandbox.cluster.tenant(&namespace, "blue").is_some());
    sandbox.terraform.destroy().succeeds();
    sandbox.cluster.kubectl_run(&["delete", "namespace", &namespace, "--timeout=60s"]);
}
