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
