//! Attributes that come and go on a running tenant: nothing is replaced, and what Kamaji does with them is undone.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::configuration::BLUE;
use crate::harness::{Sandbox, Tenant, wait_for};

/// What the plan does with the tenant.
fn actions(sandbox: &Sandbox) -> Json {
    let planned = sandbox.terraform.planned();
    let change = planned["resource_changes"].as_array().into_iter().flatten().find(|change| change["address"] == BLUE);
    change.map(|change| change["change"]["actions"].clone()).unwrap_or_default()
}

/// Applies a change of the tenant that must happen in place, and checks that nothing is left to do.
#[track_caller]
fn changes_in_place(sandbox: &Sandbox, tenant: &Tenant) {
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.plan().succeeds();
    let actions = actions(sandbox);
    assert!(actions == json!(["update"]) || actions == json!(["no-op"]), "{actions}");
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();
}

/// Networks as the server has them.
fn networks(sandbox: &Sandbox) -> Json {
    let profile = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there")["spec"]["networkProfile"].clone();
    ["serviceCidr", "serviceCidrs", "podCidr", "podCidrs", "dnsServiceIPs"].map(|name| profile[name].clone()).into()
}

#[test]
fn the_network_profile_comes_and_goes_without_a_replacement() {
    let sandbox = Sandbox::new("network-profile");
    if !sandbox.cluster.is_local_for("a tenant behind a load balancer") {
        return;
    }
    let service = "{ service = { service_type = \"LoadBalancer\" }, deployment = { replicas = 1 } }";
    let bare = sandbox.tenant().with("control_plane", service).without("network_profile");
    sandbox.configure(&[&bare.hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let before = networks(&sandbox);
    let tenant = sandbox.terraform.resource(BLUE);
    let pods = &tenant["values"]["effective"]["pod_cidrs"][0];
    let added = format!("{{ pod_cidr = {pods}, cert_sans = [\"blue.example.com\"] }}");
    for profile in [added.as_str(), "{ cert_sans = [\"blue.example.com\"] }", "{}"] {
        changes_in_place(&sandbox, &bare.clone().with("network_profile", profile));
        assert_eq!(networks(&sandbox), before, "after {profile}");
    }
    changes_in_place(&sandbox, &bare);
    assert_eq!(networks(&sandbox), before);
    let now = sandbox.terraform.resource(BLUE);
    assert_eq!(now["values"]["uid"], tenant["values"]["uid"]);
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn addons_are_there_while_they_are_configured() {
    let sandbox = Sandbox::new("addons");
    let tenant = |addons: &str| sandbox.tenant().with("addons", addons);
    sandbox.configure(&[&tenant("{ core_dns = {}, kube_proxy = {} }").hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let is_there = |kind: &str, name: &str| {
        let found = ["get", kind, "-n", "kube-system", name, "--ignore-not-found", "-o", "name"];
        !sandbox.cluster.in_tenant(&sandbox.namespace, &found).trim().is_empty()
    };
    let within = Duration::from_secs(60);
    wait_for("CoreDNS is there", within, || is_there("deployment", "coredns").then_some(()));
    wait_for("kube-proxy is there", within, || is_there("daemonset", "kube-proxy").then_some(()));

    changes_in_place(&sandbox, &tenant("{ kube_proxy = {} }"));
    wait_for("CoreDNS is gone", within, || (!is_there("deployment", "coredns")).then_some(()));

    // Somebody removes an addon: the plan shows it, and the apply brings it back.
    let remove = r#"[{"op": "remove", "path": "/spec/addons/kubeProxy"}]"#;
    let object = "tenantcontrolplanes.kamaji.clastix.io/blue";
    sandbox.cluster.kubectl_run(&["patch", object, "-n", &sandbox.namespace, "--type=json", "-p", remove]);
    let plan = sandbox.terraform.plan().has_changes();
    assert!(plan.warnings().iter().any(|warning| warning.detail.contains("addons.kube_proxy")), "{plan}");
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();
    wait_for("kube-proxy is back", within, || is_there("daemonset", "kube-proxy").then_some(()));

    changes_in_place(&sandbox, &sandbox.tenant());
    wait_for("kube-proxy is gone", within, || (!is_there("daemonset", "kube-proxy")).then_some(()));
    sandbox.terraform.destroy().succeeds();
}
