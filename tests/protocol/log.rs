//! What the process writes on stderr, where Terraform reads log lines.

use serde_json::Value;
use tfplugin::proto::tfplugin6::{get_metadata, get_provider_schema};

use crate::client::{Launch, PATIENCE};

async fn stderr_of_a_run(variables: &[(&str, &str)]) -> Vec<String> {
    let launch = variables.iter().fold(Launch::as_plugin(), |launch, (key, value)| launch.env(key, value));
    let mut plugin = launch.start();
    let mut connection = plugin.connect().await;
    connection.provider.get_metadata(get_metadata::Request {}).await.unwrap();
    connection.provider.get_provider_schema(get_provider_schema::Request {}).await.unwrap();
    connection.shut_down().await;
    plugin.process.wait_within(PATIENCE);
    plugin.process.drain_stderr()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_one_that_terraform_can_read() {
    let lines = stderr_of_a_run(&[("TF_LOG", "TRACE")]).await;
    assert!(!lines.is_empty());
    for line in lines {
        let object: Value = serde_json::from_str(&line).expect(&line);
        for key in ["@level", "@message", "@module", "@timestamp"] {
            assert!(object[key].is_string(), "Terraform panics over {key} in {line}");
        }
        // 2026-11-24T01:02:03.123456Z
        let time = object["@timestamp"].as_str().unwrap();
        assert!(time.len() == 27 && &time[19..20] == "." && time.ends_with('Z'), "{time}");
        let module = object["@module"].as_str().unwrap();
        assert!(module.starts_with("tfplugin") || module.starts_with("terraform_provider_kamaji"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_without_a_log_level() {
    assert!(stderr_of_a_run(&[]).await.is_empty());
    assert!(stderr_of_a_run(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER_KAMAJI", "OFF")]).await.is_empty());
}
