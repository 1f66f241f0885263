//! Functions: every example is applied by the real CLI, and mistakes are told where they are. No provider is configured.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;
use serde_json::{Value as Json, json};

use crate::harness::cluster::{cluster, run, text};
use crate::harness::terraform::Terraform;

const CA: &str = include_str!("../../src/kamaji/certificate/ec-ca.pem");
const PIN: &str = "sha256:64a724664886bf3b3ec983421fff608c86227000f1cdc8c3e5fb0eabf95732cf";
const TOKEN: &str = "w1x2y3.0123456789abcdef";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/functions")
}

fn example(name: &str) -> String {
    fs::read_to_string(examples().join(name).join("function.tf")).expect("an example")
}

/// A directory in which the variables of the examples have values.
fn terraform() -> Terraform {
    let mut terraform = Terraform::new();
    terraform.set("TF_VAR_ca_certificate", CA);
    terraform.set("TF_VAR_token", TOKEN);
    terraform
}

/// The values of all outputs.
fn outputs(terraform: &Terraform) -> Json {
    let shown = terraform.run(&["output", "-json"]).succeeds();
    let all: Json = serde_json::from_str(&shown.stdout).expect("JSON");
    all.as_object().expect("an object").iter().map(|(name, output)| (name.clone(), output["value"].clone())).collect()
}

fn worker() -> Json {
    json!({
        "namespace": "tenants", "name": "blue", "tenant_control_plane_id": "tenants/blue", "node_name": "node-1",
        "join_id": null, "join_ids": null, "node_names": null, "label_selector": null,
    })
}

#[rstest]
#[case::parse_resource_id("parse_resource_id", json!({"worker": worker(), "namespace": "tenants"}))]
#[case::version_compare("version_compare", json!({"order": -1}))]
#[case::kubelet_skew_ok("kubelet_skew_ok", json!({"too_old": ["v1.29.9"]}))]
#[case::next_versions("next_versions", json!({
    "steps": ["v1.31.0", "v1.32.0", "v1.33.1"], "steps_with_patches": ["v1.31.9", "v1.32.0", "v1.33.1"],
}))]
#[case::cidr_contains("cidr_contains", json!({"address_inside": true, "network_inside": false}))]
#[case::cidr_overlaps("cidr_overlaps", json!({"pods_are_free": true, "services_are_free": false}))]
#[case::dns_service_ip("dns_service_ip", json!({"ipv4": "10.96.0.10", "ipv6": "fd00::10"}))]
#[case::quantity_compare("quantity_compare", json!({"order": 1}))]
#[case::join_command("join_command", json!({"join_command": format!(
    "kubeadm join blue.example.com:6443 --token {TOKEN} --discovery-token-ca-cert-hash {PIN} --node-name node-1"
)}))]
fn an_example_gives_what_it_says(#[case] name: &str, #[case] wanted: Json) {
    let terraform = terraform();
    terraform.configure(&example(name));
    terraform.apply().succeeds();
    terraform.plan().plans_nothing();
    assert_eq!(outputs(&terraform), wanted);
}

/// `build_kubeconfig` and `parse_kubeconfig`.
#[test]
fn a_kubeconfig_is_built_read_by_kubectl_and_taken_apart() {
    let mut terraform = terraform();
    terraform.configure(&example("build_kubeconfig"));
    terraform.apply().succeeds();
    terraform.plan().plans_nothing();
    let built = outputs(&terraform)["kubeconfig"].as_str().expect("text").to_owned();
    let file = terraform.path().join("kubeconfig");
    fs::write(&file, &built).expect("written");
    let mut kubectl = Command::new(cluster().kubectl_program());
    kubectl.arg("--kubeconfig").arg(&file).args(["config", "view", "--raw", "--minify", "-o", "json"]);
    let read: Json = serde_json::from_str(&text(&run(&mut kubectl))).expect("JSON");
    assert_eq!(read["current-context"], "deployer@blue");
    assert_eq!(read["clusters"][0]["cluster"]["server"], "https://blue.example.com:6443");
    assert_eq!(read["users"][0]["user"]["token"], TOKEN);

    // A kubeconfig as Kamaji writes it, with a client certificate.
    let admin = fs::read_to_string(cluster().kubeconfig()).expect("readable");
    for (kubeconfig, host) in [(&built, "https://blue.example.com:6443"), (&admin, "https://")] {
        terraform.set("TF_VAR_kubeconfig", kubeconfig);
        terraform.configure(&example("parse_kubeconfig"));
        terraform.apply().succeeds();
        terraform.plan().plans_nothing();
        assert!(outputs(&terraform)["host"].as_str().is_some_and(|found| found.starts_with(host)));
    }
}

