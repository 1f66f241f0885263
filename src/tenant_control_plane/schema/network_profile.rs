//! `network_profile`: addresses, ports, certificates and the tenant's networks.

use tfplugin::schema::{Attribute, Empty, Validator, boolean, number, object, string, string_list};

use crate::kamaji::{names, network};
use crate::managed_object::schema::not_empty;

const CIDR_LOSS: &str =
    "a running cluster cannot change its networks; the tenant's data, kubeconfigs and joined nodes are lost";

const DEFAULT_RETURNS: &str = "Kamaji fills in a default";

pub(super) fn attribute() -> Attribute {
    object(
        "network_profile",
        vec![
            string("address").json("address").rule(network::ip_address()).doc(
                "IP address under which the API server is reached: a node's for `NodePort`, where it is needed; an \
                 override of the Service's own address otherwise. A later change may not reach the endpoint.",
            ),
            string("advertise_address").json("advertiseAddress").since("26.3.6-edge").rule(network::ip_address()).doc(
                "IP address that is given to the tenant's nodes and kubeconfigs, if it differs from `address`. A \
                     later change does not reach existing kubeconfigs.",
            ),
            boolean("allow_address_as_external_ip")
                .json("allowAddressAsExternalIP")
                .doc("Whether `address` becomes an external IP of the Service. Turning it off does not remove it."),
            number("port").json("port").server_default("6443").rule(Validator::between(1, 65535)).doc(
                "Port of the API server; with `NodePort` also the node port. A change restarts the control plane \
                 pods and moves the endpoint.",
            ),
            string_list("cert_sans").json("certSANs").rule(Validator::each(network::cert_san())).doc(
                "More names and addresses in the API server's certificate: DNS names, wildcards, IP addresses. Adding \
                 one issues a new certificate and restarts the pods; removing one does not touch the certificate.",
            ),
            string("cluster_domain")
                .json("clusterDomain")
                .since("edge-24.10.1")
                .server_default("\"cluster.local\"")
                .replace("the DNS domain of a running cluster is fixed")
                .rule(names::cluster_domain())
                .doc("DNS domain of the tenant."),
            string("service_cidr")
                .json("serviceCidr")
                .server_default("\"10.96.0.0/16\"")
                .replace(CIDR_LOSS)
                .rule(network::cidr())
                .doc("Network of the tenant's Services. Newer Kamaji: use `service_cidrs`."),
            string_list("service_cidrs")
                .json("serviceCidrs")
                .since("26.6.4-edge")
                .replace(CIDR_LOSS)
                .rule(not_empty(DEFAULT_RETURNS))
                .rule(network::cidr_list())
                .doc("Networks of the tenant's Services: one, or one IPv4 and one IPv6."),
            string("pod_cidr")
                .json("podCidr")
                .server_default("\"10.244.0.0/16\"")
                .replace(CIDR_LOSS)
                .rule(network::cidr())
                .doc("Network of the tenant's pods. Newer Kamaji: use `pod_cidrs`."),
            string_list("pod_cidrs")
                .json("podCidrs")
                .since("26.6.4-edge")
                .replace(CIDR_LOSS)
                .rule(not_empty(DEFAULT_RETURNS))
                .rule(network::cidr_list())
                .doc("Networks of the tenant's pods: one, or one IPv4 and one IPv6."),
            string_list("dns_service_ips")
                .json("dnsServiceIPs")
                .former_default("[\"10.96.0.10\"]", "edge-24.12.1")
                .replace("the DNS address is built into the tenant's kubelets")
                .rule(not_empty(DEFAULT_RETURNS))
                .rule(Validator::at_most(8))
                .rule(Validator::each(network::ip_address()))
                .doc("Addresses of the tenant's DNS service, inside the service networks."),
            string_list("load_balancer_source_ranges")
                .json("loadBalancerSourceRanges")
                .since("edge-24.12.1")
                .rule(Validator::at_most(16))
                .rule(Validator::each(network::cidr()))
                .doc("Networks that may reach the load balancer. Only with `service_type = \"LoadBalancer\"`."),
            string("load_balancer_class")
                .json("loadBalancerClass")
                .since("edge-24.12.1")
                .replace("the class of a load balancer is fixed")
                .rule(Validator::non_empty())
                .doc("Class of the load balancer. Only with `service_type = \"LoadBalancer\"`."),
        ],
    )
    .json("spec.networkProfile")
    .empty(Empty::Always)
    .doc("Addresses, ports, certificate names and networks of the tenant.")
}
