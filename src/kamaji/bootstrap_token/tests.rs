use std::convert::Infallible;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const PLACEHOLDER: &str = "abcdef.0123456789abcdef";

fn token(text: &str) -> BootstrapToken {
    text.parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// As the API returns it: base64 under `data`.
fn stored(mut object: Value) -> Value {
    let plain = object.as_object_mut().unwrap().remove("stringData").unwrap();
    let encoded = plain.as_object().unwrap().iter().map(|(k, v)| (k.clone(), STANDARD.encode(v.as_str().unwrap())));
    object["data"] = encoded.map(|(key, value)| (key, Value::from(value))).collect();
    object
}

#[rstest]
#[case("abcdef.0123456789abcdef", true)]
#[case("ABCDEF.0123456789abcdef", false)]
#[case("abcde.0123456789abcdef", false)]
#[case("abcdef.0123456789abcde", false)]
#[case("abcdef.0123456789abcdef\n", false)]
#[case("abcdef0123456789abcdef", false)]
#[case("äbcde.0123456789abcdef", false)]
#[case("", false)]
fn a_token_has_six_and_sixteen_characters(#[case] text: &str, #[case] good: bool) {
    assert_eq!(text.parse::<BootstrapToken>().is_ok(), good);
}

#[test]
fn the_secret_object_is_what_kubernetes_reads() {
    let terms = Terms {
        expiration: Some(time("2026-01-02T03:04:05.678Z")),
        description: Some("pool a".to_owned()),
        extra_groups: vec!["system:bootstrappers:pool-a".to_owned()],
        labels: [("example.com/pool".to_owned(), "a".to_owned())].into(),
        ..Terms::default()
    };
    let wanted = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": "bootstrap-token-abcdef", "namespace": "kube-system", "labels": {"example.com/pool": "a"}, "annotations": {}},
        "stringData": {
            "token-id": "abcdef", "token-secret": "0123456789abcdef", "expiration": "2026-01-02T03:04:05Z",
            "description": "pool a", "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token,system:bootstrappers:pool-a",
        },
    });
    assert_eq!(secret_object(&token(PLACEHOLDER), &terms), wanted);
}

#[test]
fn a_patch_says_all_terms_and_removes_what_is_not_said() {
    let terms = Terms {
        expiration: Some(time("2026-01-02T03:04:05Z")),
        without_default_group: true,
        without_signing: true,
        ..Terms::default()
    };
    let wanted = json!({
        "metadata": {"uid": "u"},
        "data": {"description": null, "auth-extra-groups": null},
        "stringData": {
            "expiration": "2026-01-02T03:04:05Z", "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "false",
        },
    });
    assert_eq!(terms.patch("u"), wanted);
}

#[rstest]
#[case::before("2026-01-02T03:04:04Z", false)]
#[case::at_the_end("2026-01-02T03:04:05Z", true)]
fn a_token_expires_at_its_expiration(#[case] now: &str, #[case] expired: bool) {
    let terms = Terms { expiration: Some(time("2026-01-02T03:04:05Z")), ..Terms::default() };
    let found = read_secret(&stored(secret_object(&token(PLACEHOLDER), &terms))).unwrap();
    assert_eq!(found.expired(time(now)), expired);
    assert_eq!(found.usages, USAGES);
    assert_eq!(found.groups, [DEFAULT_GROUP]);
}

#[rstest]
#[case::none(None, Expiration::Never)]
#[case::empty(Some(""), Expiration::Never)]
#[case::offset(Some("2026-01-02T04:04:05+01:00"), Expiration::At(Timestamp::from_second(1_767_323_045).unwrap()))]
#[case::unreadable(Some("tomorrow"), Expiration::Unreadable)]
fn an_expiration_that_cannot_be_read_counts_as_past(#[case] text: Option<&str>, #[case] wanted: Expiration) {
    let mut object = secret_object(&token(PLACEHOLDER), &Terms::default());
    if let Some(text) = text {
        object["stringData"]["expiration"] = text.into();
    }
    assert_eq!(read_secret(&object).unwrap().expiration, wanted);
}

#[rstest]
#[case::type_("/type", json!("Opaque"))]
#[case::name("/metadata/name", json!("bootstrap-token-zzzzzz"))]
#[case::id("/stringData/token-id", json!("x"))]
#[case::missing_secret("/stringData/token-secret", json!(null))]
fn a_secret_that_kubernetes_would_refuse_is_refused(#[case] pointer: &str, #[case] value: Value) {
    let mut object = secret_object(&token("abcdef.plantedplantedpl"), &Terms::default());
    *object.pointer_mut(pointer).unwrap() = value;
    let problem = read_secret(&object).unwrap_err();
    assert!(!problem.detail.contains("planted"), "{}", problem.detail);
}

#[rstest]
#[case("system:bootstrappers:kubeadm:default-node-token", true)]
#[case("system:bootstrappers:a", true)]
#[case("system:bootstrappers:", false)]
#[case("system:bootstrappers:a-", false)]
#[case("system:bootstrappers:A", false)]
#[case("system:masters", false)]
fn a_group_begins_with_system_bootstrappers(#[case] group: &str, #[case] good: bool) {
    assert_eq!(check_group(group).is_ok(), good);
}

#[test]
fn the_token_of_the_documentation_is_recognised() {
    assert!(token(PLACEHOLDER).is_public_knowledge());
    assert!(!token("abcdef.0123456789abcdee").is_public_knowledge());
}

#[test]
fn the_secret_does_not_show_in_debug_output() {
    assert!(!format!("{:?}", token("abcdef.plantedplantedpl")).contains("planted"));
}

#[test]
fn a_failing_generator_is_an_error() {
    assert!(BootstrapToken::generate(|_| Err("no entropy")).is_err());
}

proptest! {
    #[test]
    fn any_random_bytes_make_a_well_formed_token(seed in any::<u64>()) {
        let mut state = seed;
        let token = BootstrapToken::generate(|bytes: &mut [u8]| {
            for byte in bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = state.to_be_bytes()[0];
            }
            Ok::<(), Infallible>(())
        }).unwrap();
        let text = token.token();
        let read: BootstrapToken = text.expose_secret().parse().unwrap();
        prop_assert_eq!(read.id(), token.id());
    }
}

#[test]
fn bytes_that_would_favour_some_characters_are_drawn_again() {
    let mut calls = 0_u8;
    let token = BootstrapToken::generate(|bytes: &mut [u8]| {
        calls += 1;
        bytes.fill(if calls == 1 { 255 } else { 35 });
        Ok::<(), Infallible>(())
    });
    assert_eq!(token.unwrap().token().expose_secret(), "zzzzzz.zzzzzzzzzzzzzzzz");
}
