//! `control_plane`: how the API server is exposed and how its pods run.

use tfplugin::schema::{Attribute, Empty, Validator, boolean, list_of, number, object, string, string_map};

use super::additional_metadata;
use crate::kamaji::{network, quantity};

pub(super) fn attribute() -> Attribute {
    object("control_plane", vec![service(), deployment(), ingress()])
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
            list_of(
                "additional_ports",
                vec![
                    string("name").json("name").required().doc("Name of the port, a DNS label, unique in the Service."),
                    number("port")
                        .json("port")
                        .required()
                        .rule(Validator::between(1, 65535))
                        .doc("Port of the Service."),
                    number("target_port")
                        .json("targetPort")
                        .required()
                        .rule(Validator::between(1, 65535))
                        .doc("Port of the pods."),
                    string("protocol")
                        .json("protocol")
                        .server_default("\"TCP\"")
                        .rule(Validator::one_of(&["TCP", "UDP", "SCTP"]))
                        .doc("Protocol."),
                    string("app_protocol").json("appProtocol").doc("Application protocol."),
                ],
            )
            .json("additionalPorts")
            .since("edge-25.11.2")
            .doc("More ports of the Service, beside those of the API server and konnectivity."),
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

fn deployment() -> Attribute {
    object(
        "deployment",
        vec![
            number("replicas")
                .json("replicas")
                .server_default("2")
                .rule(Validator::between(0, i64::from(i32::MAX)))
                .doc(
                    "Number of control plane pods. Leave it out to let an autoscaler or Kamaji decide. `0` puts the \
                     tenant to sleep; its data stays.",
                ),
        ],
    )
    .json("deployment")
    .empty(Empty::Always)
    .doc("The pods of the control plane.")
}

fn ingress() -> Attribute {
    object(
        "ingress",
        vec![
            string("hostname").json("hostname").required().rule(network::ingress_hostname()).doc(
                "Host name under which the tenant's API is reached, with `:port` if that is not the API server's own. \
                 Give it in `network_profile.cert_sans` too: the certificate is not made anew for it.",
            ),
            string("ingress_class_name").json("ingressClassName").doc("Class of the Ingress."),
            additional_metadata("Labels and annotations of the Ingress; TLS passthrough is set here."),
        ],
    )
    .json("ingress")
    .empty(Empty::Presence)
    .doc("Exposes the API server through an Ingress with TLS passthrough.")
}

/// Resource requests and limits of a container, `core/v1 ResourceRequirements`.
pub(super) fn resources() -> Attribute {
    let quantities = |name| string_map(name).json(name).rule(quantity::canonical_quantities());
    object(
        "resources",
        vec![
            quantities("limits").doc("Limits: `{ cpu = \"500m\", memory = \"1Gi\" }`."),
            quantities("requests").doc("Requests: `{ cpu = \"100m\", memory = \"256Mi\" }`."),
        ],
    )
    .json("resources")
    .doc("Resources of the container.")
}
