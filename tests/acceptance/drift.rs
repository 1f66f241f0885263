//! Drift: what others changed is shown, and taken back by the next apply.

use crate::harness::Sandbox;
use crate::harness::configuration::BLUE;

#[test]
fn a_label_changed_by_kubectl_is_shown_and_taken_back() {
    let sandbox = Sandbox::new("drift");
    sandbox.configure(&[&sandbox.tenant().with("labels", "{ team = \"a\" }").hcl()]);
    sandbox.terraform.apply().succeeds();
    let tenant = "tenantcontrolplanes.kamaji.clastix.io/blue";
    let namespace = ["-n", &sandbox.namespace];
    sandbox.cluster.kubectl_run(&[&["label", tenant, "team=b", "other=1", "--overwrite"][..], &namespace].concat());

    let plan = sandbox.terraform.plan().has_changes();
    let planned = sandbox.terraform.planned();
    let drift = planned["resource_drift"].as_array().cloned().unwrap_or_default();
    assert_eq!(drift.len(), 1, "{drift:?}");
    assert_eq!(drift[0]["address"], BLUE);
    assert_eq!(drift[0]["change"]["after"]["labels"]["team"], "b");
    let said = plan.warnings().iter().map(|warning| warning.detail.clone()).collect::<String>();
    assert!(said.contains("kubectl-label") && said.contains(" at 20"), "who changed it and when is named: {plan}");

    sandbox.terraform.apply().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(live["metadata"]["labels"]["team"], "a");
    assert_eq!(live["metadata"]["labels"]["other"], "1", "what others added stays");
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn what_is_not_configured_is_left_to_others() {
    let sandbox = Sandbox::new("shared");
    let control_plane = "{ service = { service_type = \"NodePort\" } }";
    sandbox.configure(&[&sandbox.tenant().with("control_plane", control_plane).hcl()]);
    sandbox.terraform.apply().succeeds();
    let scale = ["scale", "tenantcontrolplanes.kamaji.clastix.io/blue", "--replicas=1", "-n", &sandbox.namespace];
    sandbox.cluster.kubectl_run(&scale);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_tenant_deleted_outside_is_made_anew() {
    let sandbox = Sandbox::new("deleted");
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.delete_tenant();
    sandbox.terraform.plan().has_changes();
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}
