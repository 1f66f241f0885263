//! What no Terraform sends: each is an error, and the process goes on.

use rstest::rstest;
use tfplugin::Value;
use tfplugin::proto::goplugin::ConnInfo;
use tfplugin::proto::tfplugin6::{self as wire, DynamicValue};
use tonic::Code;

use crate::client::{Connection, Launch, PATIENCE, Plugin};
use crate::objects::{Schemas, errors};

async fn start() -> (Plugin, Connection, Schemas) {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    (plugin, connection, schemas)
}

fn msgpack(bytes: &[u8]) -> DynamicValue {
    DynamicValue { msgpack: bytes.to_vec(), json: Vec::new() }
}

fn json(text: &str) -> DynamicValue {
    DynamicValue { msgpack: Vec::new(), json: text.into() }
}

#[rstest]
#[case::nothing(DynamicValue::default())]
#[case::null(msgpack(&[0xc0]))]
#[case::unknown(msgpack(&[0xd4, 0, 0]))]
#[case::truncated(msgpack(&[0x81, 0xa4, b'n']))]
#[case::a_number(msgpack(&[0x2a]))]
#[case::a_list(msgpack(&[0x91, 0xc0]))]
#[case::an_unknown_attribute(msgpack(&[0x81, 0xa4, b'n', b'o', b'p', b'e', 0xc0]))]
#[case::four_billion_members(msgpack(&[0xdf, 0xff, 0xff, 0xff, 0xff]))]
#[case::not_msgpack(msgpack(&[0xc1]))]
#[case::broken_json(json("{"))]
#[case::json_of_another_type(json("[]"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_does_not_fit_is_an_error(#[case] broken: DynamicValue) {
    let (_plugin, mut connection, schemas) = start().await;
    macro_rules! refused {
        ($rpc:ident, $request:expr) => {
            let response = connection.provider.$rpc($request).await.expect(stringify!($rpc)).into_inner();
            assert_eq!(errors(&response.diagnostics).len(), 1, "{}: {response:?}", stringify!($rpc));
        };
    }
    let config = Some(broken.clone());
    refused!(validate_provider_config, wire::validate_provider_config::Request { config: config.clone() });
    refused!(configure_provider, wire::configure_provider::Request { config: config.clone(), ..Default::default() });
    for type_name in schemas.0.resource_schemas.keys() {
        let (type_name, config) = (|| type_name.clone(), config.clone());
        refused!(
            validate_resource_config,
            wire::validate_resource_config::Request { type_name: type_name(), config, client_capabilities: None }
        );
        refused!(
            read_resource,
            wire::read_resource::Request {
                type_name: type_name(),
                current_state: Some(broken.clone()),
                ..Default::default()
            }
        );
    }
    for type_name in schemas.0.ephemeral_resource_schemas.keys() {
        let request =
            wire::validate_ephemeral_resource_config::Request { type_name: type_name.clone(), config: config.clone() };
        refused!(validate_ephemeral_resource_config, request);
        let request = wire::open_ephemeral_resource::Request {
            type_name: type_name.clone(),
            config: config.clone(),
            client_capabilities: None,
        };
        refused!(open_ephemeral_resource, request);
    }
    assert!(connection.provider.get_metadata(wire::get_metadata::Request {}).await.is_ok());
}

/// Null is a value here, for an object that is made or destroyed.
#[rstest]
#[case::truncated(msgpack(&[0x81, 0xa4, b'n']))]
#[case::a_number(msgpack(&[0x2a]))]
#[case::an_unknown_attribute(msgpack(&[0x81, 0xa4, b'n', b'o', b'p', b'e', 0xc0]))]
#[case::broken_json(json("{"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_change_is_an_error_and_an_apply_gives_the_prior_object_back(#[case] broken: DynamicValue) {
    let (_plugin, mut connection, schemas) = start().await;
    for type_name in schemas.0.resource_schemas.keys() {
        let object = schemas.resource(type_name);
        let whole = object.write(&object.with(&[("name", "a".into())]));
        for part in 0..3 {
            let value = |n: usize| Some(if n == part { broken.clone() } else { whole.clone() });
            let request = wire::plan_resource_change::Request {
                type_name: type_name.clone(),
                prior_state: value(0),
                proposed_new_state: value(1),
                config: value(2),
                ..Default::default()
            };
            let planned = connection.provider.plan_resource_change(request).await.unwrap().into_inner();
            assert_eq!(errors(&planned.diagnostics), ["Value from Terraform not readable"]);
            let request = wire::apply_resource_change::Request {
                type_name: type_name.clone(),
                prior_state: value(0),
                planned_state: value(1),
                config: value(2),
                planned_private: b"kept".to_vec(),
                ..Default::default()
            };
            let applied = connection.provider.apply_resource_change(request).await.unwrap().into_inner();
            assert_eq!(errors(&applied.diagnostics), ["Value from Terraform not readable"]);
            assert_eq!((applied.new_state, applied.private), (value(0), b"kept".to_vec()));
        }
    }
}

