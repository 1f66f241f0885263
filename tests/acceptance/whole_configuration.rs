//! One configuration from the datastore to what works inside the tenant.

use std::time::Duration;

use crate::harness::configuration::{BLUE, data_store};
use crate::harness::{Sandbox, wait_for};

/// Uses the tenant in the same apply, with credentials that are nowhere stored.
pub const CONSUMER: &str = r#"
ephemeral "kamaji_kubeconfig" "blue" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
}

resource "terraform_data" "inside" {
  input = kamaji_tenant_control_plane.blue.uid

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-SHELL
      umask 077
      kubeconfig=$(mktemp)
      trap 'rm -f "$kubeconfig"' EXIT
      printf '%s' "$TENANT" > "$kubeconfig"
      kubectl --kubeconfig "$kubeconfig" create configmap made-by-terraform --namespace default
    SHELL
    environment = {
      TENANT = ephemeral.kamaji_kubeconfig.blue.kubeconfig
    }
  }
}
"#;

#[test]
fn datastore_tenant_kubeconfig_and_a_consumer_live_in_one_configuration() {
    let sandbox = Sandbox::new("whole");
    if !sandbox.cluster.is_local_for("a DataStore made by Terraform") {
        return;
    }
    let store = data_store(&sandbox);
    let tenant = sandbox
        .tenant()
        .with("data_store", "kamaji_datastore.store.name")
        .with("wait_for", "\"reachable\"")
        .with("timeouts", "{ delete = \"5s\" }");
    sandbox.configure(&[&store, &tenant.hcl(), CONSUMER]);

    let plan = sandbox.terraform.plan().has_changes();
    // The datastore is made in the same apply; the API server can say nothing about the tenant before.
    let said: Vec<&str> = plan.diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect();
    assert_eq!(said, ["Not there yet"], "{plan}");
    sandbox.terraform.apply_plan().succeeds();
    let made = sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "configmap", "made-by-terraform", "-o", "name"]);
    assert_eq!(made.trim(), "configmap/made-by-terraform");
    sandbox.terraform.plan().plans_nothing();
    let used_by = format!("{}/blue", sandbox.namespace);
    let refreshed = sandbox.terraform.run(&["apply", "-json", "-refresh-only", "-auto-approve"]).succeeds();
    assert!(refreshed.warnings().is_empty(), "{refreshed}");
    assert_eq!(sandbox.terraform.resource("kamaji_datastore.store")["values"]["used_by"][0], used_by);

    // Something holds the tenant: the first destroy fails half way, after the consumer.
    let tenant = "tenantcontrolplanes.kamaji.clastix.io/blue";
    let finalizers = |list: &str| {
        let patch = format!("{{\"metadata\":{{\"finalizers\":{list}}}}}");
        sandbox.cluster.kubectl_run(&["patch", tenant, "-n", &sandbox.namespace, "--type=merge", "-p", &patch]);
    };
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("made");
    let mut held = live["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    held.push("acceptance.example.com/hold".into());
    finalizers(&serde_json::Value::Array(held).to_string());
    let error = sandbox.terraform.destroy().error();
    assert!(error.detail.contains("acceptance.example.com/hold"), "the finalizer is named: {error:?}");
    let state = sandbox.terraform.run(&["state", "list"]).succeeds();
    assert_eq!(state.stdout.lines().collect::<Vec<_>>(), ["kamaji_datastore.store", BLUE]);

    // It still does, and then it does not.
    assert!(sandbox.terraform.destroy().code != 0);
    finalizers("[]");
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
    assert_eq!(sandbox.cluster.get("datastores.kamaji.clastix.io", "default", &sandbox.namespace), None);
    wait_for("nothing is left", Duration::from_secs(60), || sandbox.leftovers().is_empty().then_some(()));
}

/// A machine of the local cluster, in place of a cloud's; and what waits for its node and writes into the tenant.
const MACHINE: &str = r#"
variable "program" {
  type = string
}

resource "kamaji_worker_join" "pool" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = "1h"
}

