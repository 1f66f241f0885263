//! Changes that take more than one write or an eye on what is lost: upgrades over several minor versions, sleep, orphans.

use std::time::Duration;

use serde_json::Value as Json;

use crate::harness::cluster::SLEEPING;
use crate::harness::configuration::BLUE;
use crate::harness::{Sandbox, wait_for};

fn installed(live: &Json) -> &Json {
    &live["status"]["kubernetesResources"]["version"]["version"]
}

#[test]
fn two_minor_versions_are_one_apply_if_the_user_wants_it() {
    let sandbox = Sandbox::new("two-minors");
    sandbox.configure(&[&sandbox.tenant().version("v1.28.3").hcl()]);
    sandbox.terraform.apply().succeeds();

    let target = sandbox.tenant().version("v1.30.0");
    sandbox.configure(&[&target.hcl()]);
    let error = sandbox.terraform.plan().error();
    assert_eq!(error.summary, "Kubernetes upgrade skips a minor version");
    for way in ["upgrade_policy = \"sequential\"", "version = \"v1.29.0\""] {
        assert!(error.detail.contains(way), "{}", error.detail);
    }

    let target = target.with("upgrade_policy", "\"sequential\"").with("upgrade_steps", "[\"v1.29.3\"]");
    sandbox.configure(&[&target.hcl()]);
    let plan = sandbox.terraform.plan().has_changes();
    let steps = plan.warnings().into_iter().find(|warning| warning.summary == "Upgrade in 2 steps");
    assert!(steps.is_some_and(|steps| steps.detail.contains("v1.28.3 -> v1.29.3 -> v1.30.0")), "{plan}");

    let apply = sandbox.terraform.spawn(&["apply", "-json", "saved.tfplan"]);
    // Kamaji notes a version as installed when it is rolled out: the one on the way was.
    sandbox.wait_for_tenant("the first step is rolled out", |live| installed(live) == "v1.29.3");
    apply.wait().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(installed(&live), "v1.30.0");
    assert_eq!(sandbox.terraform.resource(BLUE)["values"]["installed_version"], "v1.30.0");
    sandbox.terraform.plan().plans_nothing();

    // Kamaji v1.0.0 supports v1.30; every newer one more than that, but none this.
    sandbox.configure(&[&target.version("v1.99.0").hcl()]);
    let error = sandbox.terraform.plan().error();
    assert_eq!(error.summary, "Kubernetes version not supported by Kamaji");
    sandbox.configure(&[&sandbox.tenant().version("v1.30.0").hcl()]);
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn an_interrupted_upgrade_goes_on_with_the_next_apply() {
    let sandbox = Sandbox::new("half-done");
    sandbox.configure(&[&sandbox.tenant().version("v1.28.3").hcl()]);
    sandbox.terraform.apply().succeeds();
    let target = sandbox.tenant().version("v1.30.0").with("upgrade_policy", "\"sequential\"");
    sandbox.configure(&[&target.hcl()]);
    let apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    sandbox.wait_for_tenant("the first step is asked for", |live| live["spec"]["kubernetes"]["version"] == "v1.29.0");
    wait_for("the provider waits", Duration::from_secs(20), || apply.log().contains("not ready yet").then_some(()));
    let error = apply.interrupted().errors().into_iter().find(|error| error.summary == "Interrupted while waiting");
    assert!(error.is_some_and(|error| error.detail.contains("step 1 of 2")));
    let tenant = sandbox.terraform.resource(BLUE);
    assert_eq!(tenant["values"]["kubernetes"]["version"], "v1.29.0");
    assert_ne!(tenant["tainted"], true);

    sandbox.terraform.plan().has_changes();
    sandbox.terraform.apply_plan().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(installed(&live), "v1.30.0");
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_tenant_sleeps_and_wakes() {
    let sandbox = Sandbox::new("sleep");
    let control_plane = |replicas: u8| {
        format!("{{ service = {{ service_type = \"NodePort\" }}, deployment = {{ replicas = {replicas} }} }}")
    };
    let ready = |count: i64| {
        let deployment = sandbox.cluster.get("deployment", &sandbox.namespace, "blue").expect("there");
        deployment["status"]["readyReplicas"].as_i64().unwrap_or_default() == count
    };
    let has_a_word = sandbox.cluster.declares_for(SLEEPING, "a status of its own for a tenant that sleeps");
    // A level that asks the tenant's API, which a sleeping one does not have.
    let tenant = sandbox.tenant().with("wait_for", "\"reachable\"");
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.apply().succeeds();
    for replicas in [0, 1] {
        sandbox.configure(&[&tenant.clone().with("control_plane", &control_plane(replicas)).hcl()]);
        sandbox.terraform.apply().succeeds();
        assert!(ready(replicas.into()), "{replicas} replicas");
        sandbox.terraform.plan().plans_nothing();
        let status = sandbox.terraform.resource(BLUE)["values"]["status"].clone();
        assert_eq!(status, if has_a_word && replicas == 0 { "Sleeping" } else { "Ready" });
    }
    let nodes = sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "namespaces", "-o", "name"]);
    assert!(nodes.contains("namespace/kube-system"), "{nodes}");
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn an_orphan_goes_on_and_its_import_plans_nothing() {
    let sandbox = Sandbox::new("orphan");
    // Orphans need no permission: nothing is deleted.
    let tenant = sandbox.tenant().without("deletion_protection").with("on_destroy", "\"orphan\"");
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.apply().succeeds();
    let made = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("made");

    let plan = sandbox.terraform.plan_with(&["-destroy"]).has_changes();
    assert!(plan.warnings().iter().any(|warning| warning.summary == "Object stays on the cluster"), "{plan}");
    sandbox.terraform.apply_plan().succeeds();
    assert_eq!(sandbox.terraform.resource(BLUE), Json::Null);
    let left = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("left where it is");
    assert_eq!(left["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(left["metadata"]["generation"], made["metadata"]["generation"]);
    assert_eq!(left["metadata"].get("deletionTimestamp"), None);

    // What only the provider knows is not in the cluster, so the first apply after an import sets it, without a write.
    sandbox.terraform.run(&["import", BLUE, &format!("{}/blue", sandbox.namespace)]).succeeds();
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    let after = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(after["metadata"]["generation"], made["metadata"]["generation"]);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
}
