//! What happens in the middle of an apply: Ctrl-C, an API server that goes away and comes back.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::harness::configuration::BLUE;
use crate::harness::terraform::Running;
use crate::harness::{Sandbox, wait_for};

/// Checks that the tenant of the sandbox is there once and was written once.
fn nothing_is_doubled(sandbox: &Sandbox) {
    let namespace = &sandbox.namespace;
    assert_eq!(sandbox.cluster.list("tenantcontrolplanes.kamaji.clastix.io", namespace), ["TenantControlPlane/blue"]);
    assert_eq!(sandbox.cluster.list("deployments", namespace), ["Deployment/blue"]);
    assert_eq!(sandbox.cluster.list("services", namespace), ["Service/blue"]);
    let state = sandbox.terraform.state();
    let resources = state["values"]["root_module"]["resources"].as_array().map_or(0, Vec::len);
    assert_eq!(resources, 1, "{state}");
    let live = sandbox.cluster.tenant(namespace, "blue").unwrap_or(Json::Null);
    assert_eq!(sandbox.terraform.resource(BLUE)["values"]["uid"], live["metadata"]["uid"]);
}

/// Waits until the provider's apply, not the plan before it, has met an API server that is down.
fn a_request_fails(apply: &Running) {
    wait_for("a request of the apply fails", Duration::from_secs(60), || {
        let log = apply.log();
        let mut lines = log.lines().filter(|line| line.contains("tf_rpc=apply_resource_change"));
        lines.any(|line| line.contains("Connection refused")).then_some(())
    });
}

#[test]
fn an_interrupt_while_waiting_returns_at_once_with_the_tenant_in_the_state() {
    let sandbox = Sandbox::new("interrupt");
    sandbox.configure(&[&sandbox.tenant().that_gets_stuck().hcl()]);
    let apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    sandbox.wait_for_tenant("made", |_| true);
    // The provider waits once it has the answer; its state is with Terraform only when it returns.
    wait_for("the provider waits", Duration::from_secs(20), || apply.log().contains("not ready yet").then_some(()));
    apply.interrupt();
    // The plugin protocol's own word for Ctrl-C; what comes before it is Terraform's time.
    let begin = wait_for("the provider is stopped", Duration::from_secs(5), || {
        apply.log().contains("stopping: operations return").then(Instant::now)
    });
    let outcome = apply.wait();
    let took = begin.elapsed();
    let error = outcome.errors().into_iter().find(|error| error.summary == "Interrupted while waiting");
    let error = error.expect("the provider says that it was interrupted");
    assert!(error.detail.contains("untaint"), "{}", error.detail);
    assert!(took < Duration::from_secs(1), "Terraform ended {took:?} after StopProvider");
    let tenant = sandbox.terraform.resource(BLUE);
    assert_eq!(tenant["tainted"], true);
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("made");
    assert_eq!(tenant["values"]["uid"], live["metadata"]["uid"]);
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
}

#[test]
fn an_api_server_that_is_down_during_the_create_delays_it() {
    let sandbox = Sandbox::alone("mid-create");
    if !sandbox.cluster.is_local_for("an API server that is down during a create") {
        return;
    }
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.plan().has_changes();
    let stopped = sandbox.cluster.stop_component("kube-apiserver");
    let apply = sandbox.terraform.spawn(&["apply", "-json", "saved.tfplan"]);
    a_request_fails(&apply);
    drop(stopped);
    apply.wait().succeeds();
    nothing_is_doubled(&sandbox);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn an_api_server_that_is_down_during_the_wait_delays_it() {
    let sandbox = Sandbox::alone("mid-wait");
    if !sandbox.cluster.is_local_for("an API server that is down during a wait") {
        return;
    }
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    let mut apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    sandbox.wait_for_tenant("made", |_| true);
    let stopped = sandbox.cluster.stop_component("kube-apiserver");
    assert!(apply.is_running(), "the tenant was ready before the API server stopped");
    a_request_fails(&apply);
    drop(stopped);
    apply.wait().succeeds();
    nothing_is_doubled(&sandbox);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}
