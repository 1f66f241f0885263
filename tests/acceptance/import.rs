//! Import: what exists is taken over as it is, and can then be changed.

use serde_json::json;

use crate::harness::configuration::BLUE;
use crate::harness::sandbox::provider;
use crate::harness::{Feature, Sandbox};

/// An import block for the sandbox's tenant.
fn import(sandbox: &Sandbox) -> String {
    format!("import {{\n  to = {BLUE}\n  id = \"{}/blue\"\n}}\n", sandbox.namespace)
}

/// The same by identity, for the releases of Terraform and OpenTofu that know it: 1.12 and later.
fn import_by_identity(sandbox: &Sandbox) -> String {
    if !sandbox.terraform.knows_for(Feature::IdentityImport, "imports by the id instead") {
        return import(sandbox);
    }
    format!("import {{\n  to = {BLUE}\n  identity = {{ namespace = {:?}, name = \"blue\" }}\n}}\n", sandbox.namespace)
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
    sandbox.delete_tenant();
    sandbox.terraform.plan().has_changes();
    sandbox.cluster.apply(&sandbox.tenant_manifest("v1.30.0", "default"));
    assert_eq!(sandbox.terraform.apply_plan().error().summary, "Object exists already");
}

#[test]
fn a_generated_configuration_plans_empty() {
    let sandbox = Sandbox::new("generated");
    let mut manifest = sandbox.tenant_manifest("v1.30.0", "default");
    manifest["metadata"]["labels"] = json!({ "team": "a", "site": "x" });
    manifest["spec"]["addons"] = json!({ "coreDNS": {}, "kubeProxy": {} });
    manifest["spec"]["controlPlane"]["deployment"]["extraArgs"] = json!({ "apiServer": ["--v=2"] });
    sandbox.cluster.apply(&manifest);
    sandbox.wait_for_tenant("ready", |live| live["status"]["kubernetesResources"]["version"]["status"] == "Ready");

    let kubeconfig = sandbox.cluster.kubeconfig();
    let provider = provider(&format!("config_path = {kubeconfig:?}\n  default_labels = {{ site = \"x\" }}"));
    sandbox.terraform.configure(&[provider.as_str(), &import_by_identity(&sandbox)].join("\n"));
    sandbox.terraform.plan_with(&["-generate-config-out=generated.tf"]).has_changes();
    let planned = sandbox.terraform.planned();
    assert_eq!(planned["resource_changes"][0]["change"]["actions"], json!(["no-op"]), "only an import");
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let labels = &sandbox.terraform.resource(BLUE)["values"];
    assert_eq!((&labels["labels"], &labels["labels_all"]), (&json!({"team": "a"}), &json!({"team": "a", "site": "x"})));

    // What is generated is protected by default.
    let generated = std::fs::read_to_string(sandbox.terraform.path().join("generated.tf")).expect("written");
    let free = generated.lines().map(|line| match line.trim_start().starts_with("deletion_protection") {
        true => "  deletion_protection = false",
        false => line,
    });
    assert!(generated.contains("deletion_protection"), "{generated}");
    sandbox.terraform.write("generated.tf", &free.collect::<Vec<_>>().join("\n"));
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_create_that_may_adopt_takes_over_a_running_tenant() {
    let sandbox = Sandbox::new("adopt");
    let mut manifest = sandbox.tenant_manifest("v1.30.0", "default");
    manifest["metadata"]["labels"] = json!({ "made-by": "kubectl" });
    sandbox.cluster.apply(&manifest);
    let made =
        sandbox.wait_for_tenant("ready", |live| live["status"]["kubernetesResources"]["version"]["status"] == "Ready");

    let adopting = sandbox.tenant().with("adopt_existing", "true").with("labels", "{ made-by = \"terraform\" }");
    sandbox.configure(&[&adopting.hcl()]);
    let plan = sandbox.terraform.plan().has_changes();
    assert!(plan.warnings().iter().any(|it| it.summary == "Existing object will be adopted"), "{plan}");
    sandbox.terraform.apply().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(live["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(live["metadata"]["labels"]["made-by"], "terraform");
    sandbox.terraform.plan().plans_nothing();

    // It is ours: what is dropped from the configuration goes.
    sandbox.configure(&[&adopting.without("labels").hcl()]);
    sandbox.terraform.apply().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(live["metadata"]["labels"].get("made-by"), None);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

#[test]
fn another_name_in_the_configuration_is_no_change() {
    let sandbox = Sandbox::new("renamed");
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    let renamed = sandbox.tenant().hcl().replace("\"blue\" {", "\"green\" {");
    let green = "kamaji_tenant_control_plane.green";
    sandbox.configure(&[&renamed, &format!("moved {{\n  from = {BLUE}\n  to = {green}\n}}\n")]);
    sandbox.terraform.plan();
    let planned = sandbox.terraform.planned();
    let changes = planned["resource_changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((&changes[0]["address"], &changes[0]["previous_address"]), (&json!(green), &json!(BLUE)));
    assert_eq!(changes[0]["change"]["actions"], json!(["no-op"]));
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}
