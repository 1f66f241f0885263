use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::installer::Yaki;
use super::super::settings::{ExtraFile, MachineSettings, Proxy};
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

/// Writes notes of the order of things into `order`.
fn with_everything() -> JoinInput {
    let note = |word: &str| format!("echo {word} >>\"$ROOT/order\"");
    let file = ExtraFile {
        path: "/etc/kubernetes/it's here/a".to_owned(),
        content: "a\nEND\n'\"$(x)\n".to_owned(),
        permissions: "0640".to_owned(),
        owner: "root:root".to_owned(),
    };
    let settings = MachineSettings {
        patches: [("kubeletconfiguration.yaml".to_owned(), "maxPods: 5".to_owned())].into(),
        files: vec![file],
        pre_commands: vec![note("before"), "exit 0".to_owned()],
        post_commands: vec![note("after"), "test ! -e /etc/kubernetes/kubeadm-join.yaml".to_owned()],
        ..MachineSettings::default()
    };
    JoinInput { settings, ..plain() }
}

fn cloud_config(input: &JoinInput) -> Value {
    serde_saphyr::from_str(input.user_data_cloud_config().unwrap().expose_secret()).unwrap()
}

#[rstest]
#[case::plain(plain())]
#[case::with_settings(with_settings())]
#[case::with_everything(with_everything())]
#[case::by_file(JoinInput { discovery: Discovery::File, ..plain() })]
fn the_script_gives_kubeadm_the_configuration_and_removes_it(#[case] input: JoinInput) {
    let root = machine(NOTES);
    let output = run(root.path(), &shell(&input));
    assert!(output.status.success(), "{output:?}");
    let seen = std::fs::read_to_string(root.path().join("seen")).unwrap();
    let wanted = input
        .join_configuration()
        .unwrap()
        .expose_secret()
        .replace("/etc/", &format!("{}/etc/", root.path().display()));
    assert_eq!(seen, wanted);
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
    let output = run(root.path(), &shell(&plain()));
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
    assert!(shell(&plain()).starts_with("#!/bin/sh\n# terraform-provider-kamaji: worker join, template 3\n"));
    let cloud = plain().user_data_cloud_config().unwrap();
    assert!(cloud.expose_secret().starts_with("#cloud-config\n# terraform-provider-kamaji: worker join, template 3\n"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(shell(&with_settings()), shell(&with_settings()));
    assert_eq!(cloud_config(&with_settings()), cloud_config(&with_settings()));
}

#[test]
fn files_are_there_before_and_commands_run_around() {
    let root =
        machine(&format!("{NOTES}; echo join >>\"$ROOT/order\"; ls \"$ROOT/etc/kubernetes/kubeadm-join-patches\""));
    let output = run(root.path(), &shell(&with_everything()));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read_to_string(root.path().join("order")).unwrap(), "before\njoin\nafter\n");
    assert!(String::from_utf8_lossy(&output.stdout).contains("kubeletconfiguration.yaml"), "{output:?}");
    let file = root.path().join("etc/kubernetes/it's here/a");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\nEND\n'\"$(x)\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_command_that_fails_ends_the_join_and_leaves_no_token() {
    let root = machine(NOTES);
    let settings = MachineSettings { pre_commands: vec!["exit 7".to_owned()], ..MachineSettings::default() };
    assert_eq!(run(root.path(), &shell(&JoinInput { settings, ..plain() })).status.code(), Some(7));
    assert!(!root.path().join("seen").exists());
    assert!(!root.path().join("etc/kubernetes/kubeadm-join.yaml").exists());
}

fn with_yaki(sha256: &str) -> JoinInput {
    let yaki = Yaki {
        url: "https://example.com/yaki".to_owned(),
        sha256: Some(sha256.to_owned()),
        environment: [("CNI_VERSION".to_owned(), "v1.0.0".to_owned())].into(),
    };
    JoinInput { settings: MachineSettings { installer: Some(yaki), ..MachineSettings::default() }, ..plain() }
}

/// What a download gives, and its checksum.
const YAKI: &str =
    "env | sort >\"$ROOT/environment\"; cp \"$KUBEADM_CONFIG\" \"$ROOT/seen\"; echo \"$1\" >\"$ROOT/arguments\"\n";

#[rstest]
#[case::the_script(true)]
#[case::another(false)]
fn the_installer_runs_only_if_it_is_the_one_that_is_known(#[case] genuine: bool) {
    use sha2::Digest as _;
    let root = machine("exit 9");
    let curl = root.path().join("bin/curl");
    std::fs::write(&curl, format!("#!/bin/sh\nshift 4\ncat >\"$1\" <<'X'\n{YAKI}X\n")).unwrap();
    std::fs::set_permissions(&curl, std::fs::Permissions::from_mode(0o755)).unwrap();
    let right: String = sha2::Sha256::digest(YAKI).iter().map(|byte| format!("{byte:02x}")).collect();
    let input = with_yaki(if genuine { &right } else { "00" });
    let output = run(root.path(), &shell(&input));
    assert_eq!(output.status.success(), genuine, "{output:?}");
    assert_eq!(root.path().join("seen").exists(), genuine);
    assert!(!root.path().join("etc/kubernetes/kubeadm-join.yaml").exists());
    if genuine {
        let environment = std::fs::read_to_string(root.path().join("environment")).unwrap();
        assert!(environment.contains("KUBERNETES_VERSION=v1.32.4\n") && environment.contains("CNI_VERSION=v1.0.0\n"));
        assert!(environment.contains("JOIN_URL=10.0.0.1:6443\n") && !environment.contains("0123456789abcdef"));
        assert_eq!(std::fs::read_to_string(root.path().join("arguments")).unwrap(), "join\n");
    }
}

#[test]
fn the_proxy_is_known_to_commands_and_to_containerd() {
    let proxy = Proxy { https: Some("http://p:3128".to_owned()), no_proxy: vec!["10.0.0.0/8".to_owned()], http: None };
    let settings = MachineSettings { proxy: Some(proxy), ..MachineSettings::default() };
    let input = JoinInput { settings, ..plain() };
    let script = shell(&input);
    assert!(script.contains("export HTTPS_PROXY=http://p:3128\n") && !script.contains("HTTP_PROXY=\n"), "{script}");
    assert!(script.contains("export no_proxy=10.0.0.0/8,10.0.0.1\n"), "{script}");
    let drop_in = &cloud_config(&input)["write_files"][1];
    assert_eq!(drop_in["path"], "/etc/systemd/system/containerd.service.d/http-proxy.conf");
    let content = STANDARD.decode(drop_in["content"].as_str().unwrap()).unwrap();
    assert!(String::from_utf8(content).unwrap().contains("Environment=\"HTTPS_PROXY=http://p:3128\"\n"));
}

#[test]
fn ignition_brings_the_files_and_a_unit_that_runs_once() {
    let text = with_everything().user_data_ignition().unwrap().unwrap();
    let document: Value = serde_json::from_str(text.expose_secret()).unwrap();
    assert_eq!(document["ignition"], json!({"version": "3.3.0"}));
    let files = document["storage"]["files"].as_array().unwrap();
    assert_eq!(files[0]["path"], CONFIGURATION_PATH);
    assert_eq!((&files[0]["mode"], &files[3]["mode"]), (&json!(0o600), &json!(0o640)));
    let source = files[0]["contents"]["source"].as_str().unwrap().strip_prefix("data:;base64,").unwrap();
    let content = STANDARD.decode(source).unwrap();
    assert_eq!(String::from_utf8(content).unwrap(), with_everything().join_configuration().unwrap().expose_secret());
    let unit = document["systemd"]["units"][0]["contents"].as_str().unwrap();
    assert!(unit.contains(&format!("ConditionPathExists={CONFIGURATION_PATH}\n")), "{unit}");
    assert!(with_yaki("00").user_data_ignition().unwrap().is_none());
}

#[test]
fn the_multipart_document_brings_the_script_and_the_parts_of_the_user() {
    let part = Part { content_type: "text/cloud-config".to_owned(), content: "#cloud-config\n{}\n".to_owned() };
    let text = plain().user_data(&[part]).unwrap().mime.expose_secret().to_owned();
    let boundary = text.split('"').nth(1).unwrap();
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 4);
    let body = |part: &str| {
        let encoded: String = part.split_once("\n\n").unwrap().1.split_whitespace().collect();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    };
    assert_eq!(body(parts[1]), shell(&plain()));
    assert_eq!(body(parts[2]), "#cloud-config\n{}\n");
    assert!(parts[2].contains("Content-Type: text/cloud-config;") && parts[3] == "--\n");
}

#[test]
fn bottlerocket_is_told_how_to_bootstrap_or_nothing() {
    let input = JoinInput { join_id: Some("j1".to_owned()), ..with_settings() };
    let toml = input.user_data_bottlerocket().unwrap().expose_secret().to_owned();
    for line in [
        "api-server = \"https://10.0.0.1:6443\"",
        "bootstrap-token = \"abcdef.0123456789abcdef\"",
        "cluster-dns-ip = \"10.96.0.10\"",
        "authentication-mode = \"tls\"",
        "\"terraform.kamaji.clastix.io/join-id\" = \"j1\"",
        "\"dedicated\" = [\"db:NoSchedule\"]",
        "\"gpu\" = [\":NoExecute\"]",
    ] {
        assert!(toml.lines().any(|found| found == line), "{line} is not in\n{toml}");
    }
    assert!(with_everything().user_data_bottlerocket().is_none());
}
