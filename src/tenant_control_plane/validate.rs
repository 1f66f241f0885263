//! Rules across attributes, offline, as far as the configuration is known.

use std::net::IpAddr;

use ipnet::IpNet;
use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::kamaji::network::{check_dns_service_ips, check_no_overlap, parse_cidr};

/// Everything that is wrong with a configuration beyond single attributes.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    exposure(config, &mut found);
    networks(config, &mut found);
    konnectivity(config, &mut found);
    found
}

fn error(path: &str, problem: Problem) -> Diagnostic {
    Diagnostic::error(problem.summary, problem.detail).at(Path::of(path))
}

/// Kamaji waits for ever, and in silence, for the address of a `NodePort` Service.
fn exposure(config: &Value, found: &mut Diagnostics) {
    let service_type = config.str_at("control_plane.service.service_type");
    let profile = config.get("network_profile");
    if service_type == Some("NodePort") && !profile.is_unknown() && config.get("network_profile.address").is_null() {
        found.push(error(
            "network_profile.address",
            Problem::new(
                "NodePort needs an address",
                "With service_type = \"NodePort\" Kamaji cannot know under which address the API server is reached, and \
                 waits for ever. Set `network_profile.address` to the IP address of a node of the management cluster.",
            ),
        ));
    }
    if config.get("control_plane.ingress").is_set() && config.get("control_plane.gateway").is_set() {
        found.push(error(
            "control_plane.gateway",
            Problem::new(
                "Ingress and gateway exclude each other",
                "A control plane is exposed through an Ingress or through the Gateway API, not both. Remove \
                 `control_plane.ingress` or `control_plane.gateway`.",
            ),
        ));
    }
    let Some(service_type) = service_type.filter(|service_type| *service_type != "LoadBalancer") else { return };
    for path in [
        "network_profile.load_balancer_source_ranges",
        "network_profile.load_balancer_class",
        "control_plane.service.allocate_load_balancer_node_ports",
    ] {
        let value = config.get(path);
        if value.is_set() && value.as_list().is_none_or(|items| !items.is_empty()) {
            let detail = format!(
                "{path} only has a meaning with service_type = \"LoadBalancer\", not {service_type:?}. Remove it."
            );
            found.push(error(path, Problem::new("Only for a load balancer", detail)));
        }
    }
}

/// The CIDRs in force if nothing else is configured; [`None`] as soon as something is unknown or malformed, which has a
/// diagnostic of its own.
fn cidrs(config: &Value, list: &str, scalar: &str, default: &str) -> Option<Vec<IpNet>> {
    let (list, scalar) = (config.get(list), config.get(scalar));
    if list.is_unknown() || scalar.is_unknown() {
        return None;
    }
    let texts: Vec<&str> = match list.as_list() {
        Some(items) if !items.is_empty() => items.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => vec![scalar.as_str().unwrap_or(default)],
    };
    texts.into_iter().map(|text| parse_cidr(text).ok()).collect()
}

fn networks(config: &Value, found: &mut Diagnostics) {
    let profile = |name: &str| format!("network_profile.{name}");
    let services = cidrs(config, &profile("service_cidrs"), &profile("service_cidr"), "10.96.0.0/16");
    let pods = cidrs(config, &profile("pod_cidrs"), &profile("pod_cidr"), "10.244.0.0/16");
    let Some(services) = services else { return };
    if let Some(Err(problem)) = pods.map(|pods| check_no_overlap(&pods, &services)) {
        let configured = ["pod_cidrs", "pod_cidr", "service_cidrs", "service_cidr"];
        let at = configured.into_iter().find(|name| config.get(&profile(name)).is_set()).unwrap_or_default();
        found.push(error(&profile(at), problem));
    }
    let addresses = config.get("network_profile.dns_service_ips").as_list().unwrap_or_default();
    for (index, address) in addresses.iter().enumerate() {
        let Some(address) = address.as_str().and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
        if let Err(problem) = check_dns_service_ips(&[address], &services) {
            let path = Path::of("network_profile.dns_service_ips").index(index);
            found.push(Diagnostic::error(problem.summary, problem.detail).at(path));
        }
    }
}

fn konnectivity(config: &Value, found: &mut Diagnostics) {
    let agent = config.get("addons.konnectivity.agent");
    let (mode, replicas) = (agent.get("mode"), agent.get("replicas"));
    let daemon_set = mode.is_null() || mode.as_str() == Some("DaemonSet");
    match replicas.as_i64() {
        Some(count) if daemon_set && count != 0 => found.push(error(
            "addons.konnectivity.agent.replicas",
            Problem::new(
                "Replicas only for a Deployment",
                format!("The agent runs on every node (mode DaemonSet), so {count} replicas have no meaning. Remove `replicas`, or set mode = \"Deployment\"."),
            ),
        )),
        Some(0) if mode.as_str() == Some("Deployment") => found.push(error(
            "addons.konnectivity.agent.replicas",
            Problem::new("At least one replica needed", "A Deployment of 0 agents carries no traffic. Set at least 1, or leave it out."),
        )),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant_control_plane::schema::SCHEMA;

    fn config(edits: &[(&str, Value)]) -> Value {
        let mut config = SCHEMA.null_object();
        config.set("control_plane.service.service_type", "LoadBalancer".into());
        for (path, value) in edits {
            config.set(path, value.clone());
        }
        config
    }

    fn paths(edits: &[(&str, Value)]) -> Vec<String> {
        validate(&config(edits)).iter().map(|diagnostic| diagnostic.path.to_string()).collect()
    }

    #[test]
    fn an_ordinary_configuration_is_fine() {
        assert_eq!(paths(&[]), Vec::<String>::new());
    }

    #[rstest::rstest]
    #[case::node_port_without_address(&[("control_plane.service.service_type", "NodePort".into())], "network_profile.address")]
    #[case::class_without_load_balancer(
        &[("control_plane.service.service_type", "ClusterIP".into()), ("network_profile.load_balancer_class", "x".into())],
        "network_profile.load_balancer_class"
    )]
    #[case::ingress_and_gateway(
        &[("control_plane.ingress.hostname", "a.io".into()), ("control_plane.gateway.hostname", "a.io".into())],
        "control_plane.gateway"
    )]
    #[case::pods_in_services(&[("network_profile.pod_cidr", "10.96.128.0/17".into())], "network_profile.pod_cidr")]
    #[case::dns_outside(
        &[("network_profile.dns_service_ips", Value::strings(["10.96.0.10", "10.97.0.10"]))],
        "network_profile.dns_service_ips[1]"
    )]
    #[case::agents(&[("addons.konnectivity.agent.replicas", Value::from(2))], "addons.konnectivity.agent.replicas")]
    fn each_rule_speaks_at_its_attribute(#[case] edits: &[(&str, Value)], #[case] path: &str) {
        assert_eq!(paths(edits), [path]);
    }

    #[rstest::rstest]
    #[case(&[("control_plane.service.service_type", "NodePort".into()), ("network_profile.address", Value::Unknown)])]
    #[case(&[("control_plane.service.service_type", "NodePort".into()), ("network_profile", Value::Unknown)])]
    #[case(&[("network_profile.pod_cidr", Value::Unknown)])]
    #[case(&[("network_profile.service_cidr", Value::Unknown), ("network_profile.dns_service_ips", Value::strings(["1.1.1.1"]))])]
    fn what_is_unknown_is_not_judged(#[case] edits: &[(&str, Value)]) {
        assert_eq!(paths(edits), Vec::<String>::new());
    }
}
