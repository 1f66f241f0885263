//! `addons`: what Kamaji installs into the tenant. The presence of an addon, even as `{}`, switches it on.

use tfplugin::schema::{Attribute, Validator, boolean, number, object, string, string_list};

use crate::kamaji::network;
use crate::kubernetes_types::chosen;
use crate::kubernetes_types::resources::resources;
use crate::kubernetes_types::scheduling::tolerations;
use crate::kubernetes_types::security::security_context;
use crate::managed_object::schema::not_empty;

pub(super) fn attribute() -> Attribute {
    object("addons", vec![core_dns(), kube_proxy(), konnectivity()])
        .json("spec.addons")
        .doc("Addons in the tenant cluster. An addon is on while it is present, also as `{}`.")
}

fn image_overrides() -> Vec<Attribute> {
    vec![
        string("image_repository").json("imageRepository").doc("Repository of the image, without its name."),
        string("image_tag").json("imageTag").doc("Tag of the image. Only used together with `image_repository`."),
    ]
}

fn core_dns() -> Attribute {
    chosen(object("core_dns", image_overrides()))
        .json("coreDNS")
        .doc("CoreDNS. Edits of its configuration in the tenant are overwritten.")
}

fn kube_proxy() -> Attribute {
    chosen(object("kube_proxy", image_overrides())).json("kubeProxy").doc("kube-proxy.")
}

fn konnectivity() -> Attribute {
    chosen(object("konnectivity", vec![server(), agent()])).json("konnectivity").doc(
        "Konnectivity: a tunnel from the control plane to nodes that it cannot reach directly. Switching it on or \
             off restarts the control plane pods.",
    )
}

fn server() -> Attribute {
    object(
        "server",
        vec![
            number("port").json("port").required().rule(network::port()).doc(
                "Port of the konnectivity server (8132 if `server` is left out); with `NodePort` also a node port.",
            ),
            string("image")
                .json("image")
                .server_default("\"registry.k8s.io/kas-network-proxy/proxy-server\"")
                .doc("Image without tag."),
            version(),
            resources("resources").json("resources").doc("Resources of the container."),
            string_list("extra_args").json("extraArgs").doc("More arguments; Kamaji's own win."),
            security_context("security_context")
                .json("securityContext")
                .since("26.6.4-edge")
                .doc("Security context of the container."),
        ],
    )
    .json("server")
    .former_default(
        "{\"image\":\"registry.k8s.io/kas-network-proxy/proxy-server\",\"port\":8132,\"version\":\"v0.0.32\"}",
        "edge-24.7.1",
    )
    .former_default(
        "{\"image\":\"registry.k8s.io/kas-network-proxy/proxy-server\",\"port\":8132,\"version\":\"v0.28.6\"}",
        "edge-25.9.3",
    )
    .server_default_since("edge-25.9.3", "{\"image\":\"registry.k8s.io/kas-network-proxy/proxy-server\",\"port\":8132}")
    .doc("The server beside the API server. A change restarts the control plane pods.")
}

fn agent() -> Attribute {
    object(
        "agent",
        vec![
            string("image")
                .json("image")
                .server_default("\"registry.k8s.io/kas-network-proxy/proxy-agent\"")
                .doc("Image without tag."),
            version(),
            string("mode")
                .json("mode")
                .since("edge-25.7.3")
                .server_default("\"DaemonSet\"")
                .rule(Validator::one_of(&["DaemonSet", "Deployment"]))
                .doc("How the agent runs: on every node, or as a Deployment."),
            number("replicas")
                .json("replicas")
                .since("edge-25.7.3")
                .rule(Validator::between(0, i64::from(i32::MAX)))
                .doc("Number of agents, only with `mode = \"Deployment\"`."),
            boolean("host_network")
                .json("hostNetwork")
                .since("edge-25.8.2")
                .server_default("false")
                .doc("Whether the agent uses the network of its node."),
            tolerations()
                .server_default("[{\"key\":\"CriticalAddonsOnly\",\"operator\":\"Exists\"}]")
                .rule(not_empty("Kamaji's default would come back"))
                .doc("Taints that the agent tolerates."),
            string_list("extra_args").json("extraArgs").doc("More arguments; they win over Kamaji's own."),
        ],
    )
    .json("agent")
    .former_default(
        "{\"image\":\"registry.k8s.io/kas-network-proxy/proxy-agent\",\"version\":\"v0.0.32\"}",
        "edge-24.7.1",
    )
    .former_default(
        "{\"image\":\"registry.k8s.io/kas-network-proxy/proxy-agent\",\"version\":\"v0.28.6\"}",
        "edge-25.7.3",
    )
    .former_default(
        "{\"image\":\"registry.k8s.io/kas-network-proxy/proxy-agent\",\"mode\":\"DaemonSet\",\"version\":\"v0.28.6\"}",
        "edge-25.9.3",
    )
    .server_default_since(
        "edge-25.9.3",
        "{\"image\":\"registry.k8s.io/kas-network-proxy/proxy-agent\",\"mode\":\"DaemonSet\"}",
    )
    .doc("The agent in the tenant. A change does not restart the control plane.")
}

fn version() -> Attribute {
    string("version")
        .json("version")
        .former_default("\"v0.0.32\"", "edge-24.7.1")
        .former_default("\"v0.28.6\"", "edge-25.9.3")
        .doc("Tag of the image. Kamaji derives it from the tenant's version, before edge-25.9.3 it had a fixed one.")
}
