//! What the process writes on stderr, where Terraform reads log lines.

use serde_json::Value;
use tfplugin::proto::tfplugin6::{get_metadata, get_provider_schema};

use crate::api_server::ApiServer;
use crate::client::{Launch, PATIENCE};
use crate::data_sources::{read, tenant};
use crate::interrupt::start_as;
use crate::objects::errors;

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

/// The lines about what the run asked, of a process that was asked for one object `times` times.
async fn summaries(level: &str, times: u32) -> Vec<Value> {
    let mut api = ApiServer::start().await;
    let (mut plugin, mut connection, schemas) = start_as(Launch::as_plugin().env("TF_LOG", level), &api).await;
    let (type_name, object) = ("kamaji_tenant_control_plane", schemas.data_source("kamaji_tenant_control_plane"));
    for _ in 0..times {
        let reading = read(&connection, type_name, object.write(&object.with(&[("id", "tenants/a".into())])));
        api.next().await.answer(200, &tenant("a"));
        assert_eq!(errors(&reading.await.unwrap().diagnostics), [""; 0]);
    }
    assert!(plugin.shut_down(&mut connection).await.success());
    let lines = plugin.process.drain_stderr().into_iter().map(|line| serde_json::from_str(&line).expect("JSON"));
    lines.filter(|line: &Value| line["@message"].as_str().is_some_and(|text| text.starts_with("summary"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_with_what_it_asked_of_api_servers() {
    let [summary] = &summaries("DEBUG", 2).await[..] else { panic!("one line") };
    assert_eq!(summary["@level"], "debug");
    let received = 2 * tenant("a").to_string().len();
    for (key, value) in [
        ("requests", 2),
        ("requests_to_management_cluster", 2),
        ("requests_to_tenants", 0),
        ("requests_repeated", 0),
        ("management_clusters", 1),
        ("tenants", 0),
        ("sent_bytes", 0),
        ("received_bytes", received),
        ("waited_ms", 0),
    ] {
        assert_eq!(summary[key], value, "{key} in {summary}");
    }
    assert!(summary["run_ms"].is_u64(), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_a_run_that_asked_nothing_nor_above_debug() {
    assert!(summaries("DEBUG", 0).await.is_empty());
    assert!(summaries("INFO", 1).await.is_empty());
}
