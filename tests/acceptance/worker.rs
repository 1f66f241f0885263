//! Workers: machines that boot with the rendered user data are Ready nodes of the tenant.

use std::time::Duration;

use serde_json::Value as Json;

use crate::harness::cluster::{Cluster, run};
use crate::harness::{Sandbox, wait_for};

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

/// A booted machine; the drop ends it.
struct Machine {
    cluster: &'static Cluster,
    name: &'static str,
}

impl Machine {
    /// Boots a machine that executes user data; panics if that fails.
    fn boot(sandbox: &Sandbox, name: &'static str, index: &str, user_data: &str) -> Self {
        let machine = Self { cluster: sandbox.cluster, name };
        sandbox.terraform.write(name, user_data);
        let file = sandbox.terraform.path().join(name);
        run(sandbox.cluster.worker(&["up", name, "--index", index, "--user-data"]).arg(file));
        machine
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.cluster.worker(&["down", self.name]).output();
    }
}

/// A node of the tenant once it is Ready.
fn ready_node(sandbox: &Sandbox, name: &str) -> Json {
    wait_for(&format!("node {name} is Ready"), Duration::from_secs(120), || {
        let found =
            sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "node", name, "--ignore-not-found", "-o", "json"]);
        let node: Json = serde_json::from_str(&found).ok()?;
        let ready =
            node["status"]["conditions"].as_array()?.iter().any(|it| it["type"] == "Ready" && it["status"] == "True");
        ready.then_some(node)
    })
}

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

    let cloud = Machine::boot(&sandbox, "acceptance-cloud", "201", &user_data(&plain, "cloud_config"));
    let shell = Machine::boot(&sandbox, "acceptance-shell", "202", &user_data(&marked, "shell"));
    ready_node(&sandbox, "acceptance-cloud");
    let node = ready_node(&sandbox, "acceptance-shell");
    assert_eq!(node["metadata"]["labels"]["example.com/pool"], "marked");
    let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    assert!(taints.iter().any(|taint| taint["key"] == "dedicated" && taint["value"] == "marked"), "{taints:?}");

    // A destroy revokes the token and leaves the nodes that have joined.
    let secret = |join: &Json| format!("bootstrap-token-{}", join["values"]["token_id"].as_str().expect("an id"));
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.apply().succeeds();
    let secrets = sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "secrets", "-n", "kube-system", "-o", "name"]);
    assert!(!secrets.contains(&secret(&plain)) && !secrets.contains(&secret(&marked)), "{secrets}");
    ready_node(&sandbox, "acceptance-cloud");

    // Nodes are lost only if the user says so.
    for outcome in [sandbox.terraform.plan_with(&["-destroy"]), sandbox.terraform.destroy()] {
        let error = outcome.error();
        assert_eq!(error.summary, "Nodes are joined");
        assert!(error.detail.contains("2 joined nodes (acceptance-cloud, acceptance-shell)"), "{}", error.detail);
    }
    assert!(sandbox.cluster.tenant(&sandbox.namespace, "blue").is_some());
    sandbox.configure(&[&tenant.with("destroy_with_nodes", "true").hcl()]);
    sandbox.terraform.apply().succeeds();
    drop((cloud, shell));
    sandbox.terraform.destroy().succeeds();
}
