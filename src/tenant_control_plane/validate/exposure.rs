//! How the API server is reached: Service, Ingress, Gateway, ports.

use tfplugin::{Path, Value};

use super::{Findings, elements, repeated};
/// Ports that Kamaji gives to the Service.
const OWN_PORTS: [&str; 2] = ["kube-apiserver", "konnectivity-server"];
/// Where the API server listens without `network_profile.port`.
const API_PORT: i64 = 6443;
/// Where the konnectivity server listens without `addons.konnectivity.server`.
const KONNECTIVITY_PORT: i64 = 8132;
/// Node ports of an API server without `--service-node-port-range`.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30000..=32767;

pub(super) fn check(config: &Value, found: &mut Findings) {
    let service_type = config.str_at("control_plane.service.service_type");
    if service_type == Some("NodePort") {
        node_port(config, found);
    }
    if let Some(service_type) = service_type.filter(|service_type| *service_type != "LoadBalancer") {
        without_load_balancer(config, service_type, found);
    }
    external_address(config, service_type, found);
    routes(config, found);
    ports(config, found);
}

/// The port of the API server, and of the konnectivity server if there is one; [`None`] while it is unknown.
pub(in crate::tenant_control_plane) fn own_ports(config: &Value) -> [Option<(i64, &'static str)>; 2] {
    let effective = |value: &Value, default: i64| if value.is_null() { Some(default) } else { value.as_i64() };
    let api = effective(config.get("network_profile.port"), API_PORT);
    let api = api.filter(|_| !config.get("network_profile").is_unknown());
    let konnectivity = config.get("addons.konnectivity");
    let server = konnectivity.get("server");
    let konnectivity = (konnectivity.is_set() && !server.is_unknown())
        .then(|| effective(server.get("port"), KONNECTIVITY_PORT))
        .flatten();
    [api.map(|port| (port, "network_profile.port")), konnectivity.map(|port| (port, "addons.konnectivity.server.port"))]
}

fn node_port(config: &Value, found: &mut Findings) {
    if !config.get("network_profile").is_unknown() && config.get("network_profile.address").is_null() {
        // Kamaji waits for ever, and in silence, for the address of a `NodePort` Service.
        found.error(
            Path::of("network_profile.address"),
            "NodePort needs an address",
            "With service_type = \"NodePort\" Kamaji cannot know under which address the API server is reached, and waits \
             for ever. Set `network_profile.address` to the IP address of a node of the management cluster.",
        );
    }
    for (port, attribute) in own_ports(config).into_iter().flatten() {
        if NODE_PORTS.contains(&port) {
            continue;
        }
        let range = format!("{}-{}", NODE_PORTS.start(), NODE_PORTS.end());
        if config.get(attribute).is_null() {
            found.error(
                Path::of(attribute),
                "NodePort needs a node port",
                format!(
                    "With service_type = \"NodePort\" the port is also the node port, and the default {port} is outside \
                     {range}: the Service would never be made. Set `{attribute}` to a free port in that range."
                ),
            );
        } else {
            found.warning(
                Path::of(attribute),
                "Port outside the usual node ports",
                format!(
                    "With service_type = \"NodePort\" {port} is also the node port. A management cluster takes {range} \
                     unless its API server has another `--service-node-port-range`; otherwise the Service is never made."
                ),
            );
        }
    }
}

fn without_load_balancer(config: &Value, service_type: &str, found: &mut Findings) {
    for path in [
        "network_profile.load_balancer_source_ranges",
        "network_profile.load_balancer_class",
        "control_plane.service.allocate_load_balancer_node_ports",
    ] {
        let value = config.get(path);
        if value.is_set() && value.as_list().is_none_or(|items| !items.is_empty()) {
            found.error(
                Path::of(path),
                "Only for a load balancer",
                format!(
                    "{path} only has a meaning with service_type = \"LoadBalancer\", not {service_type:?}. Remove it."
                ),
            );
        }
    }
}

fn external_address(config: &Value, service_type: Option<&str>, found: &mut Findings) {
    let attribute = "network_profile.allow_address_as_external_ip";
    if config.get(attribute).as_bool() != Some(true) {
        return;
    }
    if config.get("network_profile.address").is_null() {
        found.error(
            Path::of(attribute),
            "No address to announce",
            "allow_address_as_external_ip announces `network_profile.address`, which is not set. Set it, or leave this out.",
        );
    } else if service_type == Some("LoadBalancer") {
        found.error(
            Path::of(attribute),
            "Not with a load balancer",
            "allow_address_as_external_ip has no effect with service_type = \"LoadBalancer\": the load balancer announces \
             the address. Leave it out.",
        );
    }
}

fn routes(config: &Value, found: &mut Findings) {
    let (ingress, gateway) = (config.get("control_plane.ingress"), config.get("control_plane.gateway"));
    if ingress.is_set() && gateway.is_set() {
        found.error(
            Path::of("control_plane.gateway"),
            "Ingress and gateway exclude each other",
            "A control plane is reached through an Ingress or through a Gateway, not both. Remove one of them.",
        );
    }
    let parents = gateway.get("parent_refs");
    if gateway.is_set() && !parents.is_unknown() && parents.as_list().is_none_or(<[Value]>::is_empty) {
        found.error(
            Path::of("control_plane.gateway.parent_refs"),
            "Gateway is missing",
            "A route belongs to a Gateway, and Kamaji waits for exactly one that accepts it. Name it in `parent_refs`.",
        );
    }
}

fn ports(config: &Value, found: &mut Findings) {
    let own = own_ports(config);
    if let [Some((api, _)), Some((konnectivity, attribute))] = own
        && api == konnectivity
    {
        found.error(
            Path::of(attribute),
            "Port is taken",
            format!("{konnectivity} is the port of the API server already. The konnectivity server needs another one."),
        );
    }
    let additional = || elements(config, "control_plane.service.additional_ports");
    for (path, port) in additional() {
        if let Some(name) = port.str_at("name").filter(|name| OWN_PORTS.contains(name)) {
            found.error(
                path.attribute("name"),
                "Port name is taken",
                format!("Kamaji gives the name {name:?} to a port of its own. Choose another one."),
            );
        }
        let Some(number) = port.get("port").as_i64() else { continue };
        let protocol = protocol(port);
        let taken = own.into_iter().flatten().find(|(own, _)| *own == number && protocol == "TCP");
        if let Some((_, attribute)) = taken {
            found.error(
                path.attribute("port"),
                "Port is taken",
                format!("{number} is the port of `{attribute}` already. Choose another one."),
            );
        }
    }
    let number = |port: &Value| port.get("port").as_i64();
    for (path, (port, _)) in repeated(additional(), |port| Some((number(port)?, protocol(port)))) {
        let detail = format!("Port {port} is given twice. Remove one of them.");
        found.error(path.attribute("port"), "Port is taken", detail);
    }
    for (path, name) in repeated(additional(), |port| port.str_at("name")) {
        let detail = format!("{name:?} is given twice. Choose another one.");
        found.error(path.attribute("name"), "Port name is taken", detail);
    }
}

fn protocol(port: &Value) -> &str {
    port.str_at("protocol").unwrap_or("TCP")
}