resource "terraform_data" "machine" {
  input = { name = "${kamaji_tenant_control_plane.blue.namespace}-1", program = var.program }

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-SHELL
      umask 077
      file=$(mktemp)
      trap 'rm -f "$file"' EXIT
      printf '%s' "$USER_DATA" > "$file"
      "$PROGRAM" worker up "$NAME" --user-data "$file"
    SHELL
    environment = {
      PROGRAM   = self.input.program
      NAME      = self.input.name
      USER_DATA = kamaji_worker_join.pool.user_data.cloud_config
    }
  }

  provisioner "local-exec" {
    when    = destroy
    command = "'${self.input.program}' worker down '${self.input.name}'"
  }
}

ephemeral "kamaji_kubeconfig" "blue" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
}

resource "terraform_data" "inside" {
  input = terraform_data.machine.output.name

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-SHELL
      umask 077
      KUBECONFIG=$(mktemp)
      export KUBECONFIG
      trap 'rm -f "$KUBECONFIG"' EXIT
      printf '%s' "$TENANT" > "$KUBECONFIG"
      kubectl wait --for=condition=Ready "node/$NODE" --timeout=120s
      kubectl create configmap made-by-terraform --namespace default --from-literal "node=$NODE"
    SHELL
    environment = {
      TENANT = ephemeral.kamaji_kubeconfig.blue.kubeconfig
      NODE   = self.input
    }
  }
}
"#;

#[test]
fn from_a_datastore_to_a_node_and_back_in_one_apply_and_one_destroy() {
    let sandbox = Sandbox::new("story");
    if !sandbox.cluster.is_local_for("a machine in one configuration with its tenant") {
        return;
    }
    let tenant = sandbox
        .tenant()
        .version("v1.30.2")
        .with("data_store", "kamaji_datastore.store.name")
        .with("addons", "{ kube_proxy = {}, core_dns = {} }")
        .with("wait_for", "\"reachable\"")
        .with("destroy_with_nodes", "true");
    sandbox.terraform.write("terraform.tfvars", &format!("program = {:?}\n", sandbox.cluster.program()));
    sandbox.configure(&[&data_store(&sandbox), &tenant.hcl(), MACHINE]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();

    let in_tenant = |arguments: &[&str]| sandbox.cluster.in_tenant(&sandbox.namespace, arguments);
    let machine = format!("{}-1", sandbox.namespace);
    let node = in_tenant(&["get", "configmap", "made-by-terraform", "-o", "jsonpath={.data.node}"]);
    assert_eq!(node, machine);
    wait_for("the tenant's DNS runs on the node", Duration::from_secs(120), || {
        let running = ["get", "pods", "-A", "-l", "k8s-app=kube-dns", "-o", "jsonpath={.items[*].spec.nodeName}"];
        let ready = ["wait", "pods", "-A", "-l", "k8s-app=kube-dns", "--for=condition=Ready", "--timeout=5s"];
        let ready = sandbox.cluster.in_tenant_command(&sandbox.namespace, &ready).status.success();
        (ready && in_tenant(&running).split(' ').all(|node| node == machine)).then_some(())
    });

    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.terraform.run(&["state", "list"]).succeeds().stdout.trim(), "");
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
    assert_eq!(sandbox.cluster.get("datastores.kamaji.clastix.io", "default", &sandbox.namespace), None);
    let entered = sandbox.cluster.worker(&["run", &machine, "--", "true"]).output().expect("starts");
    assert!(!entered.status.success(), "the machine is gone");
    wait_for("nothing is left", Duration::from_secs(60), || sandbox.leftovers().is_empty().then_some(()));
}

#[test]
fn a_datastore_in_use_is_not_destroyed() {
    let sandbox = Sandbox::new("in-use");
    if !sandbox.cluster.is_local_for("a DataStore in use") {
        return;
    }
    let store = data_store(&sandbox);
    sandbox.configure(&[&store]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.cluster.apply(&sandbox.tenant_manifest("v1.30.0", &sandbox.namespace));
    wait_for("the datastore knows", Duration::from_secs(60), || {
        let store = sandbox.cluster.get("datastores.kamaji.clastix.io", "default", &sandbox.namespace)?;
        (store["status"]["usedBy"].as_array()?.len() == 1).then_some(())
    });
    let error = sandbox.terraform.destroy().error();
    assert!(error.detail.contains("used"), "{error:?}");

    let tenant = "tenantcontrolplanes.kamaji.clastix.io/blue";
    sandbox.cluster.kubectl_run(&["delete", tenant, "-n", &sandbox.namespace, "--timeout=60s"]);
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.get("datastores.kamaji.clastix.io", "default", &sandbox.namespace), None);
}
