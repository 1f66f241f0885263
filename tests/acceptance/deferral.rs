//! A management cluster that is not known before the apply: what the plan says, with and without deferrals.

use serde_json::{Value as Json, json};

use crate::harness::configuration::BLUE;
use crate::harness::sandbox::provider;
use crate::harness::terraform::change;
use crate::harness::{Sandbox, left_out};

/// A provider block that hangs on something which the first apply makes, and a tenant that costs nothing.
fn configure(sandbox: &Sandbox, more: &str) {
    let made =
        format!("resource \"terraform_data\" \"cluster\" {{\n  input = {:?}\n}}\n", sandbox.cluster.kubeconfig());
    let asleep = "{ service = { service_type = \"NodePort\" }, deployment = { replicas = 0 } }";
    let tenant = sandbox.tenant().with("control_plane", asleep).with("wait_for", "\"accepted\"").hcl();
    let block = provider("config_path = terraform_data.cluster.output");
    sandbox.terraform.configure(&[block.as_str(), &made, &tenant, more].join("\n"));
}

#[test]
fn what_the_provider_block_hangs_on_is_made_in_the_same_apply() {
    let sandbox = Sandbox::new("unknown");
    configure(&sandbox, "");
    let plan = sandbox.terraform.plan().has_changes();
    assert!(plan.warnings().is_empty(), "{plan}");
    assert_eq!(change(&sandbox.terraform.planned(), BLUE)["actions"], json!(["create"]));
    sandbox.terraform.apply().succeeds();
    assert!(sandbox.cluster.tenant(&sandbox.namespace, "blue").is_some());
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

/// What the data source and the output of the second plan hang on exists after the first apply only.
const MORE: &str = r#"
data "kamaji_datastores" "all" {}

output "id" {
  value = kamaji_tenant_control_plane.blue.id
}
"#;

#[test]
fn everything_waits_for_the_next_plan_where_terraform_takes_deferrals() {
    let sandbox = Sandbox::new("deferral");
    configure(&sandbox, MORE);
    let plan = sandbox.terraform.plan_with(&["-allow-deferral"]);
    if plan.code == 1 && plan.stdout.contains("-allow-deferral") {
        left_out("since only builds of Terraform with experiments have `-allow-deferral`: deferred changes");
        return;
    }
    plan.has_changes();
    let planned = sandbox.terraform.planned();
    let all = "data.kamaji_datastores.all";
    assert_eq!(deferred(&planned), [(all, &json!(["read"])), (BLUE, &json!(["create"]))]);
    let changes = planned["resource_changes"].as_array().expect("changes");
    assert!(changes.iter().all(|change| change["address"] == "terraform_data.cluster"), "{changes:#?}");
    sandbox.terraform.apply_plan().succeeds();
    assert!(sandbox.cluster.tenant(&sandbox.namespace, "blue").is_none(), "it waits for the next plan");

    sandbox.terraform.plan_with(&["-allow-deferral"]).has_changes();
    let planned = sandbox.terraform.planned();
    assert_eq!(deferred(&planned), []);
    assert_eq!(change(&planned, BLUE)["actions"], json!(["create"]));
    sandbox.terraform.apply_plan().succeeds();
    assert!(sandbox.cluster.tenant(&sandbox.namespace, "blue").is_some());

    // What exists is neither refreshed nor changed while nobody knows where it is.
    let options = ["-allow-deferral", "-replace=terraform_data.cluster"];
    let plan = sandbox.terraform.plan_with(&options).has_changes();
    assert!(plan.warnings().is_empty(), "{plan}");
    assert_eq!(deferred(&sandbox.terraform.planned()), [(all, &json!(["read"])), (BLUE, &json!(["no-op"]))]);
    sandbox.terraform.apply_plan().succeeds();
    // The output that hung on it comes back.
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

/// What a plan puts off for want of the provider block: addresses and what would be done.
fn deferred(planned: &Json) -> Vec<(&str, &Json)> {
    let all = planned["deferred_changes"].as_array().into_iter().flatten();
    all.map(|deferred| {
        assert_eq!(deferred["reason"], "provider_config_unknown");
        let what = &deferred["resource_change"];
        (what["address"].as_str().expect("an address"), &what["change"]["actions"])
    })
    .collect()
}
