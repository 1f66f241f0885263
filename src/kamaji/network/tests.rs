use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[rstest]
#[case::v4("10.96.0.0/16", None)]
#[case::v6("fd00::/112", None)]
#[case::host_bits("10.96.0.5/16", Some("Write the network itself: \"10.96.0.0/16\""))]
#[case::mapped("::ffff:10.96.0.0/112", Some("Write it so: \"10.96.0.0/16\""))]
#[case::host_bits_v6("fd00::5/112", Some("\"fd00::/112\""))]
#[case::no_prefix("10.96.0.0", Some("Write an address and a prefix length"))]
#[case::too_long("10.96.0.0/33", Some("CIDR"))]
#[case::leading_zero("010.96.0.0/16", Some("CIDR"))]
#[case::word("pods", Some("CIDR"))]
fn a_cidr_is_a_network_without_host_bits(#[case] text: &str, #[case] problem: Option<&str>) {
    let found = cidr().check(&Value::from(text)).err();
    match problem {
        None => assert_eq!(found, None),
        Some(words) => assert!(found.is_some_and(|found| found.detail.contains(words))),
    }
}

#[rstest]
#[case::one(&["10.96.0.0/16"], true)]
#[case::dual_stack(&["10.96.0.0/16", "fd00::/112"], true)]
#[case::dual_stack_v6_first(&["fd00::/112", "10.96.0.0/16"], true)]
#[case::none(&[], false)]
#[case::same_family(&["10.96.0.0/16", "10.97.0.0/16"], false)]
#[case::three(&["10.96.0.0/16", "fd00::/112", "10.97.0.0/16"], false)]
fn a_list_has_one_network_per_family(#[case] list: &[&str], #[case] good: bool) {
    assert_eq!(cidr_list().check(&Value::strings(list.iter().copied())).is_ok(), good);
}

#[test]
fn an_unknown_network_is_not_judged() {
    let list = Value::List(vec![Value::from("10.96.0.0/16"), Value::Unknown]);
    assert!(cidr_list().check(&list).is_ok());
}

#[rstest]
#[case::apart(&["10.244.0.0/16"], &["10.96.0.0/16"], true)]
#[case::same(&["10.96.0.0/16"], &["10.96.0.0/16"], false)]
#[case::service_inside(&["10.0.0.0/8"], &["10.96.0.0/16"], false)]
#[case::pod_inside(&["10.96.128.0/17"], &["10.96.0.0/16"], false)]
#[case::families(&["10.244.0.0/16", "fd00:1::/64"], &["10.96.0.0/16", "fd00:2::/112"], true)]
#[case::second_pair(&["10.244.0.0/16", "fd00::/64"], &["10.96.0.0/16", "fd00::/112"], false)]
fn pods_and_services_do_not_share_addresses(#[case] pods: &[&str], #[case] services: &[&str], #[case] good: bool) {
    assert_eq!(check_no_overlap(&networks(pods), &networks(services)).is_ok(), good);
}

#[rstest]
#[case::inside(&["10.96.0.10"], &["10.96.0.0/16"], None)]
#[case::dual(&["10.96.0.10", "fd00::10"], &["10.96.0.0/16", "fd00::/112"], None)]
#[case::outside(&["10.97.0.10"], &["10.96.0.0/16"], Some("DNS service IP outside the service network"))]
#[case::second_outside(&["10.96.0.10", "fd01::10"], &["10.96.0.0/16", "fd00::/112"], Some("DNS service IP outside the service network"))]
#[case::no_network(&["10.96.0.10"], &[], Some("DNS service IP outside the service network"))]
#[case::kubernetes_service(&["10.96.0.1"], &["10.96.0.0/16"], Some("DNS service IP is taken"))]
#[case::network_address(&["10.96.0.0"], &["10.96.0.0/16"], Some("DNS service IP is taken"))]
fn a_dns_service_ip_is_a_free_service_address(
    #[case] ips: &[&str],
    #[case] services: &[&str],
    #[case] problem: Option<&str>,
) {
    let found = check_dns_service_ips(&addresses(ips), &networks(services)).err();
    assert_eq!(found.map(|found| found.summary).as_deref(), problem);
}

#[rstest]
#[case::v4(&["10.96.0.0/16"], Some(&["10.96.0.10"][..]))]
#[case::v6(&["fd00::/120"], Some(&["fd00::10"][..]))]
#[case::dual_stack(&["10.96.0.0/16", "fd00::/120"], Some(&["10.96.0.10", "fd00::10"][..]))]
#[case::as_typed(&["10.96.0.5/16"], Some(&["10.96.0.15"][..]))]
#[case::too_small(&["10.96.0.0/29"], None)]
#[case::wraps(&["10.96.0.248/29"], None)]
fn the_default_dns_service_ip_is_the_webhooks(#[case] services: &[&str], #[case] wanted: Option<&[&str]>) {
    assert_eq!(default_dns_service_ips(&networks(services)).ok(), wanted.map(addresses));
}

