//! Secrets: nowhere but where they belong. Everything that Terraform and the provider write is searched.

use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use serde_json::Value as Json;

use crate::harness::Sandbox;
use crate::harness::configuration::BLUE;
use crate::whole_configuration::CONSUMER;

const JOIN: &str = r#"
resource "kamaji_worker_join" "pool" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = "1h"
}
"#;

#[test]
fn the_kubeconfig_and_its_keys_are_in_no_file_and_the_token_only_in_the_state() {
    let mut sandbox = Sandbox::new("secrets");
    sandbox.terraform.log_everything();
    sandbox.configure(&[&sandbox.tenant().with("wait_for", "\"reachable\"").hcl(), JOIN, CONSUMER]);
    sandbox.terraform.plan().has_changes();
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();

    let secrets = kubeconfig_secrets(&sandbox);
    assert_eq!(secrets.len(), 4 * 3, "two users in two forms");
    for file in sandbox.terraform.files() {
        for (part, content) in contents(&file) {
            for (name, secret) in &secrets {
                assert!(!contains(&content, secret.as_bytes()), "{name} is in {} {part}", file.display());
            }
        }
    }
    assert!(sandbox.terraform.files().len() > 12, "configuration, state, plan, output and logs were searched");

    let join = sandbox.terraform.resource("kamaji_worker_join.pool");
    let token = join["values"]["token"].as_str().expect("a token").to_owned();
    let (_, secret_half) = token.split_once('.').expect("id.secret");
    for name in ["token", "join_command", "user_data"] {
        assert!(
            !join["sensitive_values"][name].is_null(),
            "{name} is sensitive in the state: {}",
            join["sensitive_values"]
        );
    }
    for file in sandbox.terraform.files() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A saved plan holds the state before it, and `show -json` prints it.
        if name.starts_with("terraform.tfstate") || name == "saved.tfplan" || name.ends_with("-show.out") {
            continue;
        }
        let content = std::fs::read(&file).expect("readable");
        assert!(!contains(&content, secret_half.as_bytes()), "the token is in {name}");
    }

    let destroyed = sandbox.terraform.destroy().succeeds();
    assert!(!destroyed.stdout.contains(secret_half), "the token is in the output of the destroy");
    assert_eq!(sandbox.terraform.resource(BLUE), Json::Null);
}

/// Neither the one that the provider draws nor the one that the user gives, whatever is done with the join.
#[test]
fn a_token_that_is_not_stored_is_in_no_file() {
    const GIVEN: &str = "zzz999.planted5ecretz99";
    const OTHER: &str = "zzz999.another5ecretz99";
    const WITH_GIVEN: &str = "token_wo = var.token\n  token_wo_version = 1";
    const CONFIGURATION: &str = r#"
variable "token" {
  type      = string
  ephemeral = true
}

variable "ttl" {
  type = string
}

resource "kamaji_worker_join" "drawn" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = var.ttl
  store_secret            = false
}

resource "kamaji_worker_join" "given" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = var.ttl
  token_wo                = var.token
  token_wo_version        = 1
}
"#;
    let mut sandbox = Sandbox::new("unstored");
    sandbox.terraform.log_everything();
    sandbox.terraform.set("TF_VAR_token", GIVEN);
    sandbox.configure(&[&sandbox.tenant().hcl(), CONFIGURATION]);
    for ttl in ["1h", "2h"] {
        sandbox.terraform.write("terraform.tfvars", &format!("ttl = {ttl:?}\n"));
        sandbox.terraform.plan().has_changes();
        sandbox.terraform.planned();
        sandbox.terraform.apply_plan().succeeds();
        sandbox.terraform.plan().plans_nothing();
    }
    let join = sandbox.terraform.resource("kamaji_worker_join.drawn");
    let id = join["values"]["token_id"].as_str().expect("an id").to_owned();
    let secret = format!("bootstrap-token-{id}");
    let get = ["get", "secret", "-n", "kube-system", &secret, "-o", "jsonpath={.data.token-secret}"];
    let drawn = sandbox.cluster.in_tenant(&sandbox.namespace, &get);
    let plain = base64::engine::general_purpose::STANDARD.decode(&drawn).expect("base64");
    assert_eq!(plain.len(), 16);
    // An error is text, too: there is a token of this id already, with another secret.
    sandbox.terraform.set("TF_VAR_token", OTHER);
    let twice = CONFIGURATION.replace("\"drawn\"", "\"twice\"").replace("store_secret            = false", WITH_GIVEN);
    sandbox.configure(&[&sandbox.tenant().hcl(), &twice]);
    let error = sandbox.terraform.apply().error();
    assert_eq!(error.summary, "No free bootstrap token found");
    sandbox.terraform.destroy().succeeds();

    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let mut secrets = vec![("drawn".to_owned(), plain), ("drawn, encoded".to_owned(), drawn.into_bytes())];
    for given in [GIVEN, OTHER] {
        let (_, secret) = given.split_once('.').expect("id.secret");
        secrets.push((given.to_owned(), secret.into()));
        secrets.push((format!("{given}, encoded"), encoded(secret).into()));
    }
    for file in sandbox.terraform.files() {
        for (part, content) in contents(&file) {
            for (name, secret) in &secrets {
                assert!(!contains(&content, secret), "{name} is in {} {part}", file.display());
            }
        }
    }
    assert!(sandbox.terraform.files().len() > 20, "configuration, state, plans, output and logs were searched");
}

