//! `StopProvider` and lost clients in the middle of a change.

use std::time::Duration;

use http::Method;
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;

use crate::api_server::ApiServer;
use crate::client::{Connection, Launch, PATIENCE, Plugin};
use crate::objects::{Object, Schemas, errors};

/// How long an interrupted wait may go on. Terraform gives a plugin five seconds before it kills it.
pub const PROMISED: Duration = Duration::from_secs(1);
const TYPE_NAME: &str = "kamaji_tenant_control_plane";

pub async fn start(api: &ApiServer) -> (Plugin, Connection, Schemas) {
    start_as(Launch::as_plugin(), api).await
}

/// The same for a start that was prepared.
pub async fn start_as(launch: Launch, api: &ApiServer) -> (Plugin, Connection, Schemas) {
    let plugin = launch.start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    let config = Some(schemas.provider_config(&[("host", api.url.as_str().into())]));
    let request = wire::configure_provider::Request { config, ..Default::default() };
    let configured = connection.provider.configure_provider(request).await.unwrap().into_inner();
    assert_eq!(errors(&configured.diagnostics), [""; 0]);
    (plugin, connection, schemas)
}

fn create(object: Object<'_>) -> wire::apply_resource_change::Request {
    let config = object.with(&[
        ("name", "a".into()),
        ("namespace", "tenants".into()),
        ("control_plane.service.service_type", "ClusterIP".into()),
        ("kubernetes.version", "v1.33.0".into()),
    ]);
    let mut planned = config.clone();
    for attribute in object.block.attributes.iter().filter(|attribute| attribute.computed) {
        planned.set(&attribute.name, Value::Unknown);
    }
    wire::apply_resource_change::Request {
        type_name: TYPE_NAME.to_owned(),
        prior_state: Some(object.write(&Value::Null)),
        planned_state: Some(object.write(&planned)),
        config: Some(object.write(&config)),
        ..Default::default()
    }
}

/// Starts a create in the background.
fn begin(
    connection: &Connection,
    request: wire::apply_resource_change::Request,
) -> tokio::task::JoinHandle<Result<wire::apply_resource_change::Response, tonic::Status>> {
    let mut provider = connection.provider.clone();
    tokio::spawn(async move { provider.apply_resource_change(request).await.map(tonic::Response::into_inner) })
}

pub async fn stop(connection: &mut Connection) {
    connection.provider.stop_provider(wire::stop_provider::Request {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_wait_saves_the_object_and_says_how_to_go_on() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let object = schemas.resource(TYPE_NAME);
    let apply = begin(&connection, create(object));

    let asked = api.next().await;
    assert_eq!(asked.method, Method::GET, "a create never adopts");
    asked.not_found();
    let asked = api.next().await;
    assert_eq!(asked.method, Method::PATCH);
    let stored = asked.stored();
    asked.answer(201, &stored);
    // The wait has begun, and gets no answer.
    let _unanswered = api.next().await;
    stop(&mut connection).await;

    let applied = tokio::time::timeout(PROMISED, apply).await.expect("an end").unwrap().unwrap();
    let state = object.read(applied.new_state.as_ref());
    assert_eq!((state.get("name"), state.get("uid")), (&"a".into(), &"3f1c".into()));
    assert!(state.is_wholly_known());
    assert!(!applied.private.is_empty());
    assert_eq!(errors(&applied.diagnostics).len(), 1);
    assert!(connection.provider.get_metadata(wire::get_metadata::Request {}).await.is_ok(), "the server goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_before_anything_was_made_leaves_nothing() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let object = schemas.resource(TYPE_NAME);
    let apply = begin(&connection, create(object));
    let asked = api.next().await;
    assert_eq!(asked.method, Method::GET);
    stop(&mut connection).await;
    let applied = tokio::time::timeout(PROMISED, apply).await.expect("an end").unwrap().unwrap();
    assert_eq!(object.read(applied.new_state.as_ref()), Value::Null);
    assert_eq!(errors(&applied.diagnostics).len(), 1);
}

/// Core goes on to call the provider after an interrupt, and an apply of another run must not be over at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_what_runs_and_not_what_comes_after() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    stop(&mut connection).await;
    let _apply = begin(&connection, create(schemas.resource(TYPE_NAME)));
    api.next().await.not_found();
    assert_eq!(api.next().await.method, Method::PATCH);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_does_not_cut_a_change_in_two() {
    let mut api = ApiServer::start().await;
    let (plugin, connection, schemas) = start(&api).await;
    let apply = begin(&connection, create(schemas.resource(TYPE_NAME)));
    let asked = api.next().await;
    drop(connection);
    assert!(apply.await.unwrap().is_err(), "the connection is closed");
    // The process has seen that by the time it has answered on another one.
    let mut other = plugin.connect().await;
    other.provider.get_metadata(wire::get_metadata::Request {}).await.unwrap();
    asked.not_found();
    assert_eq!(api.next().await.method, Method::PATCH);
}

/// With the client gone for good, waits end as on an interrupt and the process with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_does_not_keep_a_process_alive_whose_client_is_gone() {
    let mut api = ApiServer::start().await;
    let (mut plugin, connection, schemas) = start(&api).await;
    let _apply = begin(&connection, create(schemas.resource(TYPE_NAME)));
    let _unanswered = api.next().await;
    drop(connection);
    assert!(plugin.process.wait_within(PATIENCE).0.success());
}