#[rstest]
#[case::name("api.example.com", true)]
#[case::wildcard("*.example.com", true)]
#[case::v4("10.0.0.1", true)]
#[case::v6("2001:db8::1", true)]
#[case::star("*", false)]
#[case::inner_star("a.*.com", false)]
#[case::capital("Api.example.com", false)]
#[case::empty("", false)]
fn a_san_is_a_name_a_wildcard_or_an_address(#[case] text: &str, #[case] good: bool) {
    assert_eq!(cert_san().check(&Value::from(text)).is_ok(), good);
}

#[rstest]
#[case("https://api.example.com", "Leave out the scheme.")]
#[case("api.example.com:6443", "Leave out the port.")]
#[case("[::1]:6443", "Leave out the port.")]
fn a_san_that_is_an_endpoint_is_answered_with_what_to_drop(#[case] text: &str, #[case] advice: &str) {
    assert!(check_cert_san(text).unwrap_err().detail.contains(advice));
}

#[rstest]
#[case::name("db.example.com:5432", "db.example.com", 5432)]
#[case::v4("10.0.0.1:2379", "10.0.0.1", 2379)]
#[case::v6("[2001:db8::1]:6443", "2001:db8::1", 6443)]
#[case::compose_name("my_db:3306", "my_db", 3306)]
fn an_endpoint_is_host_and_port(#[case] text: &str, #[case] host: &str, #[case] port: u16) {
    let endpoint: Endpoint = text.parse().unwrap();
    assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
    assert_eq!(endpoint.to_string(), text);
}

#[rstest]
#[case("https://db.example.com:5432", "Leave out the scheme.")]
#[case("db.example.com", "Add the port.")]
#[case("[2001:db8::1]", "Add the port.")]
#[case("2001:db8::1", "brackets")]
#[case("2001:db8::1:6443", "brackets")]
#[case("[db]:6443", "IPv6 address")]
#[case("db:0", "from 1 to 65535")]
#[case("db:65536", "from 1 to 65535")]
#[case("db:+80", "from 1 to 65535")]
#[case("db:", "from 1 to 65535")]
#[case("db:80/path", "from 1 to 65535")]
#[case(":80", "neither a DNS name")]
#[case("a b:80", "neither a DNS name")]
fn a_broken_endpoint_is_answered_with_what_to_write(#[case] text: &str, #[case] advice: &str) {
    let problem = host_port().check(&Value::from(text)).unwrap_err();
    assert!(problem.detail.contains(advice), "{}", problem.detail);
}

#[rstest]
#[case("https://t1.example.com:6443", Some("t1.example.com:6443"))]
#[case("https://t1.example.com", Some("t1.example.com:443"))]
#[case("https://[2001:db8::1]", Some("[2001:db8::1]:443"))]
#[case("https://[2001:db8::1]:6443/", Some("[2001:db8::1]:6443"))]
#[case("http://t1.example.com:6443", None)]
#[case("t1.example.com:6443", None)]
fn the_endpoint_of_a_kubeconfig_server_has_a_port(#[case] url: &str, #[case] wanted: Option<&str>) {
    assert_eq!(Endpoint::from_url(url).ok().map(|endpoint| endpoint.to_string()).as_deref(), wanted);
}

#[rstest]
#[case("t1.example.com", true)]
#[case("t1.example.com:443", true)]
#[case("T1.example.com", false)]
#[case("10.0.0.1", false)]
#[case("https://t1.example.com", false)]
fn an_ingress_host_is_a_name_with_or_without_port(#[case] text: &str, #[case] good: bool) {
    assert_eq!(ingress_hostname().check(&Value::from(text)).is_ok(), good);
}

fn any_network() -> impl Strategy<Value = IpNet> {
    prop_oneof![
        (any::<u32>(), 0_u8..=32)
            .prop_map(|(bits, prefix)| IpNet::new(IpAddr::V4(Ipv4Addr::from(bits)), prefix).unwrap().trunc()),
        (any::<u128>(), 0_u8..=128)
            .prop_map(|(bits, prefix)| IpNet::new(IpAddr::V6(Ipv6Addr::from(bits)), prefix).unwrap().trunc()),
    ]
}

proptest! {
    #[test]
    fn a_canonical_network_is_taken(network in any_network()) {
        prop_assert_eq!(parse_cidr(&network.to_string()).ok(), Some(network));
    }

    #[test]
    fn overlap_is_symmetric_and_reflexive(one in any_network(), other in any_network()) {
        prop_assert!(check_no_overlap(&[one], &[one]).is_err());
        prop_assert_eq!(check_no_overlap(&[one], &[other]).is_ok(), check_no_overlap(&[other], &[one]).is_ok());
    }

    #[test]
    fn a_default_dns_service_ip_passes_the_rule_for_dns_service_ips(network in any_network()) {
        if let Ok(defaults) = default_dns_service_ips(&[network]) {
            prop_assert!(check_dns_service_ips(&defaults, &[network]).is_ok());
        }
    }

    #[test]
    fn an_endpoint_reads_back(host in "[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,2}", port in 1_u16..) {
        let endpoint = Endpoint { host, port };
        prop_assert_eq!(Endpoint::from_url(&endpoint.url()).unwrap(), endpoint.clone());
        prop_assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,24}") {
        let _ = (parse_cidr(&text), check_cert_san(&text), text.parse::<Endpoint>(), Endpoint::from_url(&text));
    }
}
