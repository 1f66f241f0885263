//! Import: what exists is taken over as it is, and can then be changed.

use serde_json::json;

use crate::harness::Sandbox;
use crate::harness::configuration::BLUE;

/// An import block for the sandbox's tenant.
fn import(sandbox: &Sandbox) -> String {
    format!("import {{\n  to = {BLUE}\n  id = \"{}/blue\"\n}}\n", sandbox.namespace)
}

#[test]
fn a_tenant_imported_without_provider_settings_plans_empty() {
    let sandbox = Sandbox::new("import");
    let tenant = sandbox.tenant().with("labels", "{ team = \"a\" }").without("deletion_protection");
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.apply().succeeds();

    sandbox.terraform.run(&["state", "rm", BLUE]).succeeds();
    sandbox.terraform.run(&["import", "-no-color", BLUE, &format!("{}/blue", sandbox.namespace)]).succeeds();
    sandbox.terraform.plan().plans_nothing();

    // What is imported is protected like what is made.
    assert_eq!(sandbox.terraform.destroy().error().summary, "Protected against deletion");
    sandbox.configure(&[&tenant.with("deletion_protection", "false").hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_tenant_of_kubectl_is_imported_upgraded_and_stripped_of_names_without_force() {
    let sandbox = Sandbox::new("kubectl");
    let mut manifest = sandbox.tenant_manifest("v1.29.3", "default");
    manifest["metadata"]["labels"] = json!({ "made-by": "kubectl" });
    manifest["spec"]["networkProfile"]["certSANs"] = json!(["old.example.com"]);
    sandbox.cluster.apply(&manifest);
    sandbox.wait_for_tenant("ready", |live| live["status"]["kubernetesResources"]["version"]["status"] == "Ready");

    let kubernetes = |version: &str| format!("{{ version = {version:?}, kubelet = {{ cgroupfs = \"systemd\" }} }}");
    let adopted = sandbox
        .tenant()
        .with("labels", "{ made-by = \"kubectl\" }")
        .with("kubernetes", &kubernetes("v1.29.3"))
        .cert_sans(&["old.example.com"]);
    sandbox.configure(&[&import(&sandbox), &adopted.hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();

    let changed =
        sandbox.tenant().with("labels", "{ made-by = \"kubectl\" }").with("kubernetes", &kubernetes("v1.30.0"));
    sandbox.configure(&[&changed.hcl()]);
    sandbox.terraform.apply().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(live["spec"]["kubernetes"]["version"], "v1.30.0");
    assert_eq!(live["spec"]["networkProfile"].get("certSANs"), None);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn creating_over_an_existing_tenant_is_refused_with_the_import_command() {
    let sandbox = Sandbox::new("foreign");
    sandbox.cluster.apply(&sandbox.tenant_manifest("v1.30.0", "default"));
    let made = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    for refused in [sandbox.terraform.plan(), sandbox.terraform.apply()] {
        let error = refused.error();
        assert_eq!(error.summary, "Object exists already");
        assert!(error.detail.contains(&format!("terraform import {BLUE}").replace("blue", "")), "{}", error.detail);
        assert!(error.detail.contains(&format!("{}/blue", sandbox.namespace)), "{}", error.detail);
        assert!(error.line().contains("name"), "{error:?}");
    }
    let still = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("still there");
    assert_eq!(still["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(still["metadata"]["labels"], made["metadata"]["labels"]);

    // Also when it appears only after the plan.
    let tenant = "tenantcontrolplanes.kamaji.clastix.io/blue";
    sandbox.cluster.kubectl_run(&["delete", tenant, "-n", &sandbox.namespace, "--timeout=60s"]);
    sandbox.terraform.plan().has_changes();
    sandbox.cluster.apply(&sandbox.tenant_manifest("v1.30.0", "default"));
    assert_eq!(sandbox.terraform.apply_plan().error().summary, "Object exists already");
}
