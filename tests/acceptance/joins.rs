//! The credential of a join: what becomes of it and of the user data that holds it, over time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value as Json, json};
use terraform_provider_kamaji::kamaji::join::JOIN_ID_LABEL;
use terraform_provider_kamaji::kamaji::join::user_data::{CONFIGURATION_PATH, DISCOVERY_PATH};

use crate::harness::cluster::{run, text};
use crate::harness::configuration::BLUE;
use crate::harness::machine::fed;
use crate::harness::terraform::{change, unknown};
use crate::harness::{Machine, Sandbox, left_out, wait_for};

/// One join for each policy, and one that keeps nothing in the state.
fn one_per_policy(ttl: &str, more: &str) -> String {
    format!(
        r#"
resource "kamaji_worker_join" "by" {{
  for_each = toset(["never", "extend", "rotate"])

  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = {ttl:?}
  renewal_policy          = each.key
  {more}
}}

resource "kamaji_worker_join" "unstored" {{
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  ttl                     = {ttl:?}
  renewal_policy          = "extend"
  store_secret            = false
}}
"#
    )
}

const UNSTORED: &str = "kamaji_worker_join.unstored";

/// The address of the join with this policy.
fn by(policy: &str) -> String {
    format!("kamaji_worker_join.by[{policy:?}]")
}

/// The values of a join in the state.
fn join(sandbox: &Sandbox, address: &str) -> Json {
    sandbox.terraform.resource(address)["values"].clone()
}

/// The names of all bootstrap tokens' Secrets in the tenant.
fn tokens(sandbox: &Sandbox) -> Vec<String> {
    let all =
        ["get", "secrets", "-n", "kube-system", "--field-selector=type=bootstrap.kubernetes.io/token", "-o", "name"];
    sandbox.cluster.in_tenant(&sandbox.namespace, &all).lines().map(str::to_owned).collect()
}

fn secret_of(join: &Json) -> String {
    format!("secret/bootstrap-token-{}", join["token_id"].as_str().expect("an id"))
}

fn revoke_by_hand(sandbox: &Sandbox, join: &Json) {
    sandbox.cluster.in_tenant(&sandbox.namespace, &["delete", "-n", "kube-system", &secret_of(join)]);
}

/// Whether the tenant takes the credential of a join, as a kubelet shows it.
fn is_taken(sandbox: &Sandbox, join: &Json) -> bool {
    let kubeconfig = join["bootstrap_kubeconfig"].as_str().expect("rendered");
    let answer = sandbox.cluster.with_kubeconfig(kubeconfig.as_bytes(), &["get", "--raw", "/api"]);
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success() || said.contains("Unauthorized") || said.contains("logged in"), "{said}");
    answer.status.success()
}

/// Waits until the tenant refuses the credential: the API server believes what it has taken for some seconds more.
fn refuses(sandbox: &Sandbox, join: &Json) {
    wait_for("the token is refused", Duration::from_secs(60), || (!is_taken(sandbox, join)).then_some(()));
}

/// All values but those named.
fn without(join: &Json, names: &[&str]) -> Json {
    let mut join = join.clone();
    for name in names {
        join.as_object_mut().expect("an object").remove(*name);
    }
    join
}

