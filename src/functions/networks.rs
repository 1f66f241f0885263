//! `cidr_contains`, `cidr_overlaps`, `dns_service_ip`.

use tfplugin::function::Signature;
use tfplugin::schema::{Attribute, boolean, string};

use super::Row;
use crate::kamaji::network::{self, default_dns_service_ips, overlap, parse_cidr, parse_ip};

pub(super) static CONTAINS: Row = Row::new(
    "cidr_contains",
    || {
        Signature::new(
            "Tells whether an address or a network lies in a network.",
            "Tells whether an IP address, or every address of a network, lies in a network. The two may be of different IP \
             families; then it is false.",
            vec![
                cidr("cidr").doc("The network that may contain the other, like `10.96.0.0/16`."),
                string("address_or_cidr").required().doc("An IP address, or a network in CIDR notation."),
            ],
            boolean("contains").doc("True if all of the second lies in the first."),
        )
    },
    |arguments| {
        let network = arguments.read(0, parse_cidr)?;
        let inside = arguments.read(1, |text| {
            let is_network = text.contains('/');
            if is_network { Ok(network.contains(&parse_cidr(text)?)) } else { Ok(network.contains(&parse_ip(text)?)) }
        })?;
        Ok(inside.into())
    },
);

pub(super) static OVERLAPS: Row = Row::new(
    "cidr_overlaps",
    || {
        Signature::new(
            "Tells whether a network has addresses in common with others.",
            "Tells whether a network has an address in common with one of the others: whether the networks of a new tenant are \
             free, for example. A list of others is given as `local.networks...`. The others may overlap among themselves.",
            vec![cidr("cidr").doc("The network, like `10.96.0.0/16`.")],
            boolean("overlaps").doc("True if the network and one of the others have an address in common."),
        )
        .variadic(cidr("others").doc("The networks that it is compared with; none at all gives false."))
    },
    |arguments| {
        let network = arguments.read(0, parse_cidr)?;
        let mut found = false;
        for index in 1..=arguments.from(1).len() {
            found |= overlap(&network, &arguments.read(index, parse_cidr)?);
        }
        Ok(found.into())
    },
);

pub(super) static DNS_SERVICE_IP: Row = Row::new(
    "dns_service_ip",
    || {
        Signature::new(
            "Gives the address of the DNS Service in a service network.",
            "Gives the address that Kamaji chooses for the DNS Service of a tenant with this service network, if \
             `network_profile.dns_service_ips` does not say another: the tenth address of an IPv4 network, as kubeadm has it, \
             and the sixteenth of an IPv6 network (`fd00::10`), where kubeadm takes the tenth (`fd00::a`). It is what machines \
             that are set up without the provider have to use as their cluster DNS.",
            vec![cidr("service_cidr").doc("The service network of the tenant, like `10.96.0.0/16`.")],
            string("address").doc("The IP address."),
        )
    },
    |arguments| {
        let addresses = arguments.read(0, |text| default_dns_service_ips(&[parse_cidr(text)?]))?;
        Ok(addresses.first().map(ToString::to_string).into())
    },
);

fn cidr(name: &'static str) -> Attribute {
    string(name).required().rule(network::cidr())
}
