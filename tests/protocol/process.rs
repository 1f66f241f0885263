//! How the process ends, and what must not end it.

use tfplugin::proto::tfplugin6::{get_metadata, stop_provider};

use crate::client::{Launch, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_it_while_the_clients_streams_are_open() {
    for launch in [Launch::as_plugin(), Launch::plain()] {
        let mut plugin = launch.start();
        let mut connection = plugin.connect().await;
        assert!(connection.streams_are_open().await);
        assert!(plugin.shut_down(&mut connection).await.success());
        let left = plugin.process.temporary_directory().read_dir().unwrap().count();
        assert_eq!(left, 0, "the socket and its directory are removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_handshake_line_is_on_stdout() {
    let mut plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    connection.provider.get_metadata(get_metadata::Request {}).await.unwrap();
    connection.shut_down().await;
    assert_eq!(plugin.process.wait_within(PATIENCE).1, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_is_left_to_terraform() {
    let mut plugin = Launch::as_plugin().env("TF_LOG", "DEBUG").start();
    let mut connection = plugin.connect().await;
    plugin.process.interrupt();
    plugin.process.wait_for_stderr("interrupt ignored");
    assert!(connection.provider.get_metadata(get_metadata::Request {}).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_provider_does_not_end_it() {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let stopped = connection.provider.stop_provider(stop_provider::Request {}).await.unwrap().into_inner();
    assert_eq!(stopped.error, "");
    assert!(connection.provider.get_metadata(get_metadata::Request {}).await.is_ok());
}

#[test]
fn it_ends_when_the_process_that_started_it_is_killed() {
    let mut plugin = Launch::plain_behind_a_shell().env("TF_LOG", "WARN").start();
    // The shell; stdout stays open until the provider has ended too.
    plugin.process.kill();
    plugin.process.wait_within(PATIENCE);
    let stderr = plugin.process.drain_stderr().join("\n");
    assert!(stderr.contains("the process that started the provider is gone"), "{stderr}");
    assert!(!plugin.handshake.socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_its_client_has_gone_without_shutdown() {
    let mut plugin = Launch::as_plugin().env("TF_LOG", "WARN").start();
    drop(plugin.connect().await);
    assert!(plugin.process.wait_within(PATIENCE).0.success());
    let stderr = plugin.process.drain_stderr().join("\n");
    assert!(stderr.contains("the client has closed its last connection"), "{stderr}");
}
