//! How the process and its client find each other.

use tfplugin::proto::tfplugin6::get_metadata;

use crate::certificate::ClientCertificate;
use crate::client::{Connection, Launch, PATIENCE, Plugin};

async fn answers(connection: &mut Connection) -> bool {
    connection.provider.get_metadata(get_metadata::Request {}).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_that_started_it_is_served_over_mutual_tls() {
    let plugin = Launch::as_plugin().start();
    assert_eq!(plugin.handshake.protocol, 6);
    assert!(plugin.handshake.certificate.is_some());
    let mut connection = plugin.connect().await;
    assert!(answers(&mut connection).await);
    assert!(connection.streams_are_open().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_tls_is_served_in_plaintext() {
    let plugin = Launch::plain().start();
    assert!(plugin.handshake.certificate.is_none());
    assert!(answers(&mut plugin.connect().await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_refused_and_the_right_one_still_served() {
    let mut plugin = Launch::as_plugin().env("TF_LOG", "ERROR").start();
    let stranger = ClientCertificate::generate();
    assert!(plugin.connect_with(Some(&stranger)).await.is_err());
    plugin.process.wait_for_stderr("TLS handshake with the plugin's client failed");
    assert!(answers(&mut plugin.connect().await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_is_refused_where_tls_was_agreed_on() {
    let plugin = Launch::as_plugin().start();
    assert!(plugin.connect_with(None).await.is_err());
    assert!(answers(&mut plugin.connect().await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_are_served_at_once() {
    let plugin = Launch::as_plugin().start();
    let (mut one, mut other) = (plugin.connect().await, plugin.connect().await);
    assert!(answers(&mut one).await && answers(&mut other).await);
    drop(one);
    assert!(answers(&mut other).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_finishes_its_handshake_holds_up_nobody() {
    let plugin = Launch::as_plugin().start();
    let _silent = std::os::unix::net::UnixStream::connect(&plugin.handshake.socket).unwrap();
    assert!(answers(&mut plugin.connect().await).await);
}

#[test]
fn a_client_without_protocol_6_is_told_the_version_that_is_served() {
    let plugin = Launch::as_plugin().env("PLUGIN_PROTOCOL_VERSIONS", "5").start();
    assert_eq!(plugin.handshake.protocol, 6);
}

#[test]
fn the_client_chooses_the_directory_of_the_socket() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = Launch::plain().env("PLUGIN_UNIX_SOCKET_DIR", directory.path()).start();
    assert!(plugin.handshake.socket.starts_with(directory.path()), "{:?}", plugin.handshake);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_directory_too_deep_for_a_socket_is_passed_over() {
    let parent = tempfile::tempdir().unwrap();
    let deep = parent.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let plugin = Launch::plain().env("TMPDIR", &deep).start();
    assert!(!plugin.handshake.socket.starts_with(&deep));
    assert!(answers(&mut plugin.connect().await).await);
}

#[test]
fn a_socket_directory_that_is_missing_is_an_error_with_its_path() {
    let mut process = Launch::plain().env("PLUGIN_UNIX_SOCKET_DIR", "/no/such/directory").spawn();
    let (status, stdout) = process.wait_within(PATIENCE);
    assert_eq!((status.code(), stdout), (Some(1), vec![]));
    let stderr = process.drain_stderr().join("\n");
    assert!(
        stderr.starts_with("[ERROR] terraform-provider-kamaji: ") && stderr.contains("/no/such/directory"),
        "{stderr}"
    );
}

#[test]
fn started_by_hand_it_says_what_it_is_and_fails() {
    let mut process = Launch::by_hand().spawn();
    let (status, stdout) = process.wait_within(PATIENCE);
    assert_eq!((status.code(), stdout), (Some(1), vec![]));
    let stderr = process.drain_stderr();
    assert_eq!(stderr.len(), 3, "{stderr:#?}");
    assert!(stderr[0].contains("is a plugin") && stderr[1].contains("clastix/kamaji"), "{stderr:#?}");
}

#[test]
fn the_version_is_printed_for_people() {
    for option in ["--version", "-version"] {
        let mut process = Launch::by_hand().arg(option).spawn();
        let (status, stdout) = process.wait_within(PATIENCE);
        assert!(status.success());
        let expected = format!("terraform-provider-kamaji v{} (protocol 6)", env!("CARGO_PKG_VERSION"));
        assert_eq!(stdout, [expected]);
        assert!(process.drain_stderr().is_empty());
    }
}

#[test]
fn an_option_that_does_not_exist_is_named() {
    let mut process = Launch::by_hand().arg("-debgu").spawn();
    assert_eq!(process.wait_within(PATIENCE).0.code(), Some(2));
    assert!(process.drain_stderr()[0].contains("-debgu"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_attaches_terraform_to_a_debug_process() {
    let mut process = Launch::by_hand().arg("-debug").spawn();
    let providers: serde_json::Value = serde_json::from_str(&process.reattach_variable()).unwrap();
    let provider = &providers["registry.terraform.io/clastix/kamaji"];
    assert_eq!(provider["Protocol"], "grpc");
    assert_eq!(provider["ProtocolVersion"], 6);
    assert_eq!(provider["Test"], true);
    assert_eq!(provider["Pid"], process.pid());
    assert_eq!(provider["Addr"]["Network"], "unix");
    let socket = std::path::PathBuf::from(provider["Addr"]["String"].as_str().unwrap());

    // go-plugin tries the address before it connects in earnest.
    drop(std::os::unix::net::UnixStream::connect(&socket).unwrap());
    for _walk in 0..2 {
        let mut connection = Connection::reattach(&socket).await.unwrap();
        assert!(answers(&mut connection).await);
    }
    process.interrupt();
    let (status, _) = process.wait_within(PATIENCE);
    assert!(status.success());
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_cleared_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let start =
        || -> Plugin { Launch::plain().env("PLUGIN_UNIX_SOCKET_DIR", directory.path()).env("TF_LOG", "DEBUG").start() };
    let mut killed = start();
    let left = killed.handshake.socket.clone();
    killed.process.kill();
    killed.process.wait_within(PATIENCE);
    assert!(left.exists());
    let mut next = start();
    next.process.wait_for_stderr("socket directory of a dead process");
    assert!(!left.parent().unwrap().exists());
    assert!(next.handshake.socket.exists());
}
