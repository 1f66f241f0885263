use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};
use rstest::rstest;
use tfplugin::function::check::check_function;
use tfplugin::function::{Arguments, Function, FunctionError};
use tfplugin::schema::Kind;
use tfplugin::value::Number;

use super::*;
use crate::database::tests::pem;
use crate::kamaji::certificate::tests::{EC_CA, EC_PIN};

fn function(name: &str) -> &'static dyn Function {
    ALL.into_iter().find(|function| function.name() == name).expect("a function of this name")
}

/// As core calls it.
fn call(name: &str, arguments: impl IntoIterator<Item = Value>) -> Result<Value, FunctionError> {
    let function = function(name);
    let arguments = Arguments::of(function.signature(), arguments.into_iter().collect())?;
    function.call(&arguments.expect("known arguments"))
}

fn texts(name: &str, arguments: &[&str]) -> Result<Value, FunctionError> {
    call(name, arguments.iter().map(|&text| text.into()))
}

fn config(members: &[(&str, &str)]) -> Value {
    Value::object(members.iter().map(|&(name, text)| (name, Value::from(text))))
}

#[test]
fn core_accepts_every_function() {
    for function in ALL {
        assert_eq!(check_function(function), Vec::<String>::new(), "{}", function.name());
    }
    assert!(ALL.is_sorted_by_key(|function| function.name()));
}

#[rstest]
#[case("v1.9.0", "v1.10.0", -1)]
#[case("1.30.2", "v1.30.2", 0)]
#[case("v1.31.0", "v1.31.0-rc.1", 1)]
fn versions_are_compared_by_meaning(#[case] one: &str, #[case] other: &str, #[case] order: i64) {
    assert_eq!(texts("version_compare", &[one, other]), Ok(order.into()));
}

#[rstest]
#[case("1Gi", "1024Mi", 0)]
#[case("500m", "1", -1)]
#[case("1Gi", "1G", 1)]
fn quantities_are_compared_by_amount(#[case] one: &str, #[case] other: &str, #[case] order: i64) {
    assert_eq!(texts("quantity_compare", &[one, other]), Ok(order.into()));
}

#[rstest]
#[case("v1.30.2", "v1.30.0", true)]
#[case("v1.28.9+k3s1", "1.31.0", true)]
#[case("v1.27.9", "v1.31.0", false)]
#[case("v1.31.0", "v1.30.9", false)]
#[case("v1.24.0", "v1.27.0", false)]
fn a_kubelet_follows_its_api_server(#[case] kubelet: &str, #[case] api_server: &str, #[case] ok: bool) {
    assert_eq!(texts("kubelet_skew_ok", &[kubelet, api_server]), Ok(ok.into()));
}

#[rstest]
#[case::there(&["v1.30.2", "1.30.2"], &[])]
#[case::patch(&["v1.30.2", "v1.30.4"], &["v1.30.4"])]
#[case::way(&["v1.30.2", "v1.33.1"], &["v1.31.0", "v1.32.0", "v1.33.1"])]
#[case::patches(&["v1.30.2", "v1.33.1", "v1.32.7", "v1.31.9"], &["v1.31.9", "v1.32.7", "v1.33.1"])]
fn the_way_has_every_minor_version(#[case] arguments: &[&str], #[case] way: &[&str]) {
    assert_eq!(texts("next_versions", arguments), Ok(Value::strings(way.iter().copied())));
}

#[rstest]
#[case("10.96.0.0/16", "10.96.0.10", true)]
#[case("10.96.0.0/16", "10.96.4.0/24", true)]
#[case("10.96.0.0/16", "10.0.0.0/8", false)]
#[case("10.96.0.0/16", "fd00::1", false)]
#[case("fd00::/108", "fd00::/112", true)]
fn a_network_contains_what_lies_in_it(#[case] network: &str, #[case] other: &str, #[case] inside: bool) {
    assert_eq!(texts("cidr_contains", &[network, other]), Ok(inside.into()));
}

