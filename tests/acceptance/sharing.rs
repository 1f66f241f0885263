//! Objects that several managers share: who owns what, and what the provider block gives to all.

use serde_json::{Value as Json, json};

use crate::harness::Sandbox;
use crate::harness::configuration::BLUE;
use crate::harness::sandbox::provider;

const TENANT: &str = "tenantcontrolplanes.kamaji.clastix.io/blue";

/// Our entry in the managedFields.
fn ours(live: &Json) -> Json {
    let entries = live["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let ours =
        entries.into_iter().find(|it| it["manager"] == "terraform-provider-kamaji" && it["operation"] == "Apply");
    ours.unwrap_or_default()["fieldsV1"].clone()
}

fn live(sandbox: &Sandbox) -> Json {
    let arguments = ["get", TENANT, "-n", &sandbox.namespace, "--show-managed-fields", "-o", "json"];
    serde_json::from_str(&sandbox.cluster.kubectl_run(&arguments)).expect("JSON")
}

#[test]
fn a_field_that_another_manager_declares_is_the_users_decision() {
    let sandbox = Sandbox::new("conflict");
    let tenant = sandbox.tenant().with("labels", "{ team = \"a\" }");
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.apply().succeeds();
    let theirs = json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "blue", "namespace": sandbox.namespace, "labels": {"team": "gitops"}}});
    sandbox.terraform.write("theirs.json", &theirs.to_string());
    let file = sandbox.terraform.path().join("theirs.json");
    let file = file.to_string_lossy();
    let declare = ["apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", &file];
    sandbox.cluster.kubectl_run(&declare);

    for refused in [sandbox.terraform.plan(), sandbox.terraform.apply()] {
        let error = refused.error();
        assert_eq!(error.summary, "Field owned by another manager");
        for part in
            ["gitops", "server-side apply", "force_conflicts = true", "remove the attribute", "configure the value"]
        {
            assert!(error.detail.contains(part), "{part} is missing in {}", error.detail);
        }
        assert!(error.line().contains("labels"), "{error:?}");
    }
    assert_eq!(live(&sandbox)["metadata"]["labels"]["team"], "gitops");

    sandbox.configure(&[&tenant.clone().with("force_conflicts", "true").hcl()]);
    sandbox.terraform.apply().succeeds();
    assert_eq!(live(&sandbox)["metadata"]["labels"]["team"], "a");
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn replicas_of_an_autoscaler_are_not_claimed_under_ignore_changes() {
    let sandbox = Sandbox::new("autoscaler");
    let ignoring = |labels: &str| {
        let block = sandbox.tenant().with("labels", labels).hcl();
        let ignore = "  lifecycle {\n    ignore_changes = [control_plane.deployment.replicas]\n  }\n}\n";
        format!("{}{ignore}", block.strip_suffix("}\n").expect("a block"))
    };
    sandbox.configure(&[&ignoring("{ team = \"a\" }")]);
    sandbox.terraform.apply().succeeds();
    sandbox.cluster.kubectl_run(&["scale", TENANT, "--replicas=2", "-n", &sandbox.namespace]);
    sandbox.terraform.plan().plans_nothing();

    sandbox.configure(&[&ignoring("{ team = \"b\" }")]);
    sandbox.terraform.apply().succeeds();
    let live = live(&sandbox);
    assert_eq!(live["metadata"]["labels"]["team"], "b");
    assert_eq!(live["spec"]["controlPlane"]["deployment"]["replicas"], 2);
    let claimed = ours(&live)["f:spec"]["f:controlPlane"]["f:deployment"]["f:replicas"].clone();
    assert_eq!(claimed, Json::Null, "replicas belong to the autoscaler");
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn defaults_of_the_provider_are_on_every_object_and_change_in_place() {
    let sandbox = Sandbox::new("defaults");
    let kubeconfig = sandbox.cluster.kubeconfig().to_owned();
    let configure = |settings: &str| {
        let provider = provider(&format!("config_path = {kubeconfig:?}\n  {settings}"));
        let tenant = sandbox.tenant().with("labels", "{ team = \"a\", cost = null }");
        sandbox.terraform.configure(&[provider.as_str(), &tenant.hcl()].join("\n"));
    };
    configure("default_labels = { team = \"all\", site = \"x\", cost = \"1\" }");
    sandbox.terraform.apply().succeeds();
    assert_eq!(live(&sandbox)["metadata"]["labels"], json!({"team": "a", "site": "x"}));
    assert_eq!(sandbox.terraform.resource(BLUE)["values"]["labels_all"], json!({"team": "a", "site": "x"}));
    sandbox.terraform.plan().plans_nothing();

    // Drift of a default is repaired like that of a label of one's own.
    sandbox.cluster.kubectl_run(&["label", TENANT, "site=y", "--overwrite", "-n", &sandbox.namespace]);
    let plan = sandbox.terraform.plan().has_changes();
    assert!(plan.warnings().iter().any(|it| it.detail.contains("kubectl-label")), "{plan}");
    sandbox.terraform.apply().succeeds();
    assert_eq!(live(&sandbox)["metadata"]["labels"]["site"], "x");

    configure("default_labels = { site = \"z\" }");
    sandbox.terraform.plan().has_changes();
    let change = sandbox.terraform.planned()["resource_changes"][0]["change"].clone();
    assert_eq!(change["actions"], json!(["update"]));
    assert_eq!(change["after"]["labels_all"], json!({"team": "a", "site": "z"}), "known at plan");
    sandbox.terraform.apply_plan().succeeds();
    assert_eq!(live(&sandbox)["metadata"]["labels"], json!({"team": "a", "site": "z"}));
    sandbox.terraform.plan().plans_nothing();

    // Ignored from now on: it stays, whatever happens to it.
    configure("ignore_labels = [\"^si\"]");
    sandbox.cluster.kubectl_run(&["label", TENANT, "site=theirs", "--overwrite", "-n", &sandbox.namespace]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    assert_eq!(live(&sandbox)["metadata"]["labels"], json!({"team": "a", "site": "theirs"}));
    sandbox.terraform.destroy().succeeds();
}