#[rstest]
#[case::nothing("")]
#[case::broken("{")]
#[case::null("null")]
#[case::another_type("[]")]
#[case::a_wrong_attribute_type(r#"{"id": {"first": "a"}}"#)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stored_state_that_cannot_be_read_is_never_taken_for_gone(#[case] state: &str) {
    let (_plugin, mut connection, schemas) = start().await;
    for type_name in schemas.0.resource_schemas.keys().cloned() {
        let raw_state = Some(wire::RawState { json: state.into(), flatmap: Default::default() });
        let request = wire::upgrade_resource_state::Request { type_name, version: 0, raw_state };
        let upgraded = connection.provider.upgrade_resource_state(request).await.unwrap().into_inner();
        assert_eq!(errors(&upgraded.diagnostics), ["Stored state not readable"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_a_newer_provider_is_refused() {
    let (_plugin, mut connection, schemas) = start().await;
    for (type_name, schema) in schemas.0.resource_schemas {
        let raw_state = Some(wire::RawState { json: b"{}".to_vec(), flatmap: Default::default() });
        let request = wire::upgrade_resource_state::Request { type_name, version: schema.version + 1, raw_state };
        let upgraded = connection.provider.upgrade_resource_state(request).await.unwrap().into_inner();
        assert_eq!(errors(&upgraded.diagnostics), ["Stored state not readable"]);
        assert!(upgraded.diagnostics[0].detail.contains("newer"), "{:?}", upgraded.diagnostics);
    }
}

/// Private data is ours, but a state can be edited.
#[tokio::test(flavor = "multi_thread")]
async fn private_data_that_cannot_be_read_does_not_end_the_process() {
    let (_plugin, mut connection, schemas) = start().await;
    let config = Some(schemas.provider_config(&[("offline", true.into())]));
    connection
        .provider
        .configure_provider(wire::configure_provider::Request { config, ..Default::default() })
        .await
        .unwrap();
    for type_name in schemas.0.resource_schemas.keys().cloned() {
        let object = schemas.resource(&type_name);
        let state = Some(object.write(&object.with(&[("name", "a".into())])));
        let private = b"\xff\x00{".to_vec();
        let request = wire::plan_resource_change::Request {
            type_name: type_name.clone(),
            prior_state: state.clone(),
            proposed_new_state: Some(object.write(&Value::Null)),
            config: Some(object.write(&Value::Null)),
            prior_private: private.clone(),
            ..Default::default()
        };
        connection.provider.plan_resource_change(request).await.unwrap();
        let request = wire::read_resource::Request { type_name, current_state: state, private, ..Default::default() };
        connection.provider.read_resource(request).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_another_type_fails_its_call_alone() {
    let (_plugin, mut connection, _) = start().await;
    // Its first field is a number, where the type's name belongs.
    let wrong = ConnInfo { service_id: 7, ..ConnInfo::default() };
    let status =
        connection.call_by_path("/tfplugin6.Provider/ValidateResourceConfig", wrong.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let status = connection.call_by_path("/tfplugin6.Provider/NoSuchCall", wrong.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let status = connection.call_by_path("/tfplugin5.Provider/GetSchema", wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(connection.streams_are_open().await);
    assert!(connection.provider.get_metadata(wire::get_metadata::Request {}).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_call_alone_and_is_reported() {
    let mut plugin = Launch::as_plugin().env("TFPLUGIN_PANIC_IN", "read_resource").start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    let type_name = "kamaji_datastore".to_owned();
    let object = schemas.resource(&type_name);
    let state = Some(object.write(&object.with(&[("name", "a".into())])));
    let request = wire::read_resource::Request { type_name, current_state: state, ..Default::default() };
    let read = connection.provider.read_resource(request).await.unwrap().into_inner();
    assert_eq!(errors(&read.diagnostics), ["The provider failed unexpectedly"]);
    assert!(connection.streams_are_open().await, "what else is on the connection goes on");
    assert!(connection.provider.get_metadata(wire::get_metadata::Request {}).await.is_ok());
    connection.shut_down().await;
    plugin.process.wait_within(PATIENCE);
    let stderr = plugin.process.drain_stderr();
    assert!(stderr[0].starts_with("panic: "), "Terraform looks for this word: {stderr:#?}");
}
