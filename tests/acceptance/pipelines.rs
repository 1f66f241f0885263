//! From an empty folder to a tenant without a terminal: examples/pipeline and examples/ansible, as a job runs them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;

use crate::harness::running::Outcome;
use crate::harness::terraform::{DESTROY, Terraform};
use crate::harness::{Sandbox, left_out, wait_for};

const TENANT: &str = "kamaji_tenant_control_plane.pipeline";

fn examples(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(folder)
}

/// A folder with the configuration of the example and nothing else that `init` would find: the provider comes from a
/// mirror, as in a job whose machine has one. Of the variables only the port has no value.
fn empty_folder(name: &str) -> Sandbox {
    let mut sandbox = Sandbox::new(name);
    let directory = sandbox.terraform.path().to_owned();
    symlink(Terraform::binary(), directory.join("programs/terraform")).expect("linked");
    let platform = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
    let version = env!("CARGO_PKG_VERSION");
    for registry in ["registry.terraform.io", "registry.opentofu.org"] {
        let folder = directory.join(format!("mirror/{registry}/clastix/kamaji/{version}/{platform}"));
        fs::create_dir_all(&folder).expect("created");
        let program = folder.join(format!("terraform-provider-kamaji_v{version}"));
        symlink(env!("CARGO_BIN_EXE_terraform-provider-kamaji"), program).expect("linked");
    }
    let mirror = directory.join("mirror").display().to_string();
    let installation = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n");
    sandbox.terraform.write("terraform.rc", &format!("disable_checkpoint = true\n{installation}"));
    let main = fs::read_to_string(examples("pipeline").join("main.tf")).expect("readable");
    sandbox.terraform.configure(&main);
    sandbox.terraform.set("KUBE_CONFIG_PATH", sandbox.cluster.kubeconfig());
    sandbox.terraform.set("TF_VAR_namespace", &sandbox.namespace.clone());
    sandbox.terraform.set("TF_VAR_node_address", sandbox.cluster.node_address());
    sandbox
}

impl Sandbox {
    /// Ends a test of an example: the tenant is there, and nothing is left of it after `destroy`.
    fn is_made_and_destroyed(&self, destroy: impl FnOnce() -> Outcome) {
        assert!(self.cluster.tenant(&self.namespace, "pipeline").is_some());
        self.terraform.helped(destroy(), &DESTROY).succeeds();
        assert_eq!(self.terraform.state()["values"], Json::Null);
        wait_for("nothing is left", Duration::from_secs(60), || self.leftovers().is_empty().then_some(()));
    }
}

/// The lines of a file that `-json` wrote; each must be an object.
fn lines(sandbox: &Sandbox, file: &str) -> Vec<Json> {
    let text = fs::read_to_string(sandbox.terraform.path().join(file)).expect("written");
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}: {error}: {line}"));
    let lines: Vec<Json> = text.lines().map(read).collect();
    assert!(lines.iter().all(|line| line["@message"].is_string()), "{file}: {text}");
    lines
}

/// The line of this type; for a resource, the tenant's.
#[track_caller]
fn line<'a>(lines: &'a [Json], kind: &str) -> &'a Json {
    let is = |line: &&Json| {
        let of = line["hook"].get("resource").map(|resource| &resource["addr"]);
        line["type"] == kind && of.is_none_or(|address| address == TENANT)
    };
    lines.iter().find(is).unwrap_or_else(|| panic!("no {kind} in {lines:#?}"))
}

/// The numbers that Terraform ends a plan or an apply with.
fn summary(lines: &[Json]) -> (u64, u64, u64) {
    let last = lines.iter().rfind(|line| line["type"] == "change_summary").expect("a summary");
    let number = |key: &str| last["changes"][key].as_u64().expect("a number");
    (number("add"), number("change"), number("remove"))
}

#[test]
fn a_pipeline_goes_from_an_empty_folder_to_a_tenant_by_exit_codes_and_json() {
    let mut sandbox = empty_folder("example-pipeline");
    let script = examples("pipeline").join("run");
    let run = |sandbox: &Sandbox, step| sandbox.terraform.spawn_program(&script, &[step]).wait();

    // Without a value for the port: an error, and no question on a terminal that is not there.
    let refused = run(&sandbox, "plan");
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("node_port"), "{refused}");

    sandbox.terraform.set("TF_VAR_node_port", &sandbox.port.to_string());
    run(&sandbox, "plan").has_changes();
    let plan = lines(&sandbox, "plan.jsonl");
    assert_eq!(line(&plan, "planned_change")["change"]["action"], "create");
    assert_eq!(summary(&plan), (1, 0, 0));

    let mut applying = sandbox.terraform.spawn_program(&script, &["apply"]);
    wait_for("the end of the apply", Duration::from_secs(300), || (!applying.is_running()).then_some(()));
    // What Terraform and the provider logged at DEBUG.
    let log = applying.log();
    assert_eq!(applying.wait().code, 0);
    let asked = log.lines().filter(|line| line.contains("summary: what this run asked of API servers"));
    assert!(asked.clone().any(|line| line.contains("management_clusters=1") && !line.contains(" requests=0")), "{log}");
    let apply = lines(&sandbox, "apply.jsonl");
    assert_eq!(line(&apply, "apply_complete")["hook"]["action"], "create");
    assert_eq!(line(&apply, "outputs")["outputs"]["endpoint"]["type"], "string");
    assert_eq!(summary(&apply), (1, 0, 0));

    run(&sandbox, "plan").plans_nothing();
    assert_eq!(summary(&lines(&sandbox, "plan.jsonl")), (0, 0, 0));

    sandbox.is_made_and_destroyed(|| run(&sandbox, "destroy"));
    assert_eq!(summary(&lines(&sandbox, "destroy.jsonl")), (0, 0, 1));
}

