//! Networks and addresses of a tenant: CIDRs, DNS service IPs, certificate SANs, endpoints.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

use super::names::is_dns1123_subdomain;

/// Reads a network in canonical form.
///
/// # Errors
/// Not a CIDR; host bits set. Kamaji takes the latter, but counts the default DNS service IP from the address as typed,
/// so that it lands elsewhere than kubeadm's.
pub fn parse_cidr(text: &str) -> Result<IpNet, Problem> {
    // ipnet reads leading zeros, Go's parser (and so the API server) does not.
    let strict = |text: &str| -> Option<IpNet> {
        let (address, prefix) = text.split_once('/')?;
        let prefix = prefix.parse().ok().filter(|length: &u8| length.to_string() == prefix)?;
        IpNet::new(address.parse().ok()?, prefix).ok()
    };
    let network = strict(text).ok_or_else(|| {
        Problem::new(
            "Not a CIDR",
            format!(
                "{text:?} is not a network in CIDR notation. Write an address and a prefix length, like \"10.96.0.0/16\"."
            ),
        )
    })?;
    if let IpNet::V6(network) = network
        && let Some(address) = network.addr().to_ipv4_mapped()
    {
        // Kubernetes refuses it: half of the programs that read it would take it for IPv4.
        let length = network.prefix_len().saturating_sub(96);
        return Err(mapped(text, &format!("{address}/{length}")));
    }
    if network.addr() != network.network() {
        return Err(Problem::new(
            "CIDR has host bits set",
            format!("{text:?} is an address inside a network. Write the network itself: \"{}\".", network.trunc()),
        ));
    }
    Ok(network)
}

/// Reads an IP address.
///
/// # Errors
/// None; IPv4 in the notation of IPv6.
pub fn parse_ip(text: &str) -> Result<IpAddr, Problem> {
    let address = text.parse::<IpAddr>().map_err(|_| {
        Problem::new(
            "Not an IP address",
            format!("{text:?} is not an IPv4 or IPv6 address. A host name is not possible here."),
        )
    })?;
    if let IpAddr::V6(address) = address
        && let Some(plain) = address.to_ipv4_mapped()
    {
        return Err(mapped(text, &plain.to_string()));
    }
    Ok(address)
}

fn mapped(text: &str, plain: &str) -> Problem {
    Problem::new("IPv4 in the notation of IPv6", format!("{text:?} stands for IPv4. Write it so: {plain:?}."))
}

/// Whether a list of pod or service networks is one that Kubernetes takes: one, or one per IP family.
///
/// # Errors
/// No entry, more than two, or two of the same family.
pub fn check_cidr_families(networks: &[IpNet]) -> Result<(), Problem> {
    let wrong = |detail: String| Err(Problem::new("Networks do not fit together", detail));
    match networks {
        [_] => Ok(()),
        [IpNet::V4(_), IpNet::V6(_)] | [IpNet::V6(_), IpNet::V4(_)] => Ok(()),
        [one, other] => wrong(format!(
            "{one} and {other} are of the same IP family. Kubernetes takes one network, or one IPv4 and one IPv6 network."
        )),
        [] => wrong("The list is empty. Give one network, or leave the attribute out.".to_owned()),
        more => {
            wrong(format!("{} networks are given. Kubernetes takes at most one IPv4 and one IPv6 network.", more.len()))
        }
    }
}

