//! What the rules of Kamaji's newest definitions refuse, without Kamaji: its API server has to be a newer one than the
//! cluster's.

use serde_json::{Value as Json, json};

use super::{Denial, are_denied_by};
use crate::harness::sandbox::provider;
use crate::harness::terraform::Terraform;
use crate::harness::{ApiServer, Tenant};

/// A tenant behind a load balancer, for an API server without Kamaji: it is there as soon as it is accepted.
fn balanced(service: &str, network: &str) -> Tenant {
    let service = format!("{{ service_type = \"LoadBalancer\", {service} }}");
    let control_plane = format!("{{ service = {service}, deployment = {{ replicas = 1 }} }}");
    let tenant = Tenant::new("default", "192.0.2.1", 6443).with("control_plane", &control_plane);
    let network = format!("{{ address = \"192.0.2.1\", port = 6443, {network} }}");
    tenant.with("network_profile", &network).with("wait_for", "\"accepted\"")
}

/// An object as simple as one can be, with this network.
fn manifest(network: &Json) -> Json {
    json!({
        "apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": { "name": "probe", "namespace": "default" },
        "spec": {
            "controlPlane": { "deployment": {}, "service": { "serviceType": "LoadBalancer" } },
            "kubernetes": { "version": "v1.30.0", "kubelet": {} },
            "networkProfile": network,
        },
    })
}

/// The rules of the newest definitions use functions that only an API server from 1.33 on knows.
#[test]
fn the_newest_definitions_have_rules_between_fields() {
    let Some(server) = ApiServer::start_for("what the rules of the newest definitions refuse") else { return };
    let terraform = Terraform::new();
    let provider = provider(&format!("config_path = {:?}", server.kubeconfig()));

    server.install("edge-24.12.1", &manifest(&json!({ "loadBalancerClass": "a" })));
    let newer = [
        ("pod_cidrs = [\"10.20.0.0/16\"]", "network_profile.pod_cidrs", "26.6.4-edge"),
        ("advertise_address = \"192.0.2.2\"", "network_profile.advertise_address", "26.3.6-edge"),
    ];
    for (network, attribute, release) in newer {
        let texts = ["Field unknown to the installed Kamaji", release];
        are_denied_by(&terraform, &provider, &[(balanced("", network), attribute, &texts)]);
    }
    server.install("26.8.2-edge", &manifest(&json!({ "podCidrs": ["10.20.0.0/16"] })));
    for (network, _, _) in newer {
        terraform.configure(&[provider.as_str(), &balanced("", network).hcl()].join("\n"));
        terraform.plan().has_changes();
    }
    changes_are_refused(&server, &terraform, &provider);
}

/// Rules about a change, and between a field that is configured and one that somebody else has set.
fn changes_are_refused(server: &ApiServer, terraform: &Terraform, provider: &str) {
    const TENANT: &str = "tenantcontrolplanes.kamaji.clastix.io/blue";
    let tenant = balanced("", "");
    terraform.configure(&[provider, &tenant.hcl()].join("\n"));
    terraform.apply().succeeds();
    terraform.plan().plans_nothing();

    let class = "load_balancer_class = \"a\"";
    let set_at_runtime = &["LoadBalancerClass cannot be set or unset at runtime"];
    are_denied_by(terraform, provider, &[(balanced("", class), "network_profile.load_balancer_class", set_at_runtime)]);

    let without_load_balancer = "{ service = { service_type = \"ClusterIP\" }, deployment = { replicas = 1 } }";
    let gateway = "{ service = { service_type = \"LoadBalancer\" }, deployment = { replicas = 1 }, gateway = { hostname = \
                   \"blue.example\", parent_refs = [{ name = \"g\" }] } }";
    let agent = "{ konnectivity = { agent = { mode = \"DaemonSet\" } } }";
    // What somebody else sets, and what then is refused.
    let shared: &[(&str, Json, Denial<'_>)] = &[
        (
            "/spec/controlPlane/ingress",
            json!({ "hostname": "theirs.example" }),
            (
                tenant.clone().with("control_plane", gateway),
                "control_plane.gateway",
                &["using both ingress and gateway is not supported"],
            ),
        ),
        (
            "/spec/networkProfile/loadBalancerSourceRanges",
            json!(["192.0.2.0/24"]),
            (
                tenant.clone().with("control_plane", without_load_balancer),
                "network_profile.load_balancer_source_ranges",
                &["supported only with LoadBalancer service type"],
            ),
        ),
        (
            "/spec/controlPlane/service/allocateLoadBalancerNodePorts",
            json!(true),
            (
                tenant.clone().with("control_plane", without_load_balancer),
                "control_plane.service.allocate_load_balancer_node_ports",
                &["supported only with LoadBalancer service type"],
            ),
        ),
        (
            "/spec/addons",
            json!({ "konnectivity": { "agent": { "mode": "Deployment", "replicas": 3 } } }),
            (
                tenant.clone().with("addons", agent).with("force_conflicts", "true"),
                "addons.konnectivity.agent",
                &["replicas must be 0 (or unset) when mode is DaemonSet"],
            ),
        ),
    ];
    for (pointer, theirs, denial) in shared {
        let patch = |operation: Json| {
            server.kubectl_run(&["patch", TENANT, "--type=json", "-p", &json!([operation]).to_string()]);
        };
        patch(json!({ "op": "add", "path": pointer, "value": theirs }));
        are_denied_by(terraform, provider, std::slice::from_ref(denial));
        patch(json!({ "op": "remove", "path": pointer }));
    }

    // Kamaji's webhook wrote these into the specification before 26.7.4-edge, and they are for ever.
    let theirs = json!({ "spec": { "dataStoreSchema": "default_blue", "dataStoreUsername": "default_blue" } });
    server.kubectl_run(&["patch", TENANT, "--type=merge", "-p", &theirs.to_string()]);
    let mine = |attribute| tenant.clone().with(attribute, "\"mine\"").with("force_conflicts", "true");
    let denials: &[Denial<'_>] = &[
        (mine("data_store_schema"), "data_store_schema", &["changing the dataStoreSchema is not supported"]),
        (mine("data_store_username"), "data_store_username", &["changing the dataStoreUsername is not supported"]),
    ];
    are_denied_by(terraform, provider, denials);
}