#[test]
fn every_function_has_an_example_and_a_test() {
    let here = include_str!("functions.rs");
    let cases = here.lines().filter_map(|line| line.strip_prefix("#[case::")?.split(['(', ')']).next());
    let mut tested: BTreeSet<String> = cases.map(str::to_owned).collect();
    tested.extend(["build_kubeconfig", "parse_kubeconfig"].map(str::to_owned));
    let folders = fs::read_dir(examples()).expect("a folder");
    let folders: BTreeSet<String> =
        folders.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    tested.retain(|name| folders.contains(name));
    assert_eq!(tested, folders);
}

/// Core says which argument is wrong, and we why.
#[rstest]
#[case::value(r#"next_versions("v1.31.0", "v1.30.2")"#, "\"target\"", "cannot go back to v1.30.2")]
#[case::variadic(r#"cidr_overlaps("10.0.0.0/8", "10.0.0.0/8", "x")"#, "\"others\"", "\"x\" is not a network")]
#[case::null(r#"dns_service_ip(null)"#, "\"service_cidr\"", "must not be null")]
#[case::misspelled(r#"build_kubeconfig({ hots = "https://a" })"#, "\"config\"", "has no attribute \"hots\"")]
#[case::missing(r#"build_kubeconfig({ host = "https://a" })"#, "\"config\"", "`config.cluster_ca_certificate` needs")]
#[case::id(r#"parse_resource_id("a/b/c/d")"#, "\"id\"", "\"a/b/c/d\" is not the id of an object")]
fn a_mistake_is_told_at_its_argument(#[case] call: &str, #[case] parameter: &str, #[case] words: &str) {
    let terraform = terraform();
    let head = example("dns_service_ip").split("\n#").next().expect("a head").to_owned();
    terraform.configure(&format!("{head}\noutput \"wrong\" {{\n  value = provider::kamaji::{call}\n}}\n"));
    let error = terraform.run(&["validate", "-json"]);
    let told: Json = serde_json::from_str(&error.stdout).expect("JSON");
    let diagnostics = told["diagnostics"].as_array().expect("diagnostics");
    let [error] = diagnostics.iter().filter(|it| it["severity"] == "error").collect::<Vec<_>>()[..] else {
        panic!("one error: {told}")
    };
    let detail = error["detail"].as_str().expect("text").replace('\n', " ");
    assert!(detail.contains(parameter) && detail.contains(words), "{detail}");
    assert!(!detail.contains(".."), "{detail}");
    assert!(error["snippet"]["code"].as_str().is_some_and(|code| code.contains(call)), "{error}");
}

/// What the arguments hide, the result hides too; and what is ephemeral stays so.
#[test]
fn credentials_are_as_secret_as_the_kubeconfig_that_they_come_from() {
    let mut terraform = terraform();
    let head = example("dns_service_ip").split("\n#").next().expect("a head").to_owned();
    let built = "provider::kamaji::build_kubeconfig({ host = \"https://a\", cluster_ca_certificate = var.ca_certificate, \
                 token = var.token })";
    let variables =
        |more: &str| format!("variable \"token\" {{\n  {more} = true\n}}\nvariable \"ca_certificate\" {{}}\n");
    let output = format!("output \"leak\" {{\n  value = provider::kamaji::parse_kubeconfig({built}).token\n}}\n");
    for (mark, words) in [("sensitive", "sensitive"), ("ephemeral", "phemeral")] {
        terraform.set("TF_VAR_token", TOKEN);
        terraform.configure(&format!("{head}\n{}{output}", variables(mark)));
        let errors = terraform.plan().errors();
        assert!(errors.iter().any(|error| error.summary.contains(words) || error.detail.contains(words)), "{errors:?}");
        assert!(!format!("{errors:?}").contains(TOKEN));
    }
}