/// True if two networks have an address in common.
pub fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// Whether pods and services of the tenant have networks of their own.
///
/// # Errors
/// The first pair that overlaps.
pub fn check_no_overlap(pods: &[IpNet], services: &[IpNet]) -> Result<(), Problem> {
    for pod in pods {
        for service in services {
            if overlap(pod, service) {
                return Err(Problem::new(
                    "Pod and service networks overlap",
                    format!(
                        "The pod network {pod} and the service network {service} overlap, so that addresses of pods and \
                         Services collide. Choose networks without a common address."
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Whether every DNS service IP lies in a service network.
///
/// Kamaji judges the object *before* an update by this rule: a wrong value is stored and then blocks every later write,
/// the deletion included. So it has to be right before it is sent.
///
/// # Errors
/// The first address that lies outside, or that is an address that Services cannot have.
pub fn check_dns_service_ips(addresses: &[IpAddr], services: &[IpNet]) -> Result<(), Problem> {
    for address in addresses {
        let Some(network) = services.iter().find(|network| network.contains(address)) else {
            let networks: Vec<String> = services.iter().map(ToString::to_string).collect();
            return Err(Problem::new(
                "DNS service IP outside the service network",
                format!(
                    "{address} is not in {}. Kamaji would block every later change of the tenant, its deletion included. \
                     Choose an address inside the service network, by custom its tenth.",
                    if networks.is_empty() { "any service network".to_owned() } else { networks.join(" or ") }
                ),
            ));
        };
        // The first address is the `kubernetes` Service; the network's own is no address at all.
        if *address == network.network() || Some(*address) == first_address(network) {
            return Err(Problem::new(
                "DNS service IP is taken",
                format!("{address} is reserved in {network}: the first address belongs to the Service \"kubernetes\"."),
            ));
        }
    }
    Ok(())
}

fn first_address(network: &IpNet) -> Option<IpAddr> {
    match network.network() {
        IpAddr::V4(address) => u32::from(address).checked_add(1).map(|next| IpAddr::V4(Ipv4Addr::from(next))),
        IpAddr::V6(address) => u128::from(address).checked_add(1).map(|next| IpAddr::V6(Ipv6Addr::from(next))),
    }
}

/// The DNS service IPs that Kamaji's webhook fills in on create, one per service network and in its order: the address as
/// typed with its last byte plus 10 (IPv4) or plus 16 (IPv6). The byte wraps as the webhook's does.
///
/// # Errors
/// A default that lies outside its network, which the webhook would deny: the user has to choose.
pub fn default_dns_service_ips(services: &[IpNet]) -> Result<Vec<IpAddr>, Problem> {
    let defaults: Vec<IpAddr> = services
        .iter()
        .map(|network| match network.addr() {
            IpAddr::V4(address) => {
                let [a, b, c, last] = address.octets();
                IpAddr::from([a, b, c, last.wrapping_add(10)])
            }
            IpAddr::V6(address) => {
                let mut octets = address.octets();
                octets[15] = octets[15].wrapping_add(16);
                IpAddr::from(octets)
            }
        })
        .collect();
    match services.iter().zip(&defaults).find(|(network, address)| !network.contains(*address)) {
        Some((network, address)) => Err(Problem::new(
            "Service network has no default DNS IP",
            format!(
                "Kamaji's default DNS service IP {address} is outside {network}, and the request would be denied. Set \
                 dns_service_ips to an address inside it, or choose a larger service network."
            ),
        )),
        None => Ok(defaults),
    }
}

/// Whether a certificate SAN is one that Kamaji takes: a DNS-1123 subdomain, a wildcard of one, or an IP address.
///
/// # Errors
/// None of the three.
pub fn check_cert_san(text: &str) -> Result<(), Problem> {
    let dns = text.strip_prefix("*.").unwrap_or(text);
    if text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && is_dns1123_subdomain(dns)) {
        return Ok(());
    }
    let advice = if text.contains("://") {
        "Leave out the scheme."
    } else if text.parse::<Endpoint>().is_ok() {
        "Leave out the port."
    } else {
        "Write a lower-case DNS name, a wildcard such as \"*.example.com\", or an IP address."
    };
    Err(Problem::new("Certificate SAN is not valid", format!("{text:?} cannot be in a certificate. {advice}")))
}

/// A host and a port: `api.example.com:6443`, `10.0.0.1:6443`, `[2001:db8::1]:6443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A DNS name or an IP address, the latter without brackets.
    pub host: String,
    /// From 1.
    pub port: u16,
}

impl Endpoint {
    /// As the server of a kubeconfig: `https://host:port`.
    pub fn url(&self) -> String {
        format!("https://{self}")
    }

    /// From the server of a kubeconfig. A missing port means 443, as it does for https.
    ///
    /// # Errors
    /// Not `https://host[:port]`, with or without a path.
    pub fn from_url(url: &str) -> Result<Self, Problem> {
        let wrong =
            || Problem::new("Not an https URL", format!("{url:?} is not a URL of the form \"https://host:port\"."));
        let authority = url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).ok_or_else(wrong)?;
        let without_port = !authority.contains(':') || authority.ends_with(']');
        let text = if without_port { format!("{authority}:443") } else { authority.to_owned() };
        text.parse().map_err(|_: Problem| wrong())
    }
}

/// With brackets round an IPv6 address.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FromStr for Endpoint {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = |advice: &str| {
            Err(Problem::new(
                "Not a host and port",
                format!("{text:?} is not of the form \"host:port\", like \"db.example.com:5432\". {advice}"),
            ))
        };
        if text.contains("://") {
            return wrong("Leave out the scheme.");
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None => return wrong("Add the port."),
        };
        let host = match (host.strip_prefix('['), host.contains(':')) {
            (Some(inner), _) => match inner.strip_suffix(']') {
                Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => inner,
                _ if text.ends_with(']') => return wrong("Add the port."),
                _ => return wrong("Between the brackets belongs an IPv6 address."),
            },
            (None, true) => {
                return wrong("Put the IPv6 address in brackets and add the port, as in \"[2001:db8::1]:6443\".");
            }
            (None, false) if is_host_name(host) => host,
            (None, false) => return wrong("The host is neither a DNS name nor an IP address."),
        };
        match port.parse() {
            Ok(port) if port > 0 && text.ends_with(|last: char| last.is_ascii_digit()) && !text.contains(":+") => {
                Ok(Self { host: host.to_owned(), port })
            }
            _ => wrong("The port is a number from 1 to 65535."),
        }
    }
}

/// A DNS name in either case, or an IPv4 address. Underscores occur in names of Compose and Docker networks.
fn is_host_name(host: &str) -> bool {
    is_dns1123_subdomain(&host.to_ascii_lowercase().replace('_', "-"))
}

fn text_rule(words: &'static str, check: impl Fn(&str) -> Result<(), Problem> + Send + Sync + 'static) -> Validator {
    Validator::new(words, move |value| value.as_str().map_or(Ok(()), &check))
}

/// A network in CIDR notation without host bits.
pub fn cidr() -> Validator {
    text_rule("a network in CIDR notation", |text| parse_cidr(text).map(|_| ()))
}

/// A list of pod or service networks: one, or one per family.
pub fn cidr_list() -> Validator {
    Validator::new("one network in CIDR notation, or one IPv4 and one IPv6 network", |list| {
        let items = list.as_list().unwrap_or_default();
        let networks = items.iter().filter_map(Value::as_str).map(parse_cidr).collect::<Result<Vec<_>, _>>()?;
        // Unknown entries count, but their family is not known yet.
        if networks.len() == items.len() || items.len() > 2 { check_cidr_families(&networks) } else { Ok(()) }
    })
}

/// An IP address.
pub fn ip_address() -> Validator {
    text_rule("an IP address", |text| parse_ip(text).map(|_| ()))
}

/// A subject alternative name of the API server's certificate.
pub fn cert_san() -> Validator {
    text_rule("a DNS name, a wildcard DNS name or an IP address", check_cert_san)
}

/// A port number.
pub fn port() -> Validator {
    Validator::between(1, 65535)
}

/// `host:port`
pub fn host_port() -> Validator {
    text_rule("`host:port`", |text| text.parse::<Endpoint>().map(|_| ()))
}

/// The host name of an Ingress in front of a control plane: `host` or `host:port`.
pub fn ingress_hostname() -> Validator {
    text_rule("a DNS name, with or without a port", |text| {
        let host = text.parse::<Endpoint>().map_or_else(|_| text.to_owned(), |endpoint| endpoint.host);
        if is_dns1123_subdomain(&host) && host.parse::<IpAddr>().is_err() {
            return Ok(());
        }
        Err(Problem::new(
            "Ingress host name is not valid",
            format!("{text:?} is not a lower-case DNS name with or without a port, like \"t1.example.com:443\"."),
        ))
    })
}

#[cfg(test)]
mod tests;
