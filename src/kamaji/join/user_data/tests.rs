use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use super::super::tests::{plain, with_settings};
use super::*;

/// A machine with a kubeadm that notes what it was given; `kubeadm` is its script.
fn machine(kubeadm: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("bin")).unwrap();
    let program = root.path().join("bin/kubeadm");
    std::fs::write(&program, format!("#!/bin/sh\n{kubeadm}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    root
}

const NOTES: &str = r#"cp -p "$3" "$ROOT/seen"; echo "$@" >"$ROOT/arguments"; umask >"$ROOT/umask""#;

/// Runs a script on the machine, with its directory in the place of `/`.
fn run(root: &Path, script: &str) -> Output {
    let script = script.replace("/etc/kubernetes", &format!("{}/etc/kubernetes", root.display()));
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .env("PATH", format!("{}/bin:{}", root.display(), std::env::var("PATH").unwrap()))
        .env("ROOT", root)
        .output()
        .unwrap()
}

fn shell(input: &JoinInput) -> String {
    input.user_data_shell().unwrap().expose_secret().to_owned()
}

fn cloud_config(input: &JoinInput) -> Value {
    serde_saphyr::from_str(input.user_data_cloud_config().unwrap().expose_secret()).unwrap()
}

#[rstest]
#[case::plain(plain())]
#[case::with_settings(with_settings())]
fn the_script_gives_kubeadm_the_configuration_and_removes_it(#[case] input: JoinInput) {
    let root = machine(NOTES);
    let output = run(root.path(), &shell(&input));
    assert!(output.status.success(), "{output:?}");
    let seen = std::fs::read_to_string(root.path().join("seen")).unwrap();
    assert_eq!(seen, input.join_configuration().unwrap().expose_secret());
    let mode = std::fs::metadata(root.path().join("seen")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let umask = std::fs::read_to_string(root.path().join("umask")).unwrap();
    assert_ne!(umask.trim(), "0077", "kubeadm runs with the machine's own umask");
    assert!(!root.path().join("etc/kubernetes/kubeadm-join.yaml").exists());
}

#[test]
fn a_join_that_fails_fails_the_script_and_leaves_no_token() {
    let root = machine("exit 3");
    assert_eq!(run(root.path(), &shell(&plain())).status.code(), Some(3));
    assert!(!root.path().join("etc/kubernetes/kubeadm-join.yaml").exists());
}

#[test]
fn a_machine_that_is_a_node_already_is_left_alone() {
    let root = machine(NOTES);
    std::fs::create_dir_all(root.path().join("etc/kubernetes")).unwrap();
    std::fs::write(root.path().join("etc/kubernetes/kubelet.conf"), "").unwrap();
    assert!(run(root.path(), &shell(&plain())).status.success());
    assert!(!root.path().join("seen").exists());
}

#[test]
fn a_machine_without_kubeadm_is_told_so() {
    let root = machine(NOTES);
    std::fs::remove_file(root.path().join("bin/kubeadm")).unwrap();
    let output = run(root.path(), &format!("PATH=/nonexistent\n{}", shell(&plain())));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("kubeadm is not installed"), "{output:?}");
}

#[test]
fn the_cloud_config_writes_the_configuration_for_root_alone() {
    let input = with_settings();
    let document = cloud_config(&input);
    let file = &document["write_files"][0];
    assert_eq!((file["path"].as_str(), file["permissions"].as_str()), (Some(CONFIGURATION_PATH), Some("0600")));
    let content = STANDARD.decode(file["content"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(content).unwrap(), input.join_configuration().unwrap().expose_secret());
}

#[rstest]
#[case::joins(false, NOTES, 0, true)]
#[case::fails(false, "exit 3", 3, false)]
#[case::a_node_already(true, NOTES, 0, false)]
fn the_cloud_config_joins_and_removes_the_token(
    #[case] node_already: bool,
    #[case] kubeadm: &str,
    #[case] code: i32,
    #[case] called: bool,
) {
    let root = machine(kubeadm);
    let directory = root.path().join("etc/kubernetes");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("kubeadm-join.yaml"), "token").unwrap();
    if node_already {
        std::fs::write(directory.join("kubelet.conf"), "").unwrap();
    }
    let document = cloud_config(&plain());
    let command: Vec<&str> = document["runcmd"][0].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(command[..2], ["sh", "-c"]);
    assert_eq!(run(root.path(), command[2]).status.code(), Some(code));
    assert_eq!(root.path().join("seen").exists(), called);
    assert!(!directory.join("kubeadm-join.yaml").exists());
}

#[test]
fn the_first_lines_say_what_it_is() {
    assert!(shell(&plain()).starts_with("#!/bin/sh\n# terraform-provider-kamaji: worker join, template 1\n"));
    let cloud = plain().user_data_cloud_config().unwrap();
    assert!(cloud.expose_secret().starts_with("#cloud-config\n# terraform-provider-kamaji: worker join, template 1\n"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(shell(&with_settings()), shell(&with_settings()));
    assert_eq!(cloud_config(&with_settings()), cloud_config(&with_settings()));
}
