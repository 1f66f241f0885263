//! Which proxy leads to the API server, by Go's rules for `HTTPS_PROXY` and `NO_PROXY`: the ones that kubectl, Terraform
//! and its other providers follow.
//!
//! kube compares `NO_PROXY` with the proxy's own URL, so the decision is made here.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

/// A proxy setting that is no URL of a proxy. Holds no user or password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin} is not the URL of a proxy (http://, https:// or socks5://, then host and port)")]
pub struct ProxyError {
    /// The setting or variable that holds it.
    pub origin: String,
}

/// Reads the URL of a proxy; without a scheme it is `http://`.
pub fn proxy_url(origin: &str, text: &str) -> Result<Uri, ProxyError> {
    let error = || ProxyError { origin: origin.to_owned() };
    let text = text.trim();
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    // The resolver of host names is the proxy's in either case.
    let url = url.replacen("socks5h://", "socks5://", 1);
    let url: Uri = url.parse().map_err(|_| error())?;
    match (url.scheme_str(), url.host()) {
        (Some("http" | "https" | "socks5"), Some(host)) if !host.is_empty() => Ok(url),
        _ => Err(error()),
    }
}

/// The proxy that the environment names for the API server, if any.
pub fn from_environment(cluster: &Uri, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Uri>, ProxyError> {
    let either = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| Some((name, variable(name).filter(|value| !value.trim().is_empty())?)))
    };
    let https = cluster.scheme_str() != Some("http");
    let names = if https { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let Some((name, value)) = either(names) else { return Ok(None) };
    let host = cluster.host().unwrap_or_default();
    let port = cluster.port_u16().unwrap_or(if https { 443 } else { 80 });
    let exempt = either(["NO_PROXY", "no_proxy"]).is_some_and(|(_, rules)| is_exempt(host, port, &rules));
    if exempt || is_local(host) { Ok(None) } else { proxy_url(name, &value).map(Some) }
}

/// The machine itself is never reached through a proxy.
fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address(host).is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// `*`, an address, a CIDR, a name with its subdomains, `.name` or `*.name` for the subdomains alone; a name or an
/// address may carry a port.
fn is_exempt(host: &str, port: u16, rules: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    rules.split(',').map(str::trim).filter(|rule| !rule.is_empty()).any(|rule| {
        let rule = rule.to_ascii_lowercase();
        if rule == "*" {
            return true;
        }
        if let Ok(net) = rule.parse::<IpNet>() {
            return address(&host).is_some_and(|address| net.contains(&address));
        }
        if let Some(exempt) = address(&rule) {
            return address(&host) == Some(exempt);
        }
        let (name, wanted) = match rule.rsplit_once(':') {
            Some((name, digits)) => match digits.parse::<u16>() {
                Ok(wanted) => (name, Some(wanted)),
                Err(_) => return false,
            },
            None => (rule.as_str(), None),
        };
        if wanted.is_some_and(|wanted| wanted != port) {
            return false;
        }
        if let Some(exempt) = address(name) {
            return address(&host) == Some(exempt);
        }
        let name = name.strip_prefix('*').unwrap_or(name);
        match name.strip_prefix('.') {
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
            None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("mgmt.internal", "mgmt.internal", true)]
    #[case("mgmt.internal", "internal", true)]
    #[case("mgmt.internal", ".internal", true)]
    #[case("mgmt.internal", "*.internal", true)]
    #[case("internal", ".internal", false)]
    #[case("notinternal", "internal", false)]
    #[case("mgmt.internal", "MGMT.Internal", true)]
    #[case("mgmt.internal", "mgmt.internal:6443", true)]
    #[case("mgmt.internal", "mgmt.internal:443", false)]
    #[case("10.1.2.3", "10.0.0.0/8", true)]
    #[case("10.1.2.3", "192.168.0.0/16, 10.1.2.3", true)]
    #[case("10.1.2.3", "10.1.2.3:6443", true)]
    #[case("10.1.2.3", "10.1.2.4", false)]
    #[case("[fd00::1]", "fd00::/8", true)]
    #[case("[fd00::1]", "fd00::1", true)]
    #[case("[fd00::1]", "[fd00::1]:6443", true)]
    #[case("anything", "*", true)]
    #[case("anything", " , ", false)]
    #[case("anything", "anything:x", false)]
    fn no_proxy_is_read_as_go_reads_it(#[case] host: &str, #[case] rules: &str, #[case] exempt: bool) {
        assert_eq!(is_exempt(host, 6443, rules), exempt);
    }

    fn with(cluster: &str, variables: &[(&str, &str)]) -> Result<Option<String>, ProxyError> {
        let lookup = |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        let proxy = from_environment(&cluster.parse().expect("a URL"), &lookup)?;
        Ok(proxy.map(|proxy| proxy.to_string()))
    }

    #[test]
    fn the_exemption_is_for_the_cluster_not_for_the_proxy() {
        let proxy = ("HTTPS_PROXY", "http://proxy.corp:3128");
        assert_eq!(with("https://mgmt:6443", &[proxy]), Ok(Some("http://proxy.corp:3128/".into())));
        assert_eq!(with("https://mgmt:6443", &[proxy, ("NO_PROXY", "mgmt")]), Ok(None));
        assert_eq!(
            with("https://mgmt:6443", &[proxy, ("NO_PROXY", "proxy.corp")]),
            Ok(Some("http://proxy.corp:3128/".into()))
        );
    }

    #[rstest::rstest]
    #[case("https://localhost:6443")]
    #[case("https://127.0.0.1:6443")]
    #[case("https://[::1]:6443")]
    fn the_machine_itself_needs_no_proxy(#[case] cluster: &str) {
        assert_eq!(with(cluster, &[("HTTPS_PROXY", "http://proxy:3128")]), Ok(None));
    }

    #[test]
    fn the_variable_follows_the_scheme_and_may_be_in_small_letters() {
        assert_eq!(with("http://mgmt:80", &[("HTTPS_PROXY", "http://p:1")]), Ok(None));
        assert_eq!(with("http://mgmt:80", &[("http_proxy", "p:1")]), Ok(Some("http://p:1/".into())));
    }

    #[test]
    fn a_proxy_that_is_none_is_named_without_its_password() {
        let error = with("https://mgmt", &[("HTTPS_PROXY", "ftp://user:s3cret@p")]).expect_err("refused");
        assert!(error.to_string().contains("HTTPS_PROXY") && !error.to_string().contains("s3cret"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_setting_is_a_panic(host in ".*", rules in ".*") {
            let _ = is_exempt(&host, 6443, &rules);
            let _ = proxy_url("x", &rules);
        }
    }
}
