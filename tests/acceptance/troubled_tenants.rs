//! Tenants that sleep or are out of reach: no plan fails, the state is kept, and it goes on by itself.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::running::Outcome;
use crate::harness::{Sandbox, left_out, wait_for};

/// Everything that looks into the tenant. The token is due for renewal five seconds after it was made.
const INSIDE: &str = r#"
resource "kamaji_worker_join" "pool" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = "1h"
  renewal_policy          = "extend"
  renew_before            = "59m55s"
}

data "kamaji_nodes" "all" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  timeout                 = "5s"
}

data "kamaji_bootstrap_tokens" "all" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  timeout                 = "5s"
}

ephemeral "kamaji_kubeconfig" "run" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  minted                  = {}
}

resource "terraform_data" "consumer" {
  provisioner "local-exec" {
    command     = "test -n \"$TOKEN\""
    environment = { TOKEN = ephemeral.kamaji_kubeconfig.run.token }
  }
}
"#;

fn warnings(outcome: &Outcome, summary: &str) -> usize {
    outcome.warnings().iter().filter(|warning| warning.summary == summary).count()
}

/// Checks a plan of a tenant that does not answer: nothing to do, and each thing is said once.
#[track_caller]
fn is_calm(plan: Outcome) {
    let plan = plan.plans_nothing();
    for summary in ["Token cannot be renewed now", "Tenant does not answer", "No credential minted in tenant"] {
        assert_eq!(warnings(&plan, summary), 1, "{summary}: {plan}");
    }
}

fn join(sandbox: &Sandbox) -> Json {
    sandbox.terraform.resource("kamaji_worker_join.pool")["values"].clone()
}

/// Plans until the token is due.
fn wait_until_due(sandbox: &Sandbox) {
    wait_for("the token is due", Duration::from_secs(60), || {
        (sandbox.terraform.plan().succeeds().code == 2).then_some(())
    });
}

#[test]
fn a_tenant_that_sleeps_fails_no_plan_and_goes_on_when_it_is_back() {
    let sandbox = Sandbox::new("troubled");
    let service = "{ service = { service_type = \"NodePort\" } }";
    sandbox
        .configure(&[&sandbox.tenant().with("control_plane", service).with("wait_for", "\"reachable\"").hcl(), INSIDE]);
    sandbox.terraform.apply().succeeds();
    let made = join(&sandbox);
    wait_until_due(&sandbox);

    // Asleep.
    let scale = |replicas: u32| {
        let patch = json!({ "spec": { "controlPlane": { "deployment": { "replicas": replicas } } } }).to_string();
        let object = "tenantcontrolplanes.kamaji.clastix.io/blue";
        sandbox.cluster.kubectl_run(&["patch", object, "-n", &sandbox.namespace, "--type=merge", "-p", &patch]);
    };
    scale(0);
    is_calm(sandbox.terraform.plan());
    sandbox.terraform.run(&["apply", "-json", "-auto-approve", "-refresh-only"]).succeeds();
    assert_eq!(join(&sandbox), made, "the state is kept");
    scale(1);
    sandbox.wait_for_tenant("awake", |live| live["status"]["kubernetesResources"]["version"]["status"] == "Ready");
    wait_until_due(&sandbox);
    sandbox.terraform.apply().succeeds();
    let renewed = join(&sandbox);
    assert_eq!(renewed["user_data"], made["user_data"]);
    assert!(renewed["expiration"].as_str() > made["expiration"].as_str(), "{renewed}");
    wait_until_due(&sandbox);
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_tenant_behind_a_wall_fails_no_plan() {
    let mut sandbox = Sandbox::new("walled");
    sandbox.configure(&[&sandbox.tenant().with("wait_for", "\"reachable\"").hcl(), INSIDE]);
    sandbox.terraform.apply().succeeds();
    wait_until_due(&sandbox);
    let server = sandbox.server();
    let host = server.rsplit('/').next().and_then(|authority| authority.rsplit_once(':')).expect("host:port").0;
    if host == sandbox.cluster.node_address() {
        left_out("since the management cluster and its tenants have one address: a wall between them");
        return;
    }
    // A proxy that nobody runs is the way to everything but the management cluster.
    sandbox.terraform.set("HTTPS_PROXY", "http://127.0.0.1:9");
    sandbox.terraform.set("NO_PROXY", host);
    let (kept, begin) = (join(&sandbox), std::time::Instant::now());
    is_calm(sandbox.terraform.plan());
    let took = begin.elapsed();
    assert_eq!(join(&sandbox), kept);
    assert!(took < Duration::from_secs(90), "{took:?}");
    sandbox.terraform.set("HTTPS_PROXY", "");
    wait_until_due(&sandbox);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.destroy().succeeds();
}
