//! Actions, invoked by themselves and triggered by a resource. Terraform knows them since 1.14; they are left out with what
//! is older, and with OpenTofu.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::cluster::SLEEPING;
use crate::harness::running::Outcome;
use crate::harness::{Feature, Machine, Sandbox, wait_for};

/// An action named `it` for the tenant.
fn action(kind: &str, more: &str) -> String {
    format!(
        "action \"kamaji_{kind}\" \"it\" {{\n  config {{\n    tenant_control_plane_id = \
         kamaji_tenant_control_plane.blue.id\n    {more}\n  }}\n}}\n"
    )
}

fn invoke(sandbox: &Sandbox, kind: &str) -> Outcome {
    sandbox.terraform.run(&["apply", "-json", "-auto-approve", &format!("-invoke=action.kamaji_{kind}.it")])
}

/// Checks that the user was told all of this while the action was carried out.
#[track_caller]
fn told(outcome: &Outcome, all: &[&str]) {
    for words in all {
        assert!(outcome.stdout.contains(words), "{words:?} was not told:\n{}", outcome.stdout);
    }
}

/// Checks that an action failed with this error. Terraform 1.15 puts its own headline over it.
#[track_caller]
fn refused(outcome: Outcome, summary: &str) -> String {
    let error = outcome.error();
    let whole = format!("{}: {}", error.summary, error.detail);
    assert!(whole.contains(&format!("{summary}: ")), "{whole}");
    whole
}

/// The UIDs of the control plane's pods that are not on their way out.
fn pods(sandbox: &Sandbox) -> BTreeSet<String> {
    let get = ["get", "pods", "-n", &sandbox.namespace, "-l", "kamaji.clastix.io/name=blue", "-o", "json"];
    let all: Json = serde_json::from_str(&sandbox.cluster.kubectl_run(&get)).expect("JSON");
    let stays = |pod: &&Json| pod["metadata"]["deletionTimestamp"].is_null();
    let uid = |pod: &Json| pod["metadata"]["uid"].as_str().expect("a UID").to_owned();
    all["items"].as_array().expect("a list").iter().filter(stays).map(uid).collect()
}