#[rstest]
#[case(&["10.96.0.0/16"], false)]
#[case(&["10.96.0.0/16", "10.244.0.0/16"], false)]
#[case(&["10.96.0.0/16", "10.244.0.0/16", "10.96.255.0/24"], true)]
#[case(&["10.96.0.0/16", "10.0.0.0/8"], true)]
fn a_network_overlaps_if_an_address_is_in_both(#[case] networks: &[&str], #[case] overlaps: bool) {
    assert_eq!(texts("cidr_overlaps", networks), Ok(overlaps.into()));
}

#[rstest]
#[case("10.96.0.0/16", "10.96.0.10")]
#[case("fd00::/108", "fd00::10")]
fn the_dns_service_has_the_address_that_kamaji_gives(#[case] network: &str, #[case] address: &str) {
    assert_eq!(texts("dns_service_ip", &[network]), Ok(address.into()));
}

#[rstest]
#[case::datastore("default", &[("name", "default")])]
#[case::tenant("tenants/a", &[])]
#[case::join("tenants/a/x7k2p9q4zz", &[("join_id", "x7k2p9q4zz")])]
#[case::worker("tenants/a#node-1", &[("node_name", "node-1")])]
#[case::labels(
    "tenants/a/label_selector=example.com/pool=a",
    &[("label_selector", "example.com/pool=a")]
)]
fn an_id_is_taken_apart(#[case] id: &str, #[case] more: &[(&str, &str)]) {
    let parts = texts("parse_resource_id", &[id]).unwrap();
    let mut wanted: Vec<(&str, &str)> = more.to_vec();
    if id.contains('/') {
        wanted.extend([("namespace", "tenants"), ("name", "a"), ("tenant_control_plane_id", "tenants/a")]);
    }
    let found = parts.as_object().unwrap().iter().filter(|(_, part)| part.is_set());
    let found: Vec<(&str, &str)> = found.map(|(name, part)| (name.as_str(), part.as_str().unwrap())).collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

#[test]
fn the_id_of_several_nodes_names_them() {
    let parts = texts("parse_resource_id", &["tenants/a/node_names=a-0,a-1"]).unwrap();
    assert_eq!(parts.get("node_names"), &Value::strings(["a-0", "a-1"]));
    assert!(parts.get("node_name").is_null());
}

fn join(more: &[(&str, Value)]) -> Result<Value, FunctionError> {
    let mut all =
        config(&[("endpoint", "10.0.0.1:6443"), ("token", "abcdef.0123456789abcdef"), ("ca_certificate", EC_CA)]);
    for (name, value) in more {
        all.set(name, value.clone());
    }
    call("join_command", [all])
}

#[test]
fn the_join_command_is_kubeadms() {
    let plain =
        format!("kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash {EC_PIN}");
    assert_eq!(join(&[]), Ok(plain.as_str().into()));
    let more = [("node_name", "a".into()), ("ignore_preflight_errors", Value::strings(["Swap"]))];
    assert_eq!(join(&more), Ok(format!("{plain} --node-name a --ignore-preflight-errors Swap").into()));
}

/// A key and its certificate.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
    (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()))
}

#[test]
fn what_is_built_is_taken_apart_into_the_same() {
    let (certificate, key) = pair();
    let given = config(&[
        ("host", "https://10.0.0.1:6443"),
        ("cluster_ca_certificate", EC_CA),
        ("client_certificate", &certificate),
        ("client_key", &key),
        ("token", "t"),
        ("cluster", "blue"),
        ("user", "me"),
    ]);
    let built = call("build_kubeconfig", [given.clone()]).unwrap();
    assert_eq!(call("parse_kubeconfig", [built.clone()]), Ok(given.clone()));
    assert_eq!(call("build_kubeconfig", [given]), Ok(built), "pure");
}