/// A job that is cancelled signals the script alone.
#[test]
fn a_cancelled_pipeline_keeps_in_the_state_what_it_has_made() {
    let mut sandbox = empty_folder("example-cancelled");
    sandbox.terraform.set("TF_VAR_node_port", &sandbox.port.to_string());
    let script = examples("pipeline").join("run");
    let run = |step| sandbox.terraform.spawn_program(&script, &[step]);
    run("plan").wait().has_changes();
    let applying = run("apply");
    wait_for("the tenant", Duration::from_secs(60), || sandbox.cluster.tenant(&sandbox.namespace, "pipeline"));
    let cancelled = applying.cancelled();
    assert_eq!(cancelled.code, 1, "{cancelled}");
    assert!(cancelled.stderr.contains("\"@level\":\"error\""), "{cancelled}");
    assert_eq!(sandbox.terraform.resource(TENANT)["tainted"], true);
    sandbox.is_made_and_destroyed(|| run("destroy").wait());
}

/// The program on the PATH, or [`None`] and what is left out.
fn ansible(what: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("ansible-playbook")).find(|file| file.is_file());
    if found.is_none() {
        left_out(&format!("since ansible-playbook is not on the PATH: {what}"));
    }
    found
}

/// The changes that a playbook says it made.
#[track_caller]
fn changed(outcome: Outcome) -> u32 {
    // 2 means that a task failed.
    assert_eq!(outcome.code, 0, "{outcome}");
    let end = outcome.stdout.lines().rfind(|line| line.contains("changed=")).unwrap_or_else(|| panic!("{outcome}"));
    let number = end.split("changed=").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("{end}"))
}

/// Runs a playbook to a tenant, again without a change, and to its end: with `destroy` as its arguments, or without any by
/// Terraform.
fn playbook(sandbox: &mut Sandbox, program: &Path, name: &str, destroy: &[&str]) {
    let file = examples("ansible").join(name).display().to_string();
    let values = serde_json::json!({
        "project": sandbox.terraform.path(), "tenant_namespace": sandbox.namespace,
        "node_address": sandbox.cluster.node_address(), "node_port": sandbox.port,
    });
    let values = values.to_string();
    let run = |sandbox: &Sandbox, more: &[&str]| {
        let arguments = [&[file.as_str(), "-e", &values], more].concat();
        sandbox.terraform.spawn_program(program, &arguments).wait()
    };
    assert!(changed(run(sandbox, &[])) > 0, "{name} makes the tenant");
    assert_eq!(changed(run(sandbox, &[])), 0, "{name} again");
    // For Terraform without the playbook.
    sandbox.terraform.set("TF_VAR_node_port", &sandbox.port.to_string());
    sandbox.is_made_and_destroyed(|| {
        let by_playbook = (!destroy.is_empty()).then(|| run(sandbox, destroy));
        // Of what Kamaji v1.0.0 sometimes leaves, only Terraform's own output can be read.
        let done = by_playbook.filter(|outcome| !outcome.stdout.contains("Kamaji left a finalizer behind"));
        done.unwrap_or_else(|| sandbox.terraform.destroy())
    });
}

#[test]
fn a_playbook_with_the_command_line_makes_a_tenant_and_changes_nothing_again() {
    let Some(program) = ansible("examples/ansible/plain.yml; examples/pipeline has its commands") else { return };
    playbook(&mut empty_folder("example-plain"), &program, "plain.yml", &[]);
}

#[test]
fn a_playbook_with_the_module_makes_a_tenant_and_changes_nothing_again() {
    let Some(program) = ansible("examples/ansible/module.yml") else { return };
    let mut asks = Command::new(program.with_file_name("ansible-doc"));
    let module = asks.args(["-t", "module", "community.general.terraform"]).output();
    if !module.is_ok_and(|output| output.status.success()) {
        left_out("since Ansible has no community.general.terraform: examples/ansible/module.yml");
        return;
    }
    playbook(&mut empty_folder("example-ansible"), &program, "module.yml", &["-e", "state=absent"]);
}
