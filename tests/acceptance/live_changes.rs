//! Attributes that come and go on a running tenant: nothing is replaced, and what Kamaji does with them is undone.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::harness::cluster::{SEEN, SLEEPING};
use crate::harness::configuration::BLUE;
use crate::harness::terraform::change;
use crate::harness::{Sandbox, Tenant, wait_for};

/// Applies a change of the tenant that must happen in place, and checks that nothing is left to do.
#[track_caller]
fn changes_in_place(sandbox: &Sandbox, tenant: &Tenant) {
    sandbox.configure(&[&tenant.hcl()]);
    sandbox.terraform.plan().succeeds();
    let actions = change(&sandbox.terraform.planned(), BLUE)["actions"].clone();
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
    // Without any at first: Kamaji then has an empty object of its own there.
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    changes_in_place(&sandbox, &tenant("{ core_dns = {}, kube_proxy = {} }"));
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

#[test]
fn arguments_that_are_removed_are_gone_from_the_deployment() {
    let sandbox = Sandbox::new("arguments");
    let deployment = |more: &str| {
        let control_plane =
            format!("{{ service = {{ service_type = \"NodePort\" }}, deployment = {{ replicas = 1{more} }} }}");
        sandbox.tenant().with("control_plane", &control_plane)
    };
    let both = ", extra_args = { api_server = [\"--v=3\"], scheduler = [\"--v=4\"] }";
    sandbox.configure(&[&deployment(both).hcl()]);
    sandbox.terraform.apply().succeeds();
    let flags = || {
        let deployment = sandbox.cluster.get("deployment", &sandbox.namespace, "blue").expect("there").to_string();
        ["--v=3", "--v=4"].map(|flag| deployment.contains(&format!("{flag:?}")))
    };
    assert_eq!(flags(), [true, true]);
    changes_in_place(&sandbox, &deployment(", extra_args = { api_server = [\"--v=3\"] }"));
    assert_eq!(flags(), [true, false]);
    changes_in_place(&sandbox, &deployment(""));
    assert_eq!(flags(), [false, false]);
    sandbox.terraform.destroy().succeeds();
}

/// Kamaji has empty objects of its own where these were not configured from the beginning.
#[test]
fn labels_of_the_objects_in_the_management_cluster_come_and_go() {
    let sandbox = Sandbox::new("metadata");
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    let metadata = "additional_metadata = { labels = { team = \"a\" } }";
    let control_plane = format!(
        "{{ service = {{ service_type = \"NodePort\", {metadata} }}, deployment = {{ replicas = 1, {metadata}, pod_{metadata} }} }}"
    );
    changes_in_place(&sandbox, &sandbox.tenant().with("control_plane", &control_plane));
    for kind in ["service", "deployment", "pod"] {
        let found = sandbox.cluster.kubectl_run(&["get", kind, "-n", &sandbox.namespace, "-l", "team=a", "-o", "name"]);
        assert_eq!(found.lines().count(), 1, "{kind}: {found}");
    }
    changes_in_place(&sandbox, &sandbox.tenant());
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    for place in ["/service/additionalMetadata", "/deployment/additionalMetadata", "/deployment/podAdditionalMetadata"]
    {
        let left = live.pointer(&format!("/spec/controlPlane{place}")).and_then(Json::as_object);
        assert!(left.is_none_or(|left| left.is_empty()), "{place}: {left:?}");
    }
    sandbox.terraform.destroy().succeeds();
}

/// Where Kamaji says which generation it has seen, that of the change is waited for, and with it the certificate.
#[test]
fn a_change_has_been_seen_by_kamaji_when_the_apply_returns() {
    let sandbox = Sandbox::new("seen");
    if !sandbox.cluster.declares_for(SEEN, "the generation that Kamaji has seen") {
        return;
    }
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    for names in [&["one.example.com"][..], &["one.example.com", "two.example.com"]] {
        changes_in_place(&sandbox, &sandbox.tenant().cert_sans(names));
        let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
        assert_eq!(live["status"]["observedGeneration"], live["metadata"]["generation"]);
        let secret = live["status"]["certificates"]["apiServer"]["secretName"].as_str().expect("a name");
        let certificate = sandbox.cluster.secret(&sandbox.namespace, secret, "apiserver.crt").expect("a certificate");
        let certificate = x509_parser::pem::parse_x509_pem(&certificate).expect("PEM").1;
        for name in names {
            let found = certificate.contents.windows(name.len()).any(|window| window == name.as_bytes());
            assert!(found, "{name} is not in the certificate");
        }
    }
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_paused_tenant_fails_the_apply_at_once_and_goes_on_when_it_is_free() {
    let sandbox = Sandbox::new("paused");
    if !sandbox.cluster.declares_for(SLEEPING, "the annotation that pauses a tenant") {
        return;
    }
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    let annotate = |annotation: &str| {
        let object = "tenantcontrolplanes.kamaji.clastix.io/blue";
        sandbox.cluster.kubectl_run(&["annotate", object, "-n", &sandbox.namespace, annotation]);
    };
    annotate("kamaji.clastix.io/paused=true");
    let changed = sandbox.tenant().cert_sans(&["one.example.com"]);
    sandbox.configure(&[&changed.hcl()]);
    let begin = Instant::now();
    let error = sandbox.terraform.apply().error();
    assert_eq!(error.summary, "Control plane will not become ready");
    assert!(error.detail.contains("kamaji.clastix.io/paused"), "{}", error.detail);
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    // Another version is not even tried.
    sandbox.configure(&[&changed.clone().version("v1.30.1").hcl()]);
    assert_eq!(sandbox.terraform.plan().error().summary, "Kubernetes upgrade is not possible now");

    annotate("kamaji.clastix.io/paused-");
    sandbox.configure(&[&changed.hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(live["status"]["observedGeneration"], live["metadata"]["generation"]);
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_tenant_takes_no_writes_while_they_are_limited() {
    let sandbox = Sandbox::new("limited");
    let limits = "/properties/spec/properties/writePermissions";
    if !sandbox.cluster.declares_for(limits, "a tenant whose writes are limited") {
        return;
    }
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    let writes = || {
        let create = ["create", "configmap", "probe", "-n", "default", "--dry-run=server"];
        sandbox.cluster.in_tenant_command(&sandbox.namespace, &create)
    };
    let within = Duration::from_secs(60);
    let limited = sandbox.tenant().with("write_permissions", "{ block_creation = true }");
    changes_in_place(&sandbox, &limited);
    assert_eq!(sandbox.terraform.resource(BLUE)["values"]["status"], "WriteLimited");
    let refusal = wait_for("the tenant refuses", within, || (!writes().status.success()).then(writes));
    let refusal = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert!(refusal.contains("denied the request"), "{refusal}");
    sandbox.configure(&[&limited.version("v1.30.1").hcl()]);
    assert_eq!(sandbox.terraform.plan().error().summary, "Kubernetes upgrade is not possible now");

    changes_in_place(&sandbox, &sandbox.tenant());
    assert_eq!(sandbox.terraform.resource(BLUE)["values"]["status"], "Ready");
    wait_for("the tenant takes writes again", within, || writes().status.success().then_some(()));
    sandbox.terraform.destroy().succeeds();
}