#[test]
fn a_token_that_has_expired_is_extended_rotated_or_left_as_the_policy_says() {
    let sandbox = Sandbox::new("expiry");
    let tenant = sandbox.tenant().version("v1.30.2").with("destroy_with_nodes", "true");
    sandbox.configure(&[&tenant.hcl(), &one_per_policy("1m", "")]);
    sandbox.terraform.apply().succeeds();
    let before = |policy: &str| join(&sandbox, &by(policy));
    let (never, extend, rotate) = (before("never"), before("extend"), before("rotate"));
    let unstored = join(&sandbox, UNSTORED);
    assert!([&never, &extend, &rotate].into_iter().all(|join| is_taken(&sandbox, join)));
    // The tenant removes what has expired.
    wait_for("no token is left", Duration::from_secs(180), || tokens(&sandbox).is_empty().then_some(()));
    [&never, &extend, &rotate].into_iter().for_each(|join| refuses(&sandbox, join));

    let plan = sandbox.terraform.plan().has_changes();
    assert!(plan.warnings().is_empty(), "{plan}");
    let planned = sandbox.terraform.planned();
    let of = |policy: &str| change(&planned, &by(policy));
    assert_eq!(of("never")["actions"], json!(["no-op"]));
    assert_eq!(of("extend")["actions"], json!(["update"]));
    assert_eq!(unknown(&of("extend")["after_unknown"], ""), [".expiration", ".status"]);
    assert_eq!(of("rotate")["actions"], json!(["update"]));
    let open = unknown(&of("rotate")["after_unknown"], "");
    for attribute in [".token_id", ".token", ".user_data"] {
        assert!(open.iter().any(|open| open == attribute), "{open:?}");
    }
    assert_eq!(change(&planned, BLUE)["actions"], json!(["no-op"]));
    sandbox.terraform.apply_plan().succeeds();

    let timely = ["expiration", "status"];
    let extended = join(&sandbox, &by("extend"));
    assert_eq!(without(&extended, &timely), without(&extend, &timely), "byte for byte");
    assert_eq!(extended["status"], "valid");
    let rotated = join(&sandbox, &by("rotate"));
    assert_eq!(rotated["join_id"], rotate["join_id"]);
    for attribute in ["token_id", "token", "user_data"] {
        assert_ne!(rotated[attribute], rotate[attribute], "{attribute}");
    }
    let left = join(&sandbox, &by("never"));
    assert_eq!(without(&left, &timely), without(&never, &timely));
    assert_eq!(left["status"], "expired");
    // What nobody knows any more cannot be made valid again.
    let renewed = join(&sandbox, UNSTORED);
    assert_ne!(renewed["token_id"], unstored["token_id"]);
    assert_eq!((&renewed["join_id"], &renewed["token"]), (&unstored["join_id"], &Json::Null));

    // A longer life for all, whatever the policy; time enough for a machine to boot with the user data of the beginning.
    sandbox.configure(&[&tenant.hcl(), &one_per_policy("1h", "")]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    assert_eq!(
        without(&join(&sandbox, &by("extend")), &["expiration", "ttl"]),
        without(&extend, &["expiration", "ttl"])
    );
    assert_eq!(join(&sandbox, &by("never"))["user_data"], never["user_data"]);
    assert!([&never, &extend, &rotated].into_iter().all(|join| is_taken(&sandbox, join)));
    refuses(&sandbox, &rotate);
    if sandbox.cluster.is_local_for("a machine that joins with an extended token") {
        let machine = Machine::boot(&sandbox, "late", extend["user_data"]["shell"].as_str().expect("rendered"));
        let node = machine.ready_node(&sandbox);
        assert_eq!(node["metadata"]["labels"][JOIN_ID_LABEL], extend["join_id"]);
        sandbox.terraform.plan().plans_nothing();
    }
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn a_token_that_somebody_revokes_is_never_made_valid_again() {
    let sandbox = Sandbox::new("revoked");
    let configure = |more: &str| sandbox.configure(&[&sandbox.tenant().hcl(), &one_per_policy("1h", more)]);
    configure("");
    sandbox.terraform.apply().succeeds();
    let policies = ["never", "extend", "rotate"];
    let old = policies.map(|policy| join(&sandbox, &by(policy)));
    for join in &old {
        revoke_by_hand(&sandbox, join);
    }

    let plan = sandbox.terraform.plan().has_changes();
    let warnings = plan.warnings();
    let about = |join: &Json, summary: &str| {
        let id = join["token_id"].as_str().expect("an id");
        let found = warnings.iter().find(|warning| warning.detail.contains(id));
        let found = found.unwrap_or_else(|| panic!("nothing about {id}: {plan}"));
        assert_eq!(found.summary, summary);
        found.detail.clone()
    };
    let left = about(&old[0], "Bootstrap token was removed");
    assert!(left.contains("somebody revoked it") && left.contains("keepers"), "{left}");
    for join in &old[1..] {
        let why = about(join, "A new bootstrap token is planned");
        assert!(why.contains("removed from the tenant before its end, which revoked it"), "{why}");
    }
    assert_eq!(warnings.len(), 3, "{plan}");
    let planned = sandbox.terraform.planned();
    assert_eq!(change(&planned, &by("never"))["actions"], json!(["no-op"]));
    assert_eq!(change(&planned, UNSTORED)["actions"], json!(["no-op"]));
    sandbox.terraform.apply_plan().succeeds();

    for (policy, old) in policies.into_iter().zip(&old) {
        let new = join(&sandbox, &by(policy));
        assert_eq!(new["join_id"], old["join_id"]);
        assert_eq!(new["token_id"] == old["token_id"], policy == "never", "{policy}");
        assert!(policy == "never" || is_taken(&sandbox, &new), "{policy}");
        assert!(!tokens(&sandbox).contains(&secret_of(old)), "{policy}");
        refuses(&sandbox, old);
    }
    let plan = sandbox.terraform.plan().plans_nothing();
    assert_eq!(plan.warnings().len(), 1, "that of `never` stays: {plan}");

    // The way out that the warning names.
    configure("keepers = { again = 1 }");
    sandbox.terraform.apply().succeeds();
    let new = join(&sandbox, &by("never"));
    assert!(new["token_id"] != old[0]["token_id"] && is_taken(&sandbox, &new));
    assert!(sandbox.terraform.plan().plans_nothing().warnings().is_empty());

    // Between plan and apply: no longer life for it.
    let longer = one_per_policy("2h", "keepers = { again = 1 }");
    sandbox.configure(&[&sandbox.tenant().hcl(), &longer]);
    sandbox.terraform.plan().has_changes();
    revoke_by_hand(&sandbox, &new);
    let error = sandbox.terraform.apply_plan().error();
    assert_eq!(error.summary, "Token cannot be changed");
    assert!(error.detail.contains("revoked it"), "{}", error.detail);
    refuses(&sandbox, &new);
    sandbox.terraform.destroy().succeeds();
}

const POOL: &str = "kamaji_worker_join.pool";

fn pool(more: &str) -> String {
    format!(
        "resource \"kamaji_worker_join\" \"pool\" {{\n  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id\n  ttl = \
         \"1h\"\n  {more}\n}}\n"
    )
}

/// The pin that OpenSSL and kubeadm's documentation compute is that of kubeadm's own code; and so is the command.
#[test]
fn the_command_is_the_one_that_kubeadm_prints() {
    let sandbox = Sandbox::new("command");
    if !sandbox.cluster.is_local_for("kubeadm's own join command") {
        return;
    }
    sandbox.configure(&[&sandbox.tenant().version("v1.30.2").hcl(), &pool("")]);
    sandbox.terraform.apply().succeeds();
    let join = join(&sandbox, POOL);
    let kubeconfig = sandbox.cluster.secret(&sandbox.namespace, "blue-admin-kubeconfig", "super-admin.conf");
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), kubeconfig.expect("a kubeconfig")).expect("written");
    let mut kubeadm = sandbox.cluster.kubeadm();
    kubeadm.args(["token", "create", "--print-join-command", "--kubeconfig"]).arg(file.path());
    let printed = text(&run(&mut kubeadm));
    let words = |command: &str| -> Vec<String> {
        let words = command.split_whitespace().map(str::to_owned);
        words
            .map(|word| if word.len() == 23 && word.as_bytes()[6] == b'.' { "TOKEN".to_owned() } else { word })
            .collect()
    };
    let ours = words(join["join_command"].as_str().expect("rendered"));
    assert_eq!(ours, words(&printed));
    assert!(ours.contains(&"TOKEN".to_owned()));
    assert_eq!(join["ca_cert_hashes"], json!([ours.last().expect("a pin")]));
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn neither_an_upgrade_of_the_tenant_nor_one_of_the_provider_changes_user_data() {
    let sandbox = Sandbox::new("upgraded");
    let configure = |version: &str, more: &str| {
        sandbox.configure(&[&sandbox.tenant().version(version).hcl(), &pool(more)]);
    };
    configure("v1.29.6", "");
    sandbox.terraform.apply().succeeds();
    let before = join(&sandbox, POOL);
    assert_eq!(before["kubernetes_version"], "v1.29.6");

    configure("v1.30.2", "");
    sandbox.terraform.plan().has_changes();
    let planned = sandbox.terraform.planned();
    assert_eq!(change(&planned, BLUE)["actions"], json!(["update"]));
    assert_eq!(change(&planned, POOL)["actions"], json!(["no-op"]));
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();
    assert_eq!(join(&sandbox, POOL), before, "byte for byte");

    // As an earlier release of the provider has left it: other templates, other bytes.
    let pulled = sandbox.terraform.run(&["state", "pull"]).succeeds().stdout;
    let mut state: Json = serde_json::from_str(&pulled).expect("JSON");
    state["serial"] = (state["serial"].as_u64().expect("a number") + 1).into();
    let resources = state["resources"].as_array_mut().expect("resources").iter_mut();
    let older = resources.filter(|resource| resource["type"] == "kamaji_worker_join").collect::<Vec<_>>();
    for resource in older {
        let attributes = &mut resource["instances"][0]["attributes"];
        attributes["template_version"] = 1.into();
        for form in ["cloud_config", "shell", "mime", "ignition"] {
            let text = attributes["user_data"][form].as_str().expect("rendered");
            attributes["user_data"][form] = format!("{text}\n# of an earlier release\n").into();
        }
    }
    sandbox.terraform.write("older.tfstate", &state.to_string());
    sandbox.terraform.run(&["state", "push", "older.tfstate"]).succeeds();
    let older = join(&sandbox, POOL);
    assert_ne!(older["user_data"], before["user_data"]);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.run(&["apply", "-json", "-refresh-only", "-auto-approve"]).succeeds();
    assert_eq!(join(&sandbox, POOL), older, "byte for byte");

    // What does change it.
    configure("v1.30.2", "keepers = { release = 2 }");
    sandbox.terraform.apply().succeeds();
    let new = join(&sandbox, POOL);
    assert_eq!(new["kubernetes_version"], "v1.30.2");
    assert_eq!(new["template_version"], before["template_version"]);
    assert_eq!(new["join_id"], before["join_id"]);
    assert_ne!(new["token_id"], before["token_id"]);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

/// A program that an environment variable names; says what is left out if it names none.
fn program(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        left_out(&format!("since {variable} names no program: {what}"));
    }
    path
}

/// A payload in a file of its own, for a program that reads it.
fn payload(sandbox: &Sandbox, name: &str, content: &str) -> PathBuf {
    sandbox.terraform.write(name, content);
    sandbox.terraform.path().join(name)
}

/// Runs a program that checks a document. Its complaint if it does not take it.
fn checked(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!("{}{}", text(&output), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// What machines of a version are told: nothing; everything that has a place in kubeadm's configuration; another way to
/// recognise the tenant.
const PAYLOADS: &str = r#"
locals {
  minor = { for version in var.versions : version => tonumber(split(".", version)[1]) }
}

variable "versions" {
  type = set(string)
}

resource "kamaji_worker_join" "plain" {
  for_each                = var.versions
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  kubernetes_version      = each.key
}

resource "kamaji_worker_join" "full" {
  for_each                = var.versions
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  kubernetes_version      = each.key

  node_name               = "worker-1.example.com"
  node_labels             = { "example.com/pool" = "general", "node.kubernetes.io/instance-type" = "yes" }
  node_taints             = [
    { key = "dedicated", value = "db", effect = "NoSchedule" },
    { key = "example.com/gpu", effect = "NoExecute" },
  ]
  kubelet_extra_args      = [{ name = "max-pods", value = "50" }, { name = "v", value = "2" }]
  cri_socket              = "unix:///run/containerd/containerd.sock"
  ignore_preflight_errors = ["Swap", "FileExisting-conntrack"]
  image_pull_policy       = "IfNotPresent"
  image_pull_serial       = local.minor[each.key] >= 31 ? false : null
  skip_phases             = ["preflight"]
  patches                 = { "kubeletconfiguration+strategic.yaml" = "maxPods: 50" }
  join_timeouts = {
    discovery           = "90s"
    tls_bootstrap       = local.minor[each.key] >= 31 ? "2m" : null
    kubernetes_api_call = local.minor[each.key] >= 31 ? "1m30s" : null
  }
  proxy         = { http_proxy = "http://proxy.example.com:3128", no_proxy = ["10.0.0.0/8"] }
  extra_files   = [{ path = "/etc/motd", content = "a 'b' \"c\" $d\n", permissions = "0640", owner = "nobody:nogroup" }]
  pre_commands  = ["echo 'before' > /run/before"]
  post_commands = ["echo \"after\" > /run/after"]
}

resource "kamaji_worker_join" "file" {
  for_each                = var.versions
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  kubernetes_version      = each.key
  discovery               = "file"
}
"#;

/// kubeadm, cloud-init and Ignition, as far as they can be had, say themselves that they read what is rendered for them.
#[test]
fn the_programs_of_machines_take_what_is_rendered_for_them() {
    let sandbox = Sandbox::new("payloads");
    if !sandbox.cluster.is_local_for("kubeadm and other programs of machines") {
        return;
    }
    let mut kubeadms = vec![PathBuf::from(sandbox.cluster.kubeadm().get_program())];
    if let Some(more) = program("KUBEADM_PROGRAMS", "kubeadm of other versions") {
        kubeadms.extend(std::env::split_paths(&more));
    }
    let version =
        |kubeadm: &PathBuf| text(&run(Command::new(kubeadm).args(["version", "-o", "short"]))).trim().to_owned();
    let kubeadms: BTreeMap<String, PathBuf> =
        kubeadms.into_iter().map(|kubeadm| (version(&kubeadm), kubeadm)).collect();
    let versions: Vec<&String> = kubeadms.keys().collect();
    sandbox.terraform.write("terraform.tfvars", &format!("versions = {versions:?}\n"));
    sandbox.configure(&[&sandbox.tenant().version("v1.30.2").hcl(), PAYLOADS]);
    sandbox.terraform.apply().succeeds();

    let validators = sandbox.cluster.validators();
    let ignition = validators.get("IGNITION_VALIDATE").expect("built");
    let cloud_init = validators.get("CLOUD_INIT");
    if cloud_init.is_none() {
        left_out("since cloud-init cannot be unpacked here: cloud-config against its schema");
    }
    let state = sandbox.terraform.state();
    let resources = state["values"]["root_module"]["resources"].as_array().expect("resources");
    let joins: Vec<&Json> = resources.iter().filter(|resource| resource["type"] == "kamaji_worker_join").collect();
    assert_eq!(joins.len(), 3 * kubeadms.len());
    for resource in joins {
        let (address, join) = (resource["address"].as_str().expect("text"), &resource["values"]);
        let rendered = |value: &Json| value.as_str().unwrap_or_else(|| panic!("not rendered: {address}")).to_owned();
        let version = rendered(&join["kubernetes_version"]);

        // kubeadm looks whether the file is there.
        let discovery = payload(&sandbox, "discovery.conf", &rendered(&join["discovery_kubeconfig"]));
        let configuration = rendered(&join["join_configuration"]);
        let configuration = configuration.replace(DISCOVERY_PATH, &discovery.to_string_lossy());
        let validate = |name: &str, content: &str| {
            let file = payload(&sandbox, name, content);
            checked(Command::new(&kubeadms[&version]).args(["config", "validate", "--config"]).arg(file))
        };
        let said = validate("join.yaml", &configuration).unwrap_or_else(|said| panic!("{address}: {said}"));
        assert!(!said.contains("deprecated") && !said.contains("WARNING"), "{address}: {said}");
        let wrong = configuration.replace("nodeRegistration:", "nodeRegistration:\n  unheardOf: 'x'");
        assert!(validate("wrong.yaml", &wrong).is_err_and(|said| said.contains("unheardOf")), "{address}");

        let user_data = &join["user_data"];
        if let Some(cloud_init) = cloud_init {
            let validate = |name: &str, content: &str| {
                let file = payload(&sandbox, name, content);
                checked(Command::new(cloud_init).args(["schema", "--config-file"]).arg(file))
            };
            let config = rendered(&user_data["cloud_config"]);
            let said = validate("cloud.yaml", &config).unwrap_or_else(|said| panic!("{address}: {said}"));
            assert!(said.contains("Valid") && !said.to_lowercase().contains("deprecat"), "{address}: {said}");
            assert!(validate("wrong.yaml", &config.replace("runcmd:", "runcmd: 1\nruncmds:")).is_err(), "{address}");
        }
        let validate =
            |name: &str, content: &str| checked(Command::new(ignition).arg(payload(&sandbox, name, content)));
        let config = rendered(&user_data["ignition"]);
        let said = validate("config.ign", &config).unwrap_or_else(|said| panic!("{address}: {said}"));
        assert_eq!(said.trim(), "", "{address}: no warning");
        assert!(validate("wrong.ign", &config.replace("\"path\":\"/", "\"path\":\"")).is_err(), "{address}");
        eprintln!("taken by kubeadm {version}: {address}");
    }

    // Tried out on a machine, against the tenant, up to the point where it would become a node.
    let machine = Machine::boot(&sandbox, "dry", "#!/bin/sh\nmkdir -p /etc/kubernetes\n");
    for kind in ["plain", "file"] {
        let join = join(&sandbox, &format!("kamaji_worker_join.{kind}[\"v1.30.2\"]"));
        let write = |path: &str, content: &Json| {
            let content = content.as_str().expect("rendered");
            fed(&mut machine.command(&["sh", "-c", "cat > \"$0\"", path]), content).expect("written");
        };
        write(CONFIGURATION_PATH, &join["join_configuration"]);
        write(DISCOVERY_PATH, &join["discovery_kubeconfig"]);
        let dry = ["kubeadm", "join", "--dry-run", "--config", CONFIGURATION_PATH];
        let said = checked(&mut machine.command(&dry)).unwrap_or_else(|said| panic!("{kind}: {said}"));
        assert!(said.contains("Would start the kubelet"), "{kind}: {said}");
    }
    let nodes = sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "nodes", "-o", "name"]);
    assert_eq!(nodes, "", "a dry run makes no node");
    drop(machine);
    sandbox.terraform.destroy().succeeds();
}

/// No plan fails while the tenant sleeps, and what is due is done once it is awake.
#[test]
fn a_join_lives_with_a_tenant_that_sleeps() {
    let sandbox = Sandbox::new("restless");
    let joins =
        [pool(""), pool("renewal_policy = \"extend\"").replace("\"pool\"", "\"ends\"").replace("1h", "1m")].join("\n");
    let tenant = sandbox.tenant().version("v1.30.2");
    sandbox.configure(&[&tenant.hcl(), &joins]);
    sandbox.terraform.apply().succeeds();

    // Asleep, the tenant is not asked; what is due waits.
    let deployment = |replicas: u8| {
        format!("{{ service = {{ service_type = \"NodePort\" }}, deployment = {{ replicas = {replicas} }} }}")
    };
    let asleep = tenant.clone().with("control_plane", &deployment(0));
    sandbox.configure(&[&asleep.hcl(), &joins]);
    sandbox.terraform.apply().succeeds();
    // Only now: on a slow machine the token has ended, and is extended, before the tenant sleeps.
    let (before, ends) = (join(&sandbox, POOL), join(&sandbox, "kamaji_worker_join.ends"));
    let end: jiff::Timestamp = ends["expiration"].as_str().expect("a time").parse().expect("a time");
    wait_for("the token has expired", Duration::from_secs(120), || (jiff::Timestamp::now() > end).then_some(()));
    let plan = sandbox.terraform.plan().plans_nothing();
    let said: Vec<String> = plan.warnings().into_iter().map(|warning| warning.summary).collect();
    assert_eq!(said, ["Token cannot be renewed now"], "{plan}");
    let refused =
        sandbox.terraform.run(&["apply", "-json", "-auto-approve", "-destroy", &format!("-target={POOL}")]).error();
    assert_eq!(refused.summary, "Token cannot be revoked now");
    assert_eq!(join(&sandbox, POOL), before);

    // Awake again.
    sandbox.configure(&[&tenant.hcl(), &joins]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.apply().succeeds();
    let extended = join(&sandbox, "kamaji_worker_join.ends");
    assert_eq!(without(&extended, &["expiration"]), without(&ends, &["expiration"]));
    assert_ne!(extended["expiration"], ends["expiration"]);
    assert!(is_taken(&sandbox, &extended));
    sandbox.terraform.destroy().succeeds();
}
