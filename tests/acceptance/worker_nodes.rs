//! The barrier: an apply that returns when machines are Ready nodes, and a destroy that drains them before they go.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::terraform::change;
use crate::harness::{Machine, Sandbox, wait_for};

const JOIN: &str = r#"
resource "kamaji_worker_join" "pool" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = "1h"
}
"#;

const NODES: &str = "kamaji_worker_nodes.pool";

fn nodes(which: &str, more: &str) -> String {
    format!(
        r#"
resource "kamaji_worker_nodes" "pool" {{
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  {which}
  {more}
}}
"#
    )
}

/// The names of the tenant's nodes that are Ready.
fn ready_nodes(sandbox: &Sandbox) -> Vec<String> {
    let all: Json = serde_json::from_str(&in_tenant(sandbox, &["get", "nodes", "-o", "json"])).expect("JSON");
    let is_ready = |node: &&Json| {
        let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().any(|it| it["type"] == "Ready" && it["status"] == "True")
    };
    let name = |node: &Json| node["metadata"]["name"].as_str().expect("a name").to_owned();
    all["items"].as_array().expect("a list").iter().filter(is_ready).map(name).collect()
}

fn in_tenant(sandbox: &Sandbox, arguments: &[&str]) -> String {
    sandbox.cluster.in_tenant(&sandbox.namespace, arguments)
}

/// A workload of one pod in the tenant that a PodDisruptionBudget wants there at all times.
fn kept_pod(sandbox: &Sandbox) {
    let labels = json!({ "app": "kept" });
    let items = json!([
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "kept" },
            "spec": {
                "replicas": 1, "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{ "name": "pause", "image": "registry.k8s.io/pause:3.9" }],
                    },
                },
            },
        },
        {
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "always-one" },
            "spec": { "minAvailable": 1, "selector": { "matchLabels": labels } },
        },
    ]);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
    let manifest = sandbox.terraform.path().join("kept.json");
    std::fs::write(&manifest, list).expect("written");
    in_tenant(sandbox, &["create", "-f", &manifest.to_string_lossy()]);
    wait_for("the budget knows its pod", Duration::from_secs(120), || {
        let healthy = in_tenant(sandbox, &["get", "pdb", "always-one", "-o", "jsonpath={.status.currentHealthy}"]);
        (healthy == "1").then_some(())
    });
}