#[test]
fn a_restart_replaces_the_pods_and_is_no_drift() {
    let sandbox = Sandbox::new("restart");
    if !sandbox.terraform.knows_for(Feature::Actions, "kamaji_restart") {
        return;
    }
    let deployment = "{ service = { service_type = \"NodePort\" }, deployment = { replicas = 1, pod_additional_metadata = { \
                      annotations = { own = \"1\" } } } }";
    let tenant = sandbox.tenant().with("control_plane", deployment);
    sandbox.configure(&[&tenant.hcl(), &action("restart", "")]);
    sandbox.terraform.apply().succeeds();
    let first = pods(&sandbox);
    let restarted = invoke(&sandbox, "restart").succeeds();
    told(&restarted, &["Kamaji is asked for new pods", "runs in 1 new pods"]);
    let second = pods(&sandbox);
    assert!(second.len() == 1 && second.is_disjoint(&first), "{first:?} {second:?}");
    sandbox.terraform.plan().plans_nothing();

    // Triggered by another resource, and by each of its changes.
    let trigger = |input: u8| {
        format!(
            "resource \"terraform_data\" \"trigger\" {{\n  input = {input}\n  lifecycle {{\n    action_trigger {{\n      events = \
             [after_create, after_update]\n      actions = [action.kamaji_restart.it]\n    }}\n  }}\n}}\n"
        )
    };
    for input in [1, 2] {
        let before = pods(&sandbox);
        sandbox.configure(&[&tenant.hcl(), &action("restart", ""), &trigger(input)]);
        told(&sandbox.terraform.apply().succeeds(), &["runs in 1 new pods"]);
        assert!(pods(&sandbox).is_disjoint(&before));
        sandbox.terraform.plan().plans_nothing();
    }

    // What cannot work is said at the plan, where it is a warning, and refused at the attribute.
    let asleep = "{ service = { service_type = \"NodePort\" }, deployment = { replicas = 0 } }";
    sandbox.configure(&[&tenant.with("control_plane", asleep).hcl(), &action("restart", "")]);
    sandbox.terraform.apply().succeeds();
    let outcome = invoke(&sandbox, "restart");
    let warning = outcome.warnings().into_iter().find(|it| it.summary == "Action cannot be carried out now");
    assert!(warning.is_some_and(|it| it.line().contains("tenant_control_plane_id")), "{outcome}");
    refused(outcome, "Control plane sleeps");
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_paused_tenant_is_left_alone_and_catches_up() {
    let sandbox = Sandbox::new("pause");
    if !sandbox.terraform.knows_for(Feature::Actions, "kamaji_pause, kamaji_resume") {
        return;
    }
    let (pause, resume) = (action("pause", "reason = \"a test\""), action("resume", ""));
    let tenant = sandbox.tenant();
    sandbox.configure(&[&tenant.hcl(), &pause, &resume]);
    sandbox.terraform.apply().succeeds();
    if !sandbox.cluster.declares_for(SLEEPING, "pauses") {
        for kind in ["pause", "resume"] {
            refused(invoke(&sandbox, kind), "Kamaji cannot pause");
        }
        return;
    }
    told(&invoke(&sandbox, "pause").succeeds(), &["is paused at generation"]);
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("a tenant");
    assert_eq!(live["metadata"]["annotations"]["kamaji.clastix.io/paused"], "a test");
    sandbox.terraform.plan().plans_nothing();
    told(&invoke(&sandbox, "pause").succeeds(), &["is paused already"]);

    // A change is not waited for.
    let wider = tenant.cert_sans(&["blue.example.com"]);
    sandbox.configure(&[&wider.hcl(), &pause, &resume]);
    sandbox.terraform.apply().errors();
    told(&invoke(&sandbox, "resume").succeeds(), &["is not paused any more", "Kamaji has caught up"]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();

    // A pause that is declared would come back.
    sandbox.configure(&[
        &wider.clone().with("annotations", "{ \"kamaji.clastix.io/paused\" = \"\" }").hcl(),
        &pause,
        &resume,
    ]);
    let _ = sandbox.terraform.apply();
    refused(invoke(&sandbox, "resume"), "Pause is declared");
    sandbox.configure(&[&wider.hcl(), &pause, &resume]);
    let _ = sandbox.terraform.apply();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_node_is_drained_within_its_budgets_and_stays() {
    let sandbox = Sandbox::new("drain-action");
    if !sandbox.terraform.knows_for(Feature::Actions, "kamaji_drain_node")
        || !sandbox.cluster.is_local_for("machines that join")
    {
        return;
    }
    let in_tenant = |arguments: &[&str]| sandbox.cluster.in_tenant(&sandbox.namespace, arguments);
    let tenant = sandbox.tenant().version("v1.30.2");
    let join = "resource \"kamaji_worker_join\" \"pool\" {\n  tenant_control_plane_id = \
                kamaji_tenant_control_plane.blue.id\n  ttl = \"1h\"\n}\n";
    sandbox.configure(&[&tenant.hcl(), join]);
    sandbox.terraform.apply().succeeds();
    let data = sandbox.terraform.resource("kamaji_worker_join.pool")["values"]["user_data"]["shell"].clone();
    let machine = Machine::boot(&sandbox, "one", data.as_str().expect("rendered"));
    machine.ready_node(&sandbox);
    let labels = json!({ "app": "kept" });
    let pod = json!({ "terminationGracePeriodSeconds": 1,
        "containers": [{ "name": "pause", "image": "registry.k8s.io/pause:3.9" }] });
    let items = json!([
        { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "kept" }, "spec": { "replicas": 1,
            "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels }, "spec": pod } } },
        { "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "always-one" },
            "spec": { "minAvailable": 1, "selector": { "matchLabels": labels } } },
    ]);
    let manifest = sandbox.terraform.path().join("kept.json");
    std::fs::write(&manifest, json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string())
        .expect("written");
    in_tenant(&["create", "-f", &manifest.to_string_lossy()]);
    wait_for("the budget knows its pod", Duration::from_secs(120), || {
        (in_tenant(&["get", "pdb", "always-one", "-o", "jsonpath={.status.currentHealthy}"]) == "1").then_some(())
    });

    let drain = |name: &str, more: &str| {
        let names = format!("node_names = [{name:?}]\n    {more}");
        sandbox.configure(&[&tenant.hcl(), join, &action("drain_node", &names)]);
        invoke(&sandbox, "drain_node")
    };
    let said = refused(drain("nobody", ""), "Node does not exist");
    assert!(said.contains(&machine.name), "{said}");
    let late = drain(&machine.name, "timeouts = { invoke = \"15s\" }");
    told(&late, &["is cordoned", "1 pods are left to go", "a PodDisruptionBudget delays the drain"]);
    refused(late, "Node not drained in time");
    in_tenant(&["delete", "pdb", "always-one"]);
    told(&drain(&machine.name, "").succeeds(), &["is drained", "no pod that had to go is left"]);
    let node = ["get", "node", &machine.name, "-o", "jsonpath={.spec.unschedulable}"];
    assert_eq!(in_tenant(&node), "true");
    let place = ["get", "pods", "-l", "app=kept", "-o", "jsonpath={.items[*].spec.nodeName}"];
    assert_eq!(in_tenant(&place), "");
    told(&drain(&machine.name, "delete_nodes = true").succeeds(), &["is deleted"]);
    told(&drain(&machine.name, "delete_nodes = true").succeeds(), &["is gone already"]);
    drop(machine);
    sandbox.configure(&[&tenant.hcl(), join]);
    sandbox.terraform.destroy().succeeds();
}

/// The certificates of the tenant's Secrets: SHA-256 of each value that is or has one.
fn certificates(sandbox: &Sandbox) -> std::collections::BTreeMap<String, String> {
    let get = ["get", "secrets", "-n", &sandbox.namespace, "-l", "kamaji.clastix.io/name=blue", "-o", "json"];
    let all: Json = serde_json::from_str(&sandbox.cluster.kubectl_run(&get)).expect("JSON");
    let mut found = std::collections::BTreeMap::new();
    for secret in all["items"].as_array().expect("a list") {
        let name = secret["metadata"]["name"].as_str().expect("a name");
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            if key.ends_with(".crt") || key.ends_with(".conf") || key.ends_with(".svc") {
                found.insert(format!("{name}/{key}"), value.as_str().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

#[test]
fn certificates_and_a_new_ca_are_followed_to_the_end() {
    let sandbox = Sandbox::new("rotate");
    if !sandbox.terraform.knows_for(Feature::Actions, "kamaji_rotate_certificates") {
        return;
    }
    let tenant = sandbox.tenant();
    sandbox.configure(&[&tenant.hcl(), &action("rotate_certificates", "")]);
    sandbox.terraform.apply().succeeds();
    let (before, pods_before) = (certificates(&sandbox), pods(&sandbox));
    let old =
        sandbox.cluster.secret(&sandbox.namespace, "blue-admin-kubeconfig", "super-admin.conf").expect("a kubeconfig");
    let rotated = invoke(&sandbox, "rotate_certificates").succeeds();
    told(&rotated, &["Secrets are issued anew", "admits super-admin.conf", "blue-api-server-certificate, valid until"]);
    let after = certificates(&sandbox);
    let stays =
        |name: &str| name.starts_with("blue-ca/") || name.contains("front-proxy-ca") || name.contains("datastore");
    for (name, value) in &before {
        assert_eq!(after.get(name) == Some(value), stays(name), "{name}");
    }
    assert!(pods(&sandbox).is_disjoint(&pods_before));
    let works =
        |kubeconfig: &[u8]| sandbox.cluster.with_kubeconfig(kubeconfig, &["get", "namespaces"]).status.success();
    assert!(works(&old), "a certificate of the same CA is not revoked");
    sandbox.terraform.plan().plans_nothing();

    sandbox.configure(&[&tenant.hcl(), &action("rotate_certificates", "rotate = [\"ca\"]")]);
    let rotated = invoke(&sandbox, "rotate_certificates").succeeds();
    told(&rotated, &["The new CA is there: pin sha256:", "admits super-admin.conf", "cluster-info names the new CA"]);
    let said: String = rotated.warnings().into_iter().map(|it| format!("{}: {}\n", it.summary, it.detail)).collect();
    for summary in ["New CA cuts off nodes and kubeconfigs", "Nodes and kubeconfigs have the old CA"] {
        assert!(said.contains(summary), "{said}");
    }
    let last = certificates(&sandbox);
    for (name, value) in &after {
        let stays = name.contains("front-proxy-ca") || name.contains("datastore");
        assert_eq!(last.get(name) == Some(value), stays, "{name}");
    }
    for key in ["admin.conf", "super-admin.conf"] {
        let new = sandbox.cluster.secret(&sandbox.namespace, "blue-admin-kubeconfig", key).expect("a kubeconfig");
        wait_for(&format!("{key} works"), Duration::from_secs(60), || works(&new).then_some(()));
    }
    assert!(!works(&old), "the old CA is not trusted any more");
    let info = ["get", "configmap", "cluster-info", "-n", "kube-public", "-o", "jsonpath={.data.kubeconfig}"];
    let ca = &last["blue-ca/ca.crt"];
    assert!(sandbox.cluster.in_tenant(&sandbox.namespace, &info).contains(ca.as_str()), "machines find the new CA");
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}