#[test]
fn names_that_are_not_given_are_kubeadms_and_nobody_needs_no_user() {
    let plain = [("host", "https://a"), ("cluster_ca_certificate", EC_CA)];
    let parts = |given: Value| call("parse_kubeconfig", [call("build_kubeconfig", [given]).unwrap()]).unwrap();
    let nobody = parts(config(&plain));
    assert_eq!((nobody.str_at("cluster"), nobody.get("user")), (Some("kubernetes"), &Value::Null));
    let mut holder = config(&plain);
    holder.set("token", "t".into());
    assert_eq!(parts(holder).str_at("user"), Some("kubernetes-admin"));
    assert_eq!(parts(nobody.clone()), nobody, "what was taken apart can be built");
}

#[test]
fn what_is_parsed_can_be_built() {
    let inside = |kind: &Kind| match kind {
        Kind::Object(inner) => inner.iter().map(|attribute| attribute.name).collect::<std::collections::BTreeSet<_>>(),
        _ => panic!("no object"),
    };
    let parsed = inside(&function("parse_kubeconfig").signature().result.kind);
    assert_eq!(parsed, inside(&function("build_kubeconfig").signature().parameters[0].attribute.kind));
}

#[rstest]
#[case::no_version("version_compare", &["v1.30.2", "v1.30"], 1, "write \"v1.30.0\"")]
#[case::no_kubelet("kubelet_skew_ok", &["kubelet", "v1.30.2"], 0, "\"kubelet\"")]
#[case::downgrade("next_versions", &["v1.31.0", "v1.30.2"], 1, "cannot go back to v1.30.2")]
#[case::another_major("next_versions", &["v1.31.0", "v2.0.0"], 1, "v2.0.0")]
#[case::two_patches("next_versions", &["v1.30.2", "v1.32.0", "v1.31.1", "v1.31.2"], 3, "of the same minor version")]
#[case::no_patch("next_versions", &["v1.30.2", "v1.32.0", "v1.31"], 2, "write \"v1.31.0\"")]
#[case::no_quantity("quantity_compare", &["1Gi", "much"], 1, "\"much\" is not a quantity")]
#[case::no_cidr("cidr_contains", &["10.96.0.0", "10.96.0.1"], 0, "\"10.96.0.0\" is not a network")]
#[case::host_bits("cidr_contains", &["10.96.0.0/16", "10.96.0.1/24"], 1, "\"10.96.0.0/24\"")]
#[case::no_address("cidr_contains", &["10.96.0.0/16", "dns"], 1, "\"dns\" is not an IPv4 or IPv6 address")]
#[case::no_other("cidr_overlaps", &["10.96.0.0/16", "10.97.0.0/16", "x"], 2, "\"x\" is not a network")]
#[case::too_small("dns_service_ip", &["10.96.0.0/29"], 0, "outside 10.96.0.0/29")]
#[case::no_id("parse_resource_id", &["a/b/c/d"], 0, "\"a/b/c/d\" is not the id")]
#[case::no_tenant("parse_resource_id", &["tenants/"], 0, "\"tenants/\" is not the id")]
#[case::no_kubeconfig("parse_kubeconfig", &["{}"], 0, "has no context")]
fn a_wrong_argument_is_named_with_its_value(
    #[case] name: &str,
    #[case] arguments: &[&str],
    #[case] argument: usize,
    #[case] words: &str,
) {
    let error = texts(name, arguments).unwrap_err();
    assert_eq!(error.argument, Some(argument), "{error:?}");
    assert!(error.text.contains(words), "{error:?}");
}