#[test]
fn an_apply_waits_for_nodes_and_a_destroy_drains_them_within_their_budgets() {
    let sandbox = Sandbox::new("nodes");
    if !sandbox.cluster.is_local_for("machines that join") {
        return;
    }
    let tenant = sandbox.tenant().version("v1.30.2");
    sandbox.configure(&[&tenant.hcl(), JOIN]);
    sandbox.terraform.apply().succeeds();
    let join = sandbox.terraform.resource("kamaji_worker_join.pool")["values"].clone();

    // The apply is under way before there is a machine, and returns when that is a Ready node.
    let of_join = "join_ids = [kamaji_worker_join.pool.join_id]";
    sandbox.configure(&[&tenant.hcl(), JOIN, &nodes(of_join, "timeouts = { delete = \"20s\" }")]);
    let mut apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    wait_for("the apply waits", Duration::from_secs(60), || apply.log().contains("waiting for nodes").then_some(()));
    assert!(ready_nodes(&sandbox).is_empty() && apply.is_running());
    let first = Machine::boot(&sandbox, "one", join["user_data"]["cloud_config"].as_str().expect("rendered"));
    apply.wait().succeeds();
    assert_eq!(ready_nodes(&sandbox), [first.name.as_str()]);
    let state = sandbox.terraform.resource(NODES)["values"].clone();
    assert_eq!((&state["names"], &state["ready_count"]), (&json!([first.name]), &json!(1)));
    let shown = &state["nodes"][0];
    assert_eq!((&shown["kubelet_version"], &shown["ready"]), (&json!("v1.30.2"), &json!(true)));
    assert_eq!(shown["join_id"], join["join_id"]);
    assert!(shown["addresses"].as_array().is_some_and(|addresses| !addresses.is_empty()), "{shown}");
    sandbox.terraform.plan().plans_nothing();

    // A destroy waits for the budget, says so, and ends with it where the time is over.
    kept_pod(&sandbox);
    let targeted = ["apply", "-json", "-auto-approve", "-destroy", &format!("-target={NODES}")];
    let destroy = sandbox.terraform.spawn(&targeted);
    wait_for("the delay is told", Duration::from_secs(60), || {
        destroy.log().contains("a PodDisruptionBudget delays the drain").then_some(())
    });
    let error = destroy.wait().error();
    assert_eq!(error.summary, "Node not drained in time");
    for words in
        ["default/kept-", "The disruption budget always-one needs 1 healthy pods", "no other node that takes pods"]
    {
        assert!(error.detail.contains(words), "{}", error.detail);
    }
    assert!(!in_tenant(&sandbox, &["get", "node", &first.name, "-o", "jsonpath={.spec.unschedulable}"]).is_empty());
    let state = sandbox.terraform.resource(NODES)["values"].clone();
    assert_eq!(state["names"], json!([first.name]));

    // A second machine gives the pod a place to go, and the node goes without further ado.
    let second = Machine::boot(&sandbox, "two", join["user_data"]["shell"].as_str().expect("rendered"));
    let both = format!("node_names = [{:?}, {:?}]", first.name, second.name);
    sandbox.configure(&[&tenant.hcl(), JOIN, &nodes(&both, "timeouts = { delete = \"3m\" }")]);
    sandbox.terraform.apply().succeeds();
    assert_eq!(ready_nodes(&sandbox).len(), 2);
    in_tenant(&sandbox, &["scale", "deployment", "kept", "--replicas=2"]);
    wait_for("a pod on the second node", Duration::from_secs(120), || {
        let healthy = in_tenant(&sandbox, &["get", "pdb", "always-one", "-o", "jsonpath={.status.disruptionsAllowed}"]);
        (healthy == "1").then_some(())
    });
    let one = format!("node_names = [{:?}]", second.name);
    sandbox.configure(&[&tenant.hcl(), JOIN, &nodes(&one, "timeouts = { delete = \"3m\" }")]);
    sandbox.terraform.plan().has_changes();
    assert_eq!(change(&sandbox.terraform.planned(), NODES)["actions"], json!(["update"]));
    sandbox.terraform.apply_plan().succeeds();
    assert_eq!(ready_nodes(&sandbox), [second.name.as_str()]);
    let place = ["get", "pods", "-l", "app=kept", "-o", "jsonpath={.items[*].spec.nodeName}"];
    let places = in_tenant(&sandbox, &place);
    assert!(!places.contains(&first.name), "{places}");
    drop(first);
    sandbox.terraform.plan().plans_nothing();

    // The control plane may go together with its last nodes.
    sandbox.terraform.plan_with(&["-destroy"]).has_changes();

    // The last one: the destroy goes on as soon as the budget is gone.
    let mut destroy = sandbox.terraform.spawn(&targeted);
    wait_for("the budget delays it", Duration::from_secs(60), || {
        destroy.log().contains("a PodDisruptionBudget delays the drain").then_some(())
    });
    assert!(destroy.is_running());
    in_tenant(&sandbox, &["delete", "pdb", "always-one"]);
    destroy.wait().succeeds();
    assert_eq!(in_tenant(&sandbox, &["get", "nodes", "-o", "name"]), "");
    drop(second);
    sandbox.terraform.destroy().succeeds();
}

/// No plan fails while the tenant sleeps. Nothing can be drained then, and a destroy that is told so does without.
#[test]
fn nodes_of_a_tenant_that_sleeps_stay_as_they_are() {
    let sandbox = Sandbox::new("asleep-nodes");
    let none = nodes("label_selector = \"example.com/pool=none\"", "node_count = 0");
    let tenant = sandbox.tenant().version("v1.30.2");
    sandbox.configure(&[&tenant.hcl(), &none]);
    sandbox.terraform.apply().succeeds();
    let before = sandbox.terraform.resource(NODES)["values"].clone();
    assert_eq!((&before["names"], &before["ready_count"]), (&json!([]), &json!(0)));

    let deployment = "{ service = { service_type = \"NodePort\" }, deployment = { replicas = 0 } }";
    let asleep = tenant.clone().with("control_plane", deployment);
    sandbox.configure(&[&asleep.hcl(), &none]);
    sandbox.terraform.apply().succeeds();
    let plan = sandbox.terraform.plan().plans_nothing();
    let said: Vec<String> = plan.warnings().into_iter().map(|warning| warning.summary).collect();
    assert_eq!(said, ["Nodes were not looked at"], "{plan}");
    assert_eq!(sandbox.terraform.resource(NODES)["values"], before);
    let targeted = ["apply", "-json", "-auto-approve", "-destroy", &format!("-target={NODES}")];
    assert_eq!(sandbox.terraform.run(&targeted).error().summary, "Nodes cannot be drained now");
    let undrained =
        nodes("label_selector = \"example.com/pool=none\"", "node_count = 0\n  drain = { enabled = false }");
    sandbox.configure(&[&asleep.hcl(), &undrained]);
    sandbox.terraform.apply().succeeds();
    let destroyed = sandbox.terraform.destroy().succeeds();
    assert!(destroyed.warnings().iter().any(|it| it.summary == "Nodes stay in the tenant"), "{destroyed}");
}
