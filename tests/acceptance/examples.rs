//! The documentation's promise: every example can be applied, plans empty afterwards, and can be destroyed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rstest::rstest;

use crate::harness::cluster::{SLEEPING, cluster};
use crate::harness::database::Database;
use crate::harness::{Feature, Sandbox, SshMachine, left_out, wait_for};

/// A consumer of the same values as the `kubernetes` provider, where that one is not there.
const INSTEAD_OF_KUBERNETES: &str = r#"
resource "terraform_data" "inside" {
  input = kamaji_tenant_control_plane.example.uid

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-SHELL
      umask 077
      folder=$(mktemp -d)
      trap 'rm -rf "$folder"' EXIT
      printf '%s' "$CA" > "$folder/ca"
      printf '%s' "$CERTIFICATE" > "$folder/certificate"
      printf '%s' "$KEY" > "$folder/key"
      kubectl --kubeconfig /dev/null --server "$HOST" --certificate-authority "$folder/ca" \
        --client-certificate "$folder/certificate" --client-key "$folder/key" get --raw /version
    SHELL
    environment = {
      HOST        = ephemeral.kamaji_kubeconfig.example.host
      CA          = ephemeral.kamaji_kubeconfig.example.cluster_ca_certificate
      CERTIFICATE = ephemeral.kamaji_kubeconfig.example.client_certificate
      KEY         = ephemeral.kamaji_kubeconfig.example.client_key
    }
  }
}
"#;

/// The same with a credential of the run.
const WITH_A_MINTED_CREDENTIAL: &str = r#"
resource "terraform_data" "minted" {
  input = kamaji_tenant_control_plane.example.uid

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-SHELL
      umask 077
      file=$(mktemp)
      trap 'rm -f "$file"' EXIT
      printf '%s' "$KUBECONFIG_TEXT" > "$file"
      kubectl --kubeconfig "$file" get --raw /api/v1/namespaces/default/configmaps
    SHELL
    environment = { KUBECONFIG_TEXT = ephemeral.kamaji_kubeconfig.minted.kubeconfig }
  }
}
"#;

/// A consumer of the user data, as a secret store that machines fetch it from.
const INSTEAD_OF_A_SECRET_STORE: &str = r#"
resource "terraform_data" "store" {
  input = kamaji_worker_join.pool.token_id

  provisioner "local-exec" {
    command     = "printf '%s' \"$USER_DATA\" | grep -q '^#cloud-config'"
    environment = { USER_DATA = ephemeral.kamaji_worker_join.pool.user_data.cloud_config }
  }
}
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("modules")
}

/// The text without the first block that begins with `head`, if there is one.
fn without_block(text: &str, head: &str) -> String {
    let Some(start) = text.find(head) else { return text.to_owned() };
    let indent = text[..start].rsplit('\n').next().unwrap_or_default();
    let end = format!("\n{indent}}}\n");
    let length = text[start..].find(&end).map_or(0, |at| at + end.len());
    format!("{}{}", &text[..start], &text[start + length..])
}