/// Terraform prints what a plugin that died has written, and logs the rest.
#[test]
fn a_provider_that_dies_leaves_no_secret_in_the_output() {
    const PASSWORD: &str = "planted-password-of-a-crash";
    const KEY: &str = "planted-key-of-a-crash";
    let mut sandbox = Sandbox::new("crash");
    sandbox.terraform.log_everything();
    sandbox.terraform.set("TF_VAR_password", PASSWORD);
    sandbox.terraform.set("TF_VAR_token", KEY);
    // A server that takes the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = silent.local_addr().expect("bound");
    let secret = |name: &str| format!("variable {name:?} {{\n  type = string\n  ephemeral = true\n}}\n");
    let part = |value: &str| format!("{{ content_wo = {value}, content_wo_version = 1 }}");
    let store = format!(
        "resource \"kamaji_datastore\" \"store\" {{\n  name = {:?}\n  driver = \"PostgreSQL\"\n  endpoints = [\"{endpoint}\"]\n  \
         basic_auth = {{\n    username = {}\n    password = {}\n  }}\n  credentials_secret = {{ namespace = {:?} }}\n  \
         check_connection = \"require\"\n}}\n",
        sandbox.namespace,
        part("var.token"),
        part("var.password"),
        sandbox.namespace
    );
    sandbox.configure(&[&secret("password"), &secret("token"), &store]);
    let apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    let (connection, _) = silent.accept().expect("the provider connects");
    apply.crash_provider();
    let outcome = apply.wait();
    drop(connection);
    assert_eq!(outcome.code, 1, "{outcome}");
    for file in sandbox.terraform.files() {
        for (part, content) in contents(&file) {
            for secret in [PASSWORD, KEY] {
                assert!(!contains(&content, secret.as_bytes()), "{secret} is in {} {part}", file.display());
            }
        }
    }
}

/// What must be nowhere, by name: of each kubeconfig the private key, as it is in the YAML and as PEM, and the whole.
fn kubeconfig_secrets(sandbox: &Sandbox) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    for key in ["admin.conf", "super-admin.conf", "admin.svc", "super-admin.svc"] {
        let kubeconfig =
            sandbox.cluster.secret(&sandbox.namespace, "blue-admin-kubeconfig", key).expect("a kubeconfig");
        let kubeconfig = String::from_utf8(kubeconfig).expect("YAML");
        let encoded = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("client-key-data: "));
        let encoded = encoded.expect("a key").to_owned();
        let pem = base64::engine::general_purpose::STANDARD.decode(&encoded).expect("base64");
        let pem = String::from_utf8(pem).expect("PEM");
        let line = pem.lines().nth(1).expect("a line of the key").to_owned();
        let whole = base64::engine::general_purpose::STANDARD.encode(&kubeconfig);
        secrets.push((format!("the key of {key}"), encoded));
        secrets.push((format!("the PEM key of {key}"), line));
        secrets.push((format!("{key} as the Secret holds it"), whole));
    }
    secrets
}

/// The content of a file, and of the files in it if it is a saved plan, which is a zip archive.
fn contents(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![(String::new(), std::fs::read(path).expect("readable"))];
    if path.extension().is_some_and(|extension| extension == "tfplan") {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("readable")).expect("a zip archive");
        for index in 0..archive.len() {
            let mut member = archive.by_index(index).expect("a member");
            let mut content = Vec::new();
            member.read_to_end(&mut content).expect("readable");
            all.push((format!("part {index}"), content));
        }
        assert!(all.len() > 3, "the plan has parts");
    }
    all
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
