//! `control_plane`: how the API server is exposed and how its pods run.

use tfplugin::schema::{Attribute, Validator, boolean, list_of, number, object, string};

use super::{additional_metadata, deployment};
use crate::kamaji::{names, network};
use crate::kubernetes_types::chosen;
use crate::kubernetes_types::values::port_number_or_name;

pub(super) fn attribute() -> Attribute {
    object("control_plane", vec![service(), deployment::attribute(), ingress(), gateway()])
        .json("spec.controlPlane")
        .required()
        .doc("How the control plane runs and is exposed.")
}

fn service() -> Attribute {
    object(
        "service",
        vec![
            string("service_type")
                .json("serviceType")
                .required()
                .rule(Validator::one_of(&["ClusterIP", "NodePort", "LoadBalancer"]))
                .doc(
                    "Type of the Service. `NodePort` needs `network_profile.address`. A change can move the endpoint: \
                     joined nodes may lose the API.",
                ),
            additional_metadata("Labels and annotations of the Service."),
            additional_ports(),
            boolean("allocate_load_balancer_node_ports")
                .json("allocateLoadBalancerNodePorts")
                .since("26.6.5-edge")
                .doc(
                    "Whether a LoadBalancer Service also gets node ports. Only with `service_type = \"LoadBalancer\"`.",
                ),
        ],
    )
    .json("service")
    .required()
    .doc("The Service of the API server.")
}

fn additional_ports() -> Attribute {
    let members = vec![
        string("name").json("name").required().rule(names::dns1123_label()).doc(
            "Name of the port, unique in the Service. Kamaji's own are `kube-apiserver` and `konnectivity-server`.",
        ),
        number("port").json("port").required().rule(network::port()).doc("Port of the Service."),
        port_number_or_name("target_port").json("targetPort").required().doc("Port of the pods."),
        string("protocol")
            .json("protocol")
            .server_default("\"TCP\"")
            .rule(Validator::one_of(&["TCP", "UDP", "SCTP"]))
            .doc("Protocol."),
        string("app_protocol").json("appProtocol").doc("Application protocol, such as `kubernetes.io/h2c`."),
    ];
    list_of("additional_ports", members)
        .json("additionalPorts")
        .since("edge-25.11.2")
        .doc("More ports of the Service, beside those of the API server and konnectivity; for `additional_containers`.")
}

fn ingress() -> Attribute {
    chosen(object(
        "ingress",
        vec![
            string("hostname").json("hostname").required().rule(network::ingress_hostname()).doc(
                "Host name under which the tenant's API is reached, with `:port` if that is not the API server's own. \
                 Give it in `network_profile.cert_sans` too: the certificate is not made anew for it.",
            ),
            string("ingress_class_name")
                .json("ingressClassName")
                .doc("Class of the Ingress. Leaving it out later does not clear it."),
            additional_metadata("Labels and annotations of the Ingress; TLS passthrough is set here."),
        ],
    ))
    .json("ingress")
    .doc("Exposes the API server through an Ingress with TLS passthrough. Not together with `gateway`.")
}

fn gateway() -> Attribute {
    chosen(object(
        "gateway",
        vec![
            string("hostname").json("hostname").required().rule(names::dns1123_wildcard()).doc(
                "Host name under which the tenant's API is reached, without a port. Give it in \
                 `network_profile.cert_sans` too: the certificate is not made anew for it.",
            ),
            parent_refs(),
            additional_metadata("Labels and annotations of the TLSRoutes."),
        ],
    ))
    .json("gateway")
    .since("edge-25.12.1")
    .doc(
        "Exposes the API server through a TLSRoute of the Gateway API, whose version v1 must be installed. Not together \
         with `ingress`.",
    )
}

/// `gateway.networking.k8s.io/v1 ParentReference`
fn parent_refs() -> Attribute {
    let members = vec![
        string("name").json("name").required().rule(names::dns1123_subdomain()).doc("Name of the Gateway."),
        string("namespace")
            .json("namespace")
            .rule(names::dns1123_label())
            .doc("Its namespace; that of the control plane if left out."),
        string("section_name")
            .json("sectionName")
            .rule(names::dns1123_subdomain())
            .doc("Listener; all that fit if left out. The route of konnectivity always takes `konnectivity-server`."),
        number("port")
            .json("port")
            .rule(network::port())
            .doc("Port of the listener; all that fit if left out. The route of konnectivity takes its own."),
        string("group")
            .json("group")
            .server_default("\"gateway.networking.k8s.io\"")
            .rule(names::api_group())
            .doc("API group of the parent."),
        string("kind").json("kind").server_default("\"Gateway\"").rule(names::kind()).doc("Kind of the parent."),
    ];
    list_of("parent_refs", members)
        .json("parentRefs")
        .doc("The Gateway that takes the traffic, exactly one: Kamaji reads the address from it.")
}
