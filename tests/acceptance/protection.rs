//! Deletion protection: no plan deletes or replaces a control plane unless the configuration allows it.

use crate::harness::Sandbox;
use crate::harness::configuration::BLUE;

#[test]
fn a_protected_tenant_is_neither_destroyed_nor_replaced() {
    let sandbox = Sandbox::new("protected");
    let tenant = sandbox.tenant().without("deletion_protection");
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.apply().succeeds();
    let made = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("made");

    let replace = format!("-replace={BLUE}");
    let refused = [
        sandbox.terraform.destroy(),
        sandbox.terraform.run(&["apply", "-json", "-auto-approve", &replace]),
        sandbox.terraform.plan_with(&["-destroy"]),
        sandbox.terraform.plan_with(&[&replace]),
    ];
    for outcome in refused {
        let error = outcome.error();
        assert_eq!(error.summary, "Protected against deletion");
        assert!(error.detail.contains("deletion_protection = false"), "{}", error.detail);
    }
    // A change that needs a replacement is one, and leaving the resource out of the configuration is a delete.
    let network = format!(
        "{{ address = {:?}, port = {}, cluster_domain = \"other.local\" }}",
        sandbox.cluster.node_address(),
        sandbox.port
    );
    sandbox.configure(&[&tenant.clone().with("network_profile", &network).hcl()]);
    assert_eq!(sandbox.terraform.apply().error().summary, "Protected against deletion");
    sandbox.configure(&[]);
    assert_eq!(sandbox.terraform.apply().error().summary, "Protected against deletion");
    let still = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("still there");
    assert_eq!(still["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(still["metadata"].get("deletionTimestamp"), None);

    let free = tenant.with("deletion_protection", "false");
    sandbox.configure(&[&free.hcl()]);
    sandbox.terraform.apply().succeeds();
    // A change that needs a new object says what that costs, and says it once.
    sandbox.configure(&[&free.clone().with("network_profile", &network).hcl()]);
    let plan = sandbox.terraform.plan().has_changes();
    let costs = plan.warnings().into_iter().filter(|it| it.summary == "The object will be replaced");
    let costs: Vec<_> = costs.map(|cost| cost.detail).collect();
    assert_eq!(costs.len(), 1, "{plan}");
    assert!(costs[0].contains("Lost with it: everything in the tenant, its data in the DataStore default"), "{plan}");
    sandbox.configure(&[&free.hcl()]);
    sandbox.terraform.run(&["apply", "-json", "-auto-approve", &replace]).succeeds();
    let replaced = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("made anew");
    assert_ne!(replaced["metadata"]["uid"], made["metadata"]["uid"]);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
}

#[test]
fn what_never_became_ready_can_be_destroyed_although_protected() {
    let sandbox = Sandbox::new("unready");
    let tenant = sandbox.tenant().that_gets_stuck().without("deletion_protection");
    sandbox.configure(&[&tenant.with("timeouts", "{ create = \"10s\" }").hcl()]);
    let error = sandbox.terraform.apply().error();
    assert_eq!(error.summary, "Control plane not ready in time");
    assert!(sandbox.cluster.tenant(&sandbox.namespace, "blue").is_some());
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
}
