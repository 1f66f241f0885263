//! What is read is what kube's own reading of a kubeconfig makes of the same text.

use kube::config::Kubeconfig;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// As kube reads a kubeconfig, and as it is read here.
fn both(text: &str) -> (Result<Value, String>, Result<Value, Unfit>) {
    let ours = documents::<Kubeconfig>(text).map(|all| json!(all));
    let kubes = serde_saphyr::from_multiple::<Kubeconfig>(text);
    (kubes.map(|all| json!(all)).map_err(|error| error.to_string()), ours)
}

#[rstest]
#[case::number("123456")]
#[case::leading_zero("0123")]
#[case::hexadecimal("0x1F")]
#[case::octal("0o17")]
#[case::underscore("1_000")]
#[case::negative("-5")]
#[case::plus("+5")]
#[case::float("1.50")]
#[case::exponent("1e3")]
#[case::too_large("1e999")]
#[case::wide("340282366920938463463374607431768211456")]
#[case::infinite(".inf")]
#[case::negative_infinite("-.inf")]
#[case::not_a_number(".NaN")]
#[case::yes("yes")]
#[case::y("y")]
#[case::off("Off")]
#[case::boolean("true")]
#[case::sexagesimal("12:30:45")]
#[case::date("2026-01-01")]
#[case::null("null")]
#[case::tilde("~")]
#[case::empty("")]
#[case::single_quoted("'null'")]
#[case::double_quoted("\"1\\u0031\"")]
#[case::empty_quoted("''")]
#[case::as_text("!!str 12")]
#[case::as_number("!!int 12")]
#[case::as_number_in_quotes("!!int \"12\"")]
#[case::as_float("!!float 1")]
#[case::as_boolean("!!bool yes")]
#[case::as_null("!!null x")]
#[case::binary("!!binary eA==")]
#[case::anchored("&a 0777")]
#[case::anchored_and_tagged("&a !!str 0777")]
#[case::comment("0777 # seven")]
#[case::comment_with_letters("0777 # äöü")]
#[case::letters("äöü")]
#[case::list("[1]")]
#[case::map("{a: 1}")]
#[case::literal("|-\n    0777")]
#[case::folded(">\n    a\n    b")]
#[case::several_lines("1\n   2")]
#[case::word("Never")]
#[case::other_word("IfAvailable")]
fn a_scalar_means_the_same_wherever_it_stands(#[case] scalar: &str) {
    for before in [
        "",
        "# ä €\r\n",
        "\u{feff}",
        "---\r\n",
        "kind: ä\n---\n",
        "other: &other 5\n",
        "%YAML 1.2\n---\n",
        "users: []\r\nkind: Config\r\n",
    ] {
        for place in [
            "current-context: ",
            "kind: ",
            "extra: ",
            "preferences: ",
            "preferences:\n  colors: ",
            "clusters: ",
            "clusters:\n- ",
            "clusters:\n- name: ",
            "clusters:\n- name: x\n  cluster: ",
            "clusters:\n- name: x\n  cluster:\n   insecure-skip-tls-verify: ",
            "contexts:\n- context:\n   cluster: x\n   user: u\n  name: ",
            "contexts:\n- name: x\n  context:\n   user: ",
            "contexts:\n- name: x\n  context:\n   cluster: ",
            "users:\n- name: u\n  user: ",
            "users:\n- name: u\n  user:\n   token: ",
            "users:\n- name: u\n  user:\n   as-groups:\n   - a\n   - ",
            "users:\n- name: u\n  user:\n   as-user-extra:\n    x: ",
            "users:\n- name: u\n  user:\n   auth-provider:\n    name: x\n    config: ",
            "users:\n- name: u\n  user:\n   auth-provider:\n    name: x\n    config:\n     y: ",
            "users:\n- name: u\n  user:\n   exec:\n    interactiveMode: ",
            "users:\n- name: u\n  user:\n   exec:\n    provideClusterInfo: ",
            "users:\n- name: u\n  user:\n   exec:\n    env:\n    - name: A\n      value: ",
            "extensions:\n- name: x\n  unknown: 1\n  extension: ",
            "extensions:\n- name: x\n  extension:\n   a: [b, ",
        ] {
            let close = if place.ends_with("[b, ") { "]" } else { "" };
            for after in ["", "\r\n", "\n---\nkind: other\n"] {
                let text = format!("{before}{place}{scalar}{close}{after}");
                let (kubes, ours) = both(&text);
                // A tag that makes a number of what is wanted as a string, and a number that JSON cannot say: no reason to
                // refuse a kubeconfig.
                let tolerated = scalar.starts_with("!!") || kubes.as_ref().is_err_and(|e| e.contains("non-finite"));
                match (kubes, ours) {
                    (Ok(kubes), Ok(ours)) => assert_eq!(ours, kubes, "{text:?}"),
                    (Err(_), Err(_)) => {}
                    (Err(_), Ok(_)) if tolerated => {}
                    (kubes, ours) => panic!("{text:?}: {kubes:?} became {ours:?}"),
                }
            }
        }
    }
}

#[test]
fn aliases_and_merge_keys_are_resolved() {
    let text = "extra: &text 0777\nusers:\n- name: *text\n  user: &user {token: *text, username: x}\n- name: b\n  user: {<<: *user, \
                username: 0x1F}\n";
    let (kubes, ours) = both(text);
    let ours = ours.unwrap();
    assert_eq!(ours, kubes.unwrap());
    assert_eq!(ours[0]["users"][1]["user"], json!({"token": "0777", "username": "0x1F"}));
}

#[test]
fn deep_and_multiplied_text_is_refused() {
    let deep = format!("extra: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(documents::<Kubeconfig>(&deep).is_err());
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(documents::<Kubeconfig>(&laughs).is_err());
}
