//! The networks inside the tenant.

use std::net::IpAddr;

use ipnet::IpNet;
use tfplugin::{Path, Value};

use super::{Findings, elements};
use crate::kamaji::network::{check_dns_service_ips, check_no_overlap, default_dns_service_ips, parse_cidr};

/// Service and pod networks without configuration; all releases have the same.
const DEFAULTS: [(&str, &str, &str); 2] =
    [("service_cidrs", "service_cidr", "10.96.0.0/16"), ("pod_cidrs", "pod_cidr", "10.244.0.0/16")];

pub(super) fn check(config: &Value, found: &mut Findings) {
    for (list, scalar, _) in DEFAULTS {
        both_forms(config, list, scalar, found);
    }
    let (services, pods) = (service_networks(config), pod_networks(config));
    if let (Some(services), Some(pods)) = (&services, &pods)
        && let Err(problem) = check_no_overlap(pods, services)
    {
        let at = ["pod_cidrs", "pod_cidr", "service_cidrs", "service_cidr"];
        let at = at.into_iter().find(|name| profile(config, name).is_set()).unwrap_or("pod_cidr");
        found.problem(path(at), problem);
    }
    addresses(config, &[services.as_deref(), pods.as_deref()], found);
    if let Some(services) = &services {
        dns(config, services, found);
    }
}

/// The networks of Services if nothing else is configured; [`None`] while they are not known.
pub(in crate::tenant_control_plane) fn service_networks(config: &Value) -> Option<Vec<IpNet>> {
    let (list, scalar, default) = DEFAULTS[0];
    in_force(config, list, scalar, default)
}

/// The networks of pods, as [`service_networks`].
pub(in crate::tenant_control_plane) fn pod_networks(config: &Value) -> Option<Vec<IpNet>> {
    let (list, scalar, default) = DEFAULTS[1];
    in_force(config, list, scalar, default)
}

fn profile<'a>(config: &'a Value, name: &str) -> &'a Value {
    config.get("network_profile").get(name)
}

fn path(name: &str) -> Path {
    Path::of("network_profile").attribute(name)
}

/// The networks in force if nothing else is configured; [`None`] as soon as something is unknown or malformed, which has
/// a diagnostic of its own.
fn in_force(config: &Value, list: &str, scalar: &str, default: &str) -> Option<Vec<IpNet>> {
    if config.get("network_profile").is_unknown() {
        return None;
    }
    let (list, scalar) = (profile(config, list), profile(config, scalar));
    if list.is_unknown() || scalar.is_unknown() {
        return None;
    }
    let texts: Vec<&str> = match list.as_list() {
        Some(items) if !items.is_empty() => items.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => vec![scalar.as_str().unwrap_or(default)],
    };
    texts.into_iter().map(|text| parse_cidr(text).ok()).collect()
}

/// The scalar is deprecated, and ignored beside the list.
fn both_forms(config: &Value, list: &str, scalar: &str, found: &mut Findings) {
    let (many, one) = (profile(config, list), profile(config, scalar));
    let Some(one) = one.as_str() else { return };
    if many.is_wholly_known()
        && let Some(many) = many.as_list()
        && many.first().and_then(Value::as_str).is_some_and(|first| first != one)
    {
        found.error(
            path(scalar),
            "Two networks for one purpose",
            format!("{scalar} = {one:?} has no effect beside `{list}`, which says something else. Remove one of them."),
        );
    }
}

/// The tenant's nodes must reach the API server under an address that is not one of their own pods or Services.
fn addresses(config: &Value, networks: &[Option<&[IpNet]>], found: &mut Findings) {
    for name in ["address", "advertise_address"] {
        let Some(address) = profile(config, name).as_str().and_then(|text| text.parse::<IpAddr>().ok()) else {
            continue;
        };
        let mut all = networks.iter().flatten().flat_map(|networks| networks.iter());
        if let Some(network) = all.find(|network| network.contains(&address)) {
            found.error(
                path(name),
                "Address inside the tenant's own networks",
                format!(
                    "{address} lies in {network}, which pods or Services of the tenant use: nodes could not reach the API \
                     server. Choose other networks in `network_profile`, or another address."
                ),
            );
        }
    }
}

fn dns(config: &Value, services: &[IpNet], found: &mut Findings) {
    let configured = profile(config, "dns_service_ips");
    if configured.is_null()
        && let Err(problem) = default_dns_service_ips(services)
    {
        let at = ["service_cidrs", "service_cidr"].into_iter().find(|name| profile(config, name).is_set());
        found.problem(path(at.unwrap_or("dns_service_ips")), problem);
    }
    for (path, address) in elements(config, "network_profile.dns_service_ips") {
        let Some(address) = address.as_str().and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
        if let Err(problem) = check_dns_service_ips(&[address], services) {
            found.problem(path, problem);
        }
    }
}
