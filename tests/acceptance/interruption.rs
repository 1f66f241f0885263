//! What happens in the middle of an apply: Ctrl-C, an API server that goes away and comes back.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::configuration::BLUE;
use crate::harness::running::Running;
use crate::harness::terraform::DESTROY;
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
    let outcome = apply.interrupted();
    let error = outcome.errors().into_iter().find(|error| error.summary == "Interrupted while waiting");
    let error = error.expect("the provider says that it was interrupted");
    assert!(error.detail.contains("untaint"), "{}", error.detail);
    let tenant = sandbox.terraform.resource(BLUE);
    assert_eq!(tenant["tainted"], true);
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("made");
    assert_eq!(tenant["values"]["uid"], live["metadata"]["uid"]);
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
}

#[test]
fn an_interrupt_of_a_change_and_of_a_destroy_is_gone_on_from() {
    let sandbox = Sandbox::new("interrupt-later");
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    // Nobody has this image, so the change never takes effect.
    let deployment = "deployment = { replicas = 1, registry_settings = { registry = \"registry.invalid\" } }";
    let control_plane = format!("{{ service = {{ service_type = \"NodePort\" }}, {deployment} }}");
    sandbox.configure(&[&sandbox.tenant().with("control_plane", &control_plane).hcl()]);
    let apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    wait_for("the change waits", Duration::from_secs(60), || apply.log().contains("not ready yet").then_some(()));
    apply.interrupted().errors();
    let tenant = sandbox.terraform.resource(BLUE);
    assert_eq!(tenant["values"]["control_plane"]["deployment"]["registry_settings"]["registry"], "registry.invalid");
    assert_ne!(tenant["tainted"], true);
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();

    // Something holds the object, so the destroy waits.
    let object = "tenantcontrolplanes.kamaji.clastix.io/blue";
    let patch = |patch: &str| {
        sandbox.cluster.kubectl_run(&["patch", object, "-n", &sandbox.namespace, "--type=json", "-p", patch])
    };
    patch(r#"[{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/held"}]"#);
    let destroy = sandbox.terraform.spawn(&DESTROY);
    sandbox.wait_for_tenant("marked for deletion", |live| live["metadata"]["deletionTimestamp"].is_string());
    let said = "tf_rpc=apply_resource_change";
    wait_for("the destroy waits", Duration::from_secs(20), || destroy.log().contains(said).then_some(()));
    destroy.interrupted().errors();
    assert_ne!(sandbox.terraform.resource(BLUE), Json::Null, "it exists, so it stays in the state");
    sandbox.wait_for_tenant("held by the test alone", |live| {
        live["metadata"]["finalizers"] == json!(["example.com/held"])
    });
    patch(r#"[{"op": "replace", "path": "/metadata/finalizers", "value": []}]"#);
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
}

#[test]
fn an_interrupt_of_a_scale_is_gone_on_from() {
    let sandbox = Sandbox::new("interrupt-scale");
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    let control_plane = "{ service = { service_type = \"NodePort\" }, deployment = { replicas = 2 } }";
    sandbox.configure(&[&sandbox.tenant().with("control_plane", control_plane).hcl()]);
    let apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    wait_for("the scale waits", Duration::from_secs(60), || apply.log().contains("not ready yet").then_some(()));
    apply.interrupted().errors();
    let tenant = sandbox.terraform.resource(BLUE);
    assert_eq!(tenant["values"]["control_plane"]["deployment"]["replicas"], 2);
    assert_ne!(tenant["tainted"], true);
    // The next apply goes on with the wait.
    sandbox.terraform.plan().has_changes();
    sandbox.terraform.apply_plan().succeeds();
    let deployment = sandbox.cluster.get("deployment", &sandbox.namespace, "blue").expect("there");
    assert_eq!(deployment["status"]["readyReplicas"], 2);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
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

#[test]
fn an_api_server_that_is_down_during_the_delete_delays_it() {
    let sandbox = Sandbox::alone("mid-delete");
    if !sandbox.cluster.is_local_for("an API server that is down during a delete") {
        return;
    }
    let is_gone = || {
        assert_eq!(sandbox.terraform.resource(BLUE), Json::Null);
        assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
        let left = || sandbox.leftovers().is_empty().then_some(());
        wait_for("nothing is left", Duration::from_secs(30), left);
    };
    // Down before the request that deletes.
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan_with(&["-destroy"]).has_changes();
    let stopped = sandbox.cluster.stop_component("kube-apiserver");
    let destroy = sandbox.terraform.spawn(&["apply", "-json", "saved.tfplan"]);
    a_request_fails(&destroy);
    drop(stopped);
    destroy.wait().succeeds();
    is_gone();

    // Down between the request and the end of the object.
    sandbox.terraform.apply().succeeds();
    nothing_is_doubled(&sandbox);
    let object = "tenantcontrolplanes.kamaji.clastix.io/blue";
    let patch = |patch: &str| {
        sandbox.cluster.kubectl_run(&["patch", object, "-n", &sandbox.namespace, "--type=json", "-p", patch])
    };
    patch(r#"[{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/held"}]"#);
    let mut destroy = sandbox.terraform.spawn(&DESTROY);
    sandbox.wait_for_tenant("held by the test alone", |live| {
        live["metadata"]["deletionTimestamp"].is_string()
            && live["metadata"]["finalizers"] == json!(["example.com/held"])
    });
    let stopped = sandbox.cluster.stop_component("kube-apiserver");
    a_request_fails(&destroy);
    drop(stopped);
    assert!(destroy.is_running(), "the object is there");
    patch(r#"[{"op": "replace", "path": "/metadata/finalizers", "value": []}]"#);
    destroy.wait().succeeds();
    is_gone();

    // Down while the object and what belongs to it go. Kamaji v1.0.0 may then leave its finalizer on a Secret; the error
    // says so, and what it says helps.
    sandbox.terraform.apply().succeeds();
    let destroy = sandbox.terraform.spawn(&DESTROY);
    wait_for("it is being deleted", Duration::from_secs(60), || {
        let log = destroy.log();
        let mut lines = log.lines().filter(|line| line.contains("tf_rpc=apply_resource_change"));
        lines.any(|line| line.contains("method=DELETE")).then_some(())
    });
    let stopped = sandbox.cluster.stop_component("kube-apiserver");
    a_request_fails(&destroy);
    drop(stopped);
    sandbox.terraform.helped(destroy.wait(), &DESTROY).succeeds();
    is_gone();
}
