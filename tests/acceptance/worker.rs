//! Workers: machines that boot with the rendered user data are Ready nodes of the tenant, and run its pods.

use serde_json::Value as Json;

use crate::harness::{Machine, Sandbox};

const JOINS: &str = r#"
resource "kamaji_worker_join" "plain" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = "1h"
}

resource "kamaji_worker_join" "marked" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = "1h"
  node_labels             = { "example.com/pool" = "marked" }
  node_taints             = [{ key = "dedicated", value = "marked", effect = "NoSchedule" }]
}
"#;

#[test]
fn machines_that_boot_with_the_user_data_are_ready_nodes() {
    let sandbox = Sandbox::new("worker");
    if !sandbox.cluster.is_local_for("machines that join") {
        return;
    }
    let tenant = sandbox.tenant().version("v1.30.2").with("addons", "{ kube_proxy = {}, core_dns = {} }");
    sandbox.configure(&[&tenant.hcl(), JOINS]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let plain = sandbox.terraform.resource("kamaji_worker_join.plain");
    let marked = sandbox.terraform.resource("kamaji_worker_join.marked");
    let user_data = |join: &Json, form: &str| join["values"]["user_data"][form].as_str().expect("rendered").to_owned();

    let cloud = Machine::boot(&sandbox, "cloud", &user_data(&plain, "cloud_config"));
    let shell = Machine::boot(&sandbox, "shell", &user_data(&marked, "shell"));
    cloud.ready_node(&sandbox);
    let node = shell.ready_node(&sandbox);
    assert_eq!(node["metadata"]["labels"]["example.com/pool"], "marked");
    let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    assert!(taints.iter().any(|taint| taint["key"] == "dedicated" && taint["value"] == "marked"), "{taints:?}");

    for machine in [&cloud, &shell] {
        assert_eq!(machine.runs_a_pod(&sandbox)["gitVersion"], "v1.30.2", "on {}", machine.name);
    }

    // A destroy revokes the token and leaves the nodes that have joined.
    let secret = |join: &Json| format!("bootstrap-token-{}", join["values"]["token_id"].as_str().expect("an id"));
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.apply().succeeds();
    let secrets = sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "secrets", "-n", "kube-system", "-o", "name"]);
    assert!(!secrets.contains(&secret(&plain)) && !secrets.contains(&secret(&marked)), "{secrets}");
    cloud.ready_node(&sandbox);

    // Nodes are lost only if the user says so.
    for outcome in [sandbox.terraform.plan_with(&["-destroy"]), sandbox.terraform.destroy()] {
        let error = outcome.error();
        assert_eq!(error.summary, "Nodes are joined");
        let named = format!("2 joined nodes ({}, {})", cloud.name, shell.name);
        assert!(error.detail.contains(&named), "{}", error.detail);
    }
    assert!(sandbox.cluster.tenant(&sandbox.namespace, "blue").is_some());
    sandbox.configure(&[&tenant.with("destroy_with_nodes", "true").hcl()]);
    sandbox.terraform.apply().succeeds();
    drop((cloud, shell));
    sandbox.terraform.destroy().succeeds();
}