#[rstest]
#[case::quickstart("quickstart")]
#[case::datastore("resources/kamaji_datastore")]
#[case::tenant_control_plane("resources/kamaji_tenant_control_plane")]
#[case::kubeconfig_generator("resources/kamaji_kubeconfig_generator")]
#[case::worker("resources/kamaji_worker")]
#[case::worker_join("resources/kamaji_worker_join")]
#[case::worker_nodes("resources/kamaji_worker_nodes")]
#[case::one_control_plane("data-sources/kamaji_tenant_control_plane")]
#[case::control_planes("data-sources/kamaji_tenant_control_planes")]
#[case::one_datastore("data-sources/kamaji_datastore")]
#[case::datastores("data-sources/kamaji_datastores")]
#[case::tenants_ready("data-sources/kamaji_tenants_ready")]
#[case::versions("data-sources/kamaji_versions")]
#[case::nodes("data-sources/kamaji_nodes")]
#[case::kubeconfig_in_state("data-sources/kamaji_kubeconfig")]
#[case::bootstrap_tokens("data-sources/kamaji_bootstrap_tokens")]
#[case::kubeconfig("ephemeral-resources/kamaji_kubeconfig")]
#[case::ephemeral_join("ephemeral-resources/kamaji_worker_join")]
#[case::list_of_control_planes("list-resources/kamaji_tenant_control_plane")]
#[case::list_of_datastores("list-resources/kamaji_datastore")]
#[case::list_of_generators("list-resources/kamaji_kubeconfig_generator")]
#[case::drain_node("actions/kamaji_drain_node")]
#[case::pause("actions/kamaji_pause")]
#[case::restart("actions/kamaji_restart")]
#[case::resume("actions/kamaji_resume")]
#[case::rotate_certificates("actions/kamaji_rotate_certificates")]
#[case::load_balancer("exposure/load-balancer")]
#[case::node_port("exposure/node-port")]
#[case::ingress("exposure/ingress")]
#[case::gateway("exposure/gateway")]
#[case::module("module")]
#[case::datastore_module("datastore-module")]
#[case::workers_module("workers-module")]
#[case::whole("whole")]
#[case::postgresql("datastores/postgresql")]
#[case::mysql("datastores/mysql")]
#[case::nats("datastores/nats")]
fn an_example_is_applied_imported_and_destroyed(#[case] folder: &str) {
    let name = folder.rsplit(['/', '_']).next().unwrap_or_default();
    let kind = match folder.split('/').next() {
        Some("data-sources") => "data-",
        Some("ephemeral-resources") => "run-",
        Some("list-resources") => "list-",
        Some("actions") => "act-",
        _ => "",
    };
    let password = "example-password";
    let database = match folder.strip_prefix("datastores/") {
        Some(_) if !cluster().is_local_for(folder) => return,
        Some("postgresql") => Database::postgresql(cluster(), password),
        Some("mysql") => Database::mariadb(cluster(), password),
        Some(_) => Some(Database::nats(cluster(), password)),
        None => None,
    };
    if folder.starts_with("datastores/") && database.is_none() {
        return;
    }
    let mut sandbox = Sandbox::new(&format!("example-{kind}{name}"));
    if folder.starts_with("actions/") && !sandbox.terraform.knows_for(Feature::Actions, folder) {
        return;
    }
    let mut all = String::new();
    for file in files(&root().join(folder), "tf") {
        // An import of the same object in another form, which Terraform knows since 1.12.
        if file.ends_with("import-by-identity.tf") {
            continue;
        }
        let content = fs::read_to_string(&file).expect("readable");
        // The test's directory is another one.
        let content = content.replace("\"../../modules/", &format!("\"{}/", modules().display()));
        let mut used = without_block(&content, "aws = {\n      source");
        while used.contains("resource \"aws_") {
            used = without_block(&used, "resource \"aws_");
        }
        if used.contains("ephemeral \"kamaji_worker_join\"") {
            used.push_str(INSTEAD_OF_A_SECRET_STORE);
        }
        if !sandbox.terraform.has_kubernetes() {
            let with_kubernetes = used.clone();
            for head in ["provider \"kubernetes\" {", "kubernetes = {\n      source", "resource \"kubernetes_"] {
                while used.contains(head) {
                    used = without_block(&used, head);
                }
            }
            if used != with_kubernetes {
                left_out(&format!("since KUBERNETES_PROVIDER names no program: the kubernetes provider in {folder}"));
            }
            if used.contains("ephemeral \"kamaji_kubeconfig\"") {
                used.push_str(INSTEAD_OF_KUBERNETES);
            }
            if used.contains("ephemeral \"kamaji_kubeconfig\" \"minted\"") {
                used.push_str(WITH_A_MINTED_CREDENTIAL);
            }
        }
        sandbox.terraform.write(&file.file_name().unwrap_or_default().to_string_lossy(), &used);
        all.push_str(&content);
    }
    // Where it runs is the test's choice, and protection is on in the examples.
    let place = format!("namespace = {:?}\n  deletion_protection = false", sandbox.namespace);
    let mut choices = String::new();
    for (kind, choice) in
        [("kamaji_tenant_control_plane", place.as_str()), ("kamaji_datastore", "deletion_protection = false")]
    {
        if all.contains(&format!("resource \"{kind}\" \"example\"")) {
            choices.push_str(&format!("resource \"{kind}\" \"example\" {{\n  {choice}\n}}\n"));
        }
    }
    sandbox.terraform.write("choices_override.tf", &choices);
    let values = [
        ("namespace", sandbox.namespace.clone()),
        ("node_address", sandbox.cluster.node_address().to_owned()),
        ("node_port", sandbox.port.to_string()),
        ("cluster_program", sandbox.cluster.program().display().to_string()),
    ];
    let declared = |name: &str| all.contains(&format!("variable \"{name}\""));
    let mut values: String =
        values.iter().filter(|(name, _)| declared(name)).map(|(name, value)| format!("{name} = {value:?}\n")).collect();
    if declared("cluster_program") && !sandbox.cluster.is_local_for(folder) {
        return;
    }
    // Ends after the destroy.
    let mut machine = None;
    if declared("private_key_file") {
        if !sandbox.cluster.is_local_for(folder) {
            return;
        }
        let booted = SshMachine::boot(&sandbox, "machine");
        let (host, host_key, file) = (&booted.address, &booted.host_key, booted.key_file.display().to_string());
        values.push_str(&format!("host = {host:?}\nhost_key = {host_key:?}\nprivate_key_file = {file:?}\n"));
        machine = Some(booted);
    }
    if declared("etcd_endpoint") {
        if !sandbox.cluster.is_local_for(folder) {
            return;
        }
        values.push_str(&format!("etcd_endpoint = {:?}\n", sandbox.cluster.fact("KAMAJI_CLUSTER_ETCD_ENDPOINT")));
    }
    if let Some(database) = &database {
        values.push_str(&format!("endpoint = {:?}\n", database.endpoint));
        sandbox.terraform.set("TF_VAR_password", password);
        if let Some(tls) = &database.tls {
            values.push_str(&format!("ca_certificate = {:?}\nclient_certificate = {:?}\n", tls.ca, tls.certificate));
            sandbox.terraform.set("TF_VAR_client_key", &tls.key);
        }
    }
    if declared("etcd_certificates") {
        let fact = |fact: &str| sandbox.cluster.fact(&format!("KAMAJI_CLUSTER_ETCD_SECRET_{fact}")).to_owned();
        let (namespace, name) = (fact("NAMESPACE"), fact("NAME"));
        let key = |key: &str| {
            let value = sandbox.cluster.secret(&namespace, &name, key).expect("a key of the Secret");
            format!("{key:?} = {:?}", String::from_utf8_lossy(&value))
        };
        let all = ["ca.crt", "ca.key", "tls.crt", "tls.key"].map(key).join(", ");
        sandbox.terraform.set("TF_VAR_etcd_certificates", &format!("{{ {all} }}"));
    }
    sandbox.terraform.write("terraform.tfvars", &values);
    sandbox.terraform.set("KUBE_CONFIG_PATH", sandbox.cluster.kubeconfig());

    if all.contains("module \"") {
        sandbox.terraform.run(&["get"]).succeeds();
    }
    if folder.ends_with("gateway") && !sandbox.cluster.has_definition("tlsroutes.gateway.networking.k8s.io") {
        eprintln!("only validated, since the cluster has no Gateway API: {folder}");
        sandbox.terraform.run(&["validate"]).succeeds();
        return;
    }
    if folder.ends_with("generator") && !sandbox.cluster.has_definition("kubeconfiggenerators.kamaji.clastix.io") {
        eprintln!("only validated, since this Kamaji has no generator of kubeconfigs: {folder}");
        sandbox.terraform.run(&["validate"]).succeeds();
        return;
    }
    if folder.ends_with("load-balancer") && !sandbox.cluster.is_local_for(folder) {
        return;
    }
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    if let [query] = &files(&root().join(folder), "hcl")[..]
        && sandbox.terraform.knows_for(Feature::Query, folder)
    {
        sandbox.terraform.write("example.tfquery.hcl", &fs::read_to_string(query).expect("readable"));
        sandbox.terraform.run(&["query", "-json"]).succeeds();
    }
    if let Some(action) = folder.strip_prefix("actions/") {
        let invoked =
            sandbox.terraform.run(&["apply", "-json", "-auto-approve", &format!("-invoke=action.{action}.example")]);
        let pauses = action.ends_with("pause") || action.ends_with("resume");
        if pauses && !sandbox.cluster.declares_for(SLEEPING, "pauses") {
            let error = invoked.error();
            assert!(
                format!("{}: {}", error.summary, error.detail).contains("Kamaji cannot pause: "),
                "{}",
                error.detail
            );
        } else {
            invoked.succeeds();
        }
        sandbox.terraform.plan().plans_nothing();
        if action.ends_with("pause") {
            let annotation =
                ["annotate", "tenantcontrolplane", "--all", "-n", &sandbox.namespace, "kamaji.clastix.io/paused-"];
            sandbox.cluster.kubectl_run(&annotation);
        }
    }
    for script in files(&root().join(folder), "sh") {
        let script = fs::read_to_string(script).expect("readable");
        let command = script.lines().find_map(|line| line.strip_prefix("terraform import ")).expect("the command");
        let (address, id) = command.split_once(' ').expect("an address and an id");
        let mut id = id.trim_matches('\'').replace("default/", &format!("{}/", sandbox.namespace));
        if let Some(booted) = &machine {
            id = id.replace("#node-1", &format!("#{}", booted.machine.name));
        }
        sandbox.terraform.run(&["state", "rm", address]).succeeds();
        sandbox.terraform.run(&["import", "-no-color", address, &id]).succeeds();
        // What is imported has no settings that only the provider knows; `deletion_protection` here is one.
        sandbox.terraform.apply().succeeds();
        sandbox.terraform.plan().plans_nothing();
    }
    sandbox.terraform.destroy().succeeds();
    drop(machine);
    wait_for("nothing is left", Duration::from_secs(60), || sandbox.leftovers().is_empty().then_some(()));
}

/// The files of a folder with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

#[test]
fn every_folder_of_examples_has_its_case() {
    let cases: BTreeSet<String> = include_str!("examples.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("#[case::")?.split('"').nth(1).map(str::to_owned))
        .collect();
    let mut folders =
        BTreeSet::from(["quickstart", "module", "datastore-module", "workers-module", "whole"].map(str::to_owned));
    for group in
        ["exposure", "datastores", "resources", "data-sources", "ephemeral-resources", "list-resources", "actions"]
    {
        for entry in fs::read_dir(root().join(group)).expect("a folder") {
            folders.insert(format!("{group}/{}", entry.expect("an entry").file_name().to_string_lossy()));
        }
    }
    assert_eq!(cases, folders);
}
