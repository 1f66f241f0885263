//! Actions: announced, validated, planned, invoked with messages, and ended by an interrupt and a lost client.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tfplugin::proto::tfplugin6::invoke_action::Event;
use tfplugin::proto::tfplugin6::invoke_action::event::{Completed, Type};
use tonic::Streaming;

use crate::api_server::ApiServer;
use crate::client::{Connection, Launch};
use crate::interrupt::{PROMISED, start, stop};
use crate::objects::{Object, Schemas, errors};

const RESTART: &str = "kamaji_restart";

impl Schemas {
    pub fn action(&self, type_name: &str) -> Object<'_> {
        Object::of(self.0.action_schemas[type_name].schema.as_ref().expect("core dereferences it"))
    }
}

async fn invoke(connection: &mut Connection, type_name: &str, config: wire::DynamicValue) -> Streaming<Event> {
    let request =
        wire::invoke_action::Request { action_type: type_name.to_owned(), config: Some(config), ..Default::default() };
    connection.provider.invoke_action(request).await.unwrap().into_inner()
}

/// What is said until the end, and the end, after which nothing comes.
async fn told(mut events: Streaming<Event>) -> (Vec<String>, Completed) {
    let mut said = Vec::new();
    loop {
        match events.message().await.unwrap().expect("an end").r#type.expect("core panics without content") {
            Type::Progress(progress) => said.push(progress.message),
            Type::Completed(completed) => {
                assert_eq!(events.message().await.unwrap(), None);
                return (said, completed);
            }
        }
    }
}

fn of_tenant(schemas: &Schemas, type_name: &str, id: Value) -> wire::DynamicValue {
    let object = schemas.action(type_name);
    object.write(&object.with(&[("tenant_control_plane_id", id)]))
}

fn tenant(replicas: i64) -> serde_json::Value {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "a", "namespace": "tenants", "uid": "uid-a", "resourceVersion": "1", "generation": 1},
        "spec": {"controlPlane": {"deployment": {"replicas": replicas}}},
        "status": {"kubernetesResources": {"version": {"status": "Ready"}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_actions_are_announced_and_validated() {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    let metadata = connection.provider.get_metadata(wire::get_metadata::Request {}).await.unwrap().into_inner();
    let mut named: Vec<_> = metadata.actions.into_iter().map(|action| action.type_name).collect();
    named.sort();
    let mut described: Vec<_> = schemas.0.action_schemas.keys().cloned().collect();
    described.sort();
    assert_eq!(named, described);
    assert!(named.iter().any(|name| name == RESTART), "{named:?}");

    for (id, problems) in [(Value::from("tenants/a"), 0), (Value::Unknown, 0), (Value::from("a"), 1), (Value::Null, 1)]
    {
        for type_name in &named {
            let object = schemas.action(type_name);
            let mut config = object.with(&[("tenant_control_plane_id", id.clone())]);
            if object.block.attributes.iter().any(|attribute| attribute.name == "node_names") {
                config.set("node_names", Value::Unknown);
            }
            let request = wire::validate_action_config::Request {
                type_name: type_name.clone(),
                config: Some(object.write(&config)),
            };
            let validated = connection.provider.validate_action_config(request).await.unwrap().into_inner();
            assert_eq!(errors(&validated.diagnostics).len(), problems, "{type_name} {id:?}");
            if let Some(diagnostic) = validated.diagnostics.first() {
                assert!(diagnostic.attribute.is_some(), "{diagnostic:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_looks_at_the_tenant_and_warns() {
    let mut api = ApiServer::start().await;
    let (_plugin, connection, schemas) = start(&api).await;
    let request = wire::plan_action::Request {
        action_type: RESTART.to_owned(),
        config: Some(of_tenant(&schemas, RESTART, "tenants/a".into())),
        ..Default::default()
    };
    let mut provider = connection.provider.clone();
    let planning = tokio::spawn(async move { provider.plan_action(request).await.unwrap().into_inner() });
    api.next().await.answer(200, &tenant(0));
    // What this Kamaji can do.
    api.next().await.not_found();
    let planned = planning.await.unwrap();
    assert_eq!(errors(&planned.diagnostics), [""; 0]);
    assert!(planned.diagnostics[0].detail.contains("Control plane sleeps"), "{:?}", planned.diagnostics);
    assert!(planned.diagnostics[0].attribute.is_some() && planned.deferred.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoked_action_says_what_it_does_and_an_interrupt_ends_it() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let config = of_tenant(&schemas, RESTART, "tenants/a".into());
    let mut events = invoke(&mut connection, RESTART, config).await;
    api.next().await.answer(200, &tenant(1));
    api.next().await.not_found();
    let asked = api.next().await;
    assert!(asked.method == Method::PATCH && asked.path.ends_with("/tenantcontrolplanes/a"), "{}", asked.path);
    asked.answer(200, &tenant(1));
    let first = events.message().await.unwrap().unwrap().r#type.unwrap();
    assert!(matches!(&first, Type::Progress(progress) if progress.message.contains("new pods")), "{first:?}");
    // The wait has begun, and gets no answer.
    let _unanswered = api.next().await;
    stop(&mut connection).await;
    let (_, completed) = tokio::time::timeout(PROMISED, told(events)).await.expect("an end");
    assert_eq!(errors(&completed.diagnostics), ["Interrupted while waiting"]);
    assert!(connection.provider.get_metadata(wire::get_metadata::Request {}).await.is_ok(), "the server goes on");
}

/// Nobody is there to be told any more, and nothing goes on behind their back.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_drops_the_stream_ends_the_action() {
    let mut api = ApiServer::start().await;
    let (mut plugin, mut connection, schemas) = start(&api).await;
    let config = of_tenant(&schemas, RESTART, "tenants/a".into());
    let events = invoke(&mut connection, RESTART, config).await;
    api.next().await.answer(200, &tenant(1));
    api.next().await.not_found();
    api.next().await.answer(200, &tenant(1));
    let _unanswered = api.next().await;
    drop(events);
    // A process that still worked on it would not end in time.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(plugin.shut_down(&mut connection).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_action_ends_with_one_error_at_its_attribute() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let config = of_tenant(&schemas, RESTART, "tenants/a".into());
    let events = invoke(&mut connection, RESTART, config).await;
    api.next().await.not_found();
    let (said, completed) = told(events).await;
    assert_eq!((said, errors(&completed.diagnostics)), (Vec::new(), vec!["Tenant control plane does not exist"]));
    assert!(completed.diagnostics[0].attribute.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_configurations_and_unknown_values_are_one_error() {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    let broken = [
        wire::DynamicValue { msgpack: vec![0xc1], json: Vec::new() },
        wire::DynamicValue { msgpack: vec![0xc0], json: Vec::new() },
        wire::DynamicValue::default(),
        of_tenant(&schemas, RESTART, Value::Unknown),
    ];
    for config in broken {
        let (said, completed) = told(invoke(&mut connection, RESTART, config.clone()).await).await;
        assert_eq!((said.len(), errors(&completed.diagnostics).len()), (0, 1), "{config:?}");
    }
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_the_action_with_an_error() {
    let plugin = Launch::as_plugin().env("TFPLUGIN_PANIC_IN", "invoke_action").start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    let config = of_tenant(&schemas, RESTART, "tenants/a".into());
    let (_, completed) = told(invoke(&mut connection, RESTART, config).await).await;
    assert_eq!(errors(&completed.diagnostics), ["The provider failed unexpectedly"]);
}