#[rstest]
#[case::host(&[("host", "http://a")], "\"http://a\" is not a URL of the form \"https://host:port\"")]
#[case::ca(&[("cluster_ca_certificate", "a")], "has no well-formed \"BEGIN CERTIFICATE\" block")]
#[case::key_alone(&[("client_key", "s3cret")], "`config.client_key` must be a private key in PEM")]
#[case::blank(&[("token", "s3cret s3cret")], "`config.token` must be a token without blanks")]
#[case::misspelled(&[("tokn", "s3cret")], "has no attribute \"tokn\"")]
fn a_kubeconfig_that_nobody_could_use_is_not_built(#[case] more: &[(&str, &str)], #[case] words: &str) {
    let mut given = config(&[("host", "https://a:6443"), ("cluster_ca_certificate", EC_CA)]);
    more.iter().for_each(|&(name, text)| given.set(name, text.into()));
    let error = call("build_kubeconfig", [given]).unwrap_err();
    assert!(error.argument == Some(0) && error.text.contains(words), "{error:?}");
    assert!(!error.text.contains("s3cret"), "{error:?}");
}

#[test]
fn a_key_belongs_to_its_certificate() {
    let ((certificate, key), (_, other)) = (pair(), pair());
    let with = |more: &[(&str, &str)]| {
        let mut all = config(&[("host", "https://a"), ("cluster_ca_certificate", EC_CA)]);
        more.iter().for_each(|&(name, text)| all.set(name, text.into()));
        call("build_kubeconfig", [all]).map_err(|error| error.text)
    };
    assert!(with(&[("client_certificate", &certificate), ("client_key", &key)]).is_ok());
    let error = with(&[("client_certificate", &certificate), ("client_key", &other)]).unwrap_err();
    assert!(error.contains("does not belong to the certificate"), "{error}");
    assert!(with(&[("client_certificate", &certificate)]).unwrap_err().starts_with("`config.client_key` is missing"));
    assert!(with(&[("client_key", &key)]).unwrap_err().starts_with("`config.client_certificate` is missing"));
}

#[test]
fn a_token_that_is_none_is_not_repeated() {
    let error = join(&[("token", "s3cret".into())]).unwrap_err();
    assert!(
        error.text.contains("`config.token` must be a bootstrap token") && !error.text.contains("s3cret"),
        "{error:?}"
    );
}

/// Anything that a caller may put where a string is wanted.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "\\PC{0,30}".prop_map(Value::from),
        "[v0-9./:a-f]{0,12}".prop_map(Value::from),
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("a number", |float| !float.is_nan())
            .prop_map(|float| Value::Number(Number::Float(float))),
        proptest::collection::vec("\\PC{0,5}", 0..3).prop_map(Value::strings),
        proptest::collection::btree_map("[a-z_]{0,9}", "\\PC{0,9}", 0..3)
            .prop_map(|members| Value::object(members.into_iter().map(|(name, text)| (name, Value::from(text))))),
    ]
}

proptest! {
    #[test]
    fn what_is_built_reads_back(
        cluster in "[^\\p{C}]{1,20}",
        user in "[^\\p{C}]{1,20}",
        host in "[a-z0-9]{1,20}",
        port in 1_u16..,
        token in "[!-~]{1,40}",
    ) {
        let host = format!("https://{host}:{port}");
        let mut given = config(&[
            ("host", &host), ("cluster_ca_certificate", EC_CA), ("token", &token), ("cluster", &cluster), ("user", &user),
        ]);
        let built = call("build_kubeconfig", [given.clone()]);
        prop_assert!(built.is_ok(), "{:?}", built);
        given.set("client_certificate", Value::Null);
        given.set("client_key", Value::Null);
        prop_assert_eq!(call("parse_kubeconfig", built), Ok(given));
    }

    #[test]
    fn no_argument_makes_a_function_panic(
        name in proptest::sample::select(ALL.map(|function| function.name()).to_vec()),
        arguments in proptest::collection::vec(any_value(), 0..4),
    ) {
        let function = function(name);
        if let Ok(Some(arguments)) = Arguments::of(function.signature(), arguments)
            && let Ok(result) = function.call(&arguments)
        {
            prop_assert_eq!(function.signature().result.value_type().stranger(&result), None);
        }
    }
}
