//! Every call once: the right answer, the right empty answer, or one clear diagnostic.

use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tonic::Request;

use crate::client::{Connection, Launch, Plugin};
use crate::objects::{Schemas, errors, propose};

async fn start() -> (Plugin, Connection, Schemas) {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    (plugin, connection, schemas)
}

async fn configure(connection: &mut Connection, schemas: &Schemas, arguments: &[(&str, Value)]) {
    let config = Some(schemas.provider_config(arguments));
    let request = wire::validate_provider_config::Request { config: config.clone() };
    let validated = connection.provider.validate_provider_config(request).await.unwrap().into_inner();
    assert_eq!(errors(&validated.diagnostics), [""; 0]);
    let request =
        wire::configure_provider::Request { terraform_version: "1.13.0".into(), config, client_capabilities: None };
    let configured = connection.provider.configure_provider(request).await.unwrap().into_inner();
    assert_eq!(errors(&configured.diagnostics), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_names_what_the_schemas_describe() {
    let (_plugin, mut connection, schemas) = start().await;
    let metadata = connection.provider.get_metadata(wire::get_metadata::Request {}).await.unwrap().into_inner();
    let mut named: Vec<_> = metadata.resources.into_iter().map(|resource| resource.type_name).collect();
    named.sort();
    let mut described: Vec<_> = schemas.0.resource_schemas.keys().cloned().collect();
    described.sort();
    assert_eq!(named, described);
    assert!(named.iter().any(|name| name == "kamaji_tenant_control_plane"), "{named:?}");
    let mut named: Vec<_> = metadata.ephemeral_resources.into_iter().map(|resource| resource.type_name).collect();
    named.sort();
    let mut described: Vec<_> = schemas.0.ephemeral_resource_schemas.keys().cloned().collect();
    described.sort();
    assert_eq!(named, described);
    let mut named: Vec<_> = metadata.list_resources.into_iter().map(|list| list.type_name).collect();
    named.sort();
    let mut described: Vec<_> = schemas.0.list_resource_schemas.keys().cloned().collect();
    described.sort();
    assert_eq!(named, described);
    assert_eq!(metadata.server_capabilities, schemas.0.server_capabilities);
    assert!(metadata.server_capabilities.unwrap().plan_destroy);
    assert_eq!(errors(&metadata.diagnostics), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schemas_fit_what_terraform_receives() {
    use prost::Message as _;
    let (_plugin, _connection, schemas) = start().await;
    assert!(schemas.0.encoded_len() < 64 << 20);
    assert_eq!(errors(&schemas.0.diagnostics), [""; 0]);
}

/// A life without a cluster: what needs none works, and what needs one says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_planned_offline_and_its_apply_says_why_it_cannot_be() {
    let (_plugin, mut connection, schemas) = start().await;
    configure(&mut connection, &schemas, &[("offline", true.into())]).await;
    let type_name = "kamaji_datastore".to_owned();
    let object = schemas.resource(&type_name);
    let config =
        object.with(&[("name", "a".into()), ("driver", "etcd".into()), ("endpoints", Value::strings(["etcd:2379"]))]);
    let null = Some(object.write(&Value::Null));

    let request = wire::validate_resource_config::Request {
        type_name: type_name.clone(),
        config: Some(object.write(&config)),
        client_capabilities: None,
    };
    connection.provider.validate_resource_config(request).await.unwrap();

    let request = wire::plan_resource_change::Request {
        type_name: type_name.clone(),
        prior_state: null.clone(),
        proposed_new_state: Some(object.write(&propose(&object.block.attributes, &config, &Value::Null))),
        config: Some(object.write(&config)),
        ..Default::default()
    };
    let plan = connection.provider.plan_resource_change(request).await.unwrap().into_inner();
    assert_eq!(errors(&plan.diagnostics), [""; 0]);
    let planned = object.read(plan.planned_state.as_ref());
    assert_eq!(planned.get("id"), &Value::Unknown);
    assert_eq!(planned.get("driver"), &"etcd".into());

    let request = wire::apply_resource_change::Request {
        type_name: type_name.clone(),
        prior_state: null.clone(),
        planned_state: plan.planned_state,
        config: Some(object.write(&config)),
        planned_private: plan.planned_private,
        ..Default::default()
    };
    let applied = connection.provider.apply_resource_change(request).await.unwrap().into_inner();
    assert_eq!(errors(&applied.diagnostics), ["Provider is offline"]);
    assert_eq!(object.read(applied.new_state.as_ref()), Value::Null, "nothing was made");

    let mut state = config.clone();
    state.set("id", "a".into());
    let state = Some(object.write(&state));
    let request = wire::read_resource::Request {
        type_name: type_name.clone(),
        current_state: state.clone(),
        private: b"{}".to_vec(),
        ..Default::default()
    };
    let read = connection.provider.read_resource(request).await.unwrap().into_inner();
    assert_eq!(errors(&read.diagnostics), [""; 0]);
    assert_eq!(read.new_state, state);

    // A destroy: nobody proposes anything.
    let request = wire::plan_resource_change::Request {
        type_name: type_name.clone(),
        prior_state: state,
        proposed_new_state: null.clone(),
        config: null,
        ..Default::default()
    };
    let plan = connection.provider.plan_resource_change(request).await.unwrap().into_inner();
    assert_eq!(object.read(plan.planned_state.as_ref()), Value::Null);

    let json = br#"{"name":"a","driver":"etcd","endpoints":["etcd:2379"],"id":"a"}"#.to_vec();
    let request = wire::upgrade_resource_state::Request {
        type_name: type_name.clone(),
        version: 0,
        raw_state: Some(wire::RawState { json, flatmap: Default::default() }),
    };
    let upgraded = connection.provider.upgrade_resource_state(request).await.unwrap().into_inner();
    assert_eq!(errors(&upgraded.diagnostics), [""; 0]);
    assert_eq!(object.read(upgraded.upgraded_state.as_ref()).get("driver"), &"etcd".into());

    let request = wire::import_resource_state::Request { type_name, id: "a".into(), ..Default::default() };
    let imported = connection.provider.import_resource_state(request).await.unwrap().into_inner();
    assert_eq!(errors(&imported.diagnostics), [""; 0]);
    assert_eq!(object.read(imported.imported_resources[0].state.as_ref()).get("name"), &"a".into());
}

/// One error and nothing else.
macro_rules! refused {
    ($connection:ident: $($rpc:ident($request:expr) => $diagnostics:ident;)*) => {
        $({
            let response = $connection.provider.$rpc($request).await.expect(stringify!($rpc)).into_inner();
            assert_eq!(errors(&response.$diagnostics).len(), 1, "{}: {response:?}", stringify!($rpc));
        })*
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_does_not_offer_is_refused_with_one_diagnostic() {
    let (_plugin, mut connection, _) = start().await;
    let (name, state_id) = ("kamaji_nothing".to_owned(), "default".to_owned());
    let type_name = || name.clone();
    refused! { connection:
        validate_resource_config(wire::validate_resource_config::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        upgrade_resource_state(wire::upgrade_resource_state::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        upgrade_resource_identity(wire::upgrade_resource_identity::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        read_resource(wire::read_resource::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        plan_resource_change(wire::plan_resource_change::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        apply_resource_change(wire::apply_resource_change::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        import_resource_state(wire::import_resource_state::Request { type_name: type_name(), id: "a".into(), ..Default::default() }) => diagnostics;
        move_resource_state(wire::move_resource_state::Request { target_type_name: type_name(), ..Default::default() }) => diagnostics;
        generate_resource_config(wire::generate_resource_config::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        validate_data_resource_config(wire::validate_data_resource_config::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        read_data_source(wire::read_data_source::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        validate_ephemeral_resource_config(wire::validate_ephemeral_resource_config::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        open_ephemeral_resource(wire::open_ephemeral_resource::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        renew_ephemeral_resource(wire::renew_ephemeral_resource::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        close_ephemeral_resource(wire::close_ephemeral_resource::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        validate_list_resource_config(wire::validate_list_resource_config::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        validate_state_store_config(wire::validate_state_store::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        configure_state_store(wire::configure_state_store::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        lock_state(wire::lock_state::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        unlock_state(wire::unlock_state::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        get_states(wire::get_states::Request { type_name: type_name() }) => diagnostics;
        delete_state(wire::delete_state::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
        plan_action(wire::plan_action::Request { action_type: type_name(), ..Default::default() }) => diagnostics;
        validate_action_config(wire::validate_action_config::Request { type_name: type_name(), ..Default::default() }) => diagnostics;
    }

    let request = wire::call_function::Request { name: type_name(), arguments: vec![] };
    let called = connection.provider.call_function(request).await.unwrap().into_inner();
    assert!(called.error.is_some_and(|error| error.text.contains(&name)));

    let request = wire::list_resource::Request { type_name: type_name(), ..Default::default() };
    let mut events = connection.provider.list_resource(request).await.unwrap().into_inner();
    assert_eq!(errors(&events.message().await.unwrap().unwrap().diagnostic).len(), 1);
    assert_eq!(events.message().await.unwrap(), None);

    let request = wire::invoke_action::Request { action_type: type_name(), ..Default::default() };
    let mut events = connection.provider.invoke_action(request).await.unwrap().into_inner();
    // An event without content makes core panic.
    let Some(wire::invoke_action::event::Type::Completed(completed)) = events.message().await.unwrap().unwrap().r#type
    else {
        panic!("not completed")
    };
    assert_eq!(errors(&completed.diagnostics).len(), 1);
    assert_eq!(events.message().await.unwrap(), None);

    let request = wire::read_state_bytes::Request { type_name: type_name(), state_id: state_id.clone() };
    let mut chunks = connection.provider.read_state_bytes(request).await.unwrap().into_inner();
    let chunk = chunks.message().await.unwrap().unwrap();
    assert!(chunk.range.is_some(), "core dereferences it");
    assert_eq!(errors(&chunk.diagnostics).len(), 1);

    let meta = Some(wire::RequestChunkMeta { type_name: type_name(), state_id });
    let chunk = wire::write_state_bytes::RequestChunk { meta, bytes: b"{}".to_vec(), ..Default::default() };
    let chunks = futures::stream::iter([chunk]);
    let written = connection.provider.write_state_bytes(Request::new(chunks)).await.unwrap().into_inner();
    assert_eq!(errors(&written.diagnostics).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_does_not_have_yet_is_an_empty_answer() {
    let (_plugin, mut connection, schemas) = start().await;
    let functions = connection.provider.get_functions(wire::get_functions::Request {}).await.unwrap().into_inner();
    assert_eq!(functions.functions, schemas.0.functions);
    assert_eq!(errors(&functions.diagnostics), [""; 0]);
}

/// Terraform sends states of many megabytes as one message; the default of gRPC servers is four.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_many_megabytes_arrives() {
    let (_plugin, mut connection, schemas) = start().await;
    let kubeconfig = format!("# {}\n", "x".repeat(20 << 20));
    let config = Some(schemas.provider_config(&[("kubeconfig", kubeconfig.into())]));
    connection.provider.validate_provider_config(wire::validate_provider_config::Request { config }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_at_once_than_http2_allows_by_default_are_answered() {
    let (_plugin, connection, _) = start().await;
    let calls = (0..500).map(|_| {
        let mut provider = connection.provider.clone();
        async move { provider.get_metadata(wire::get_metadata::Request {}).await.is_ok() }
    });
    assert!(futures::future::join_all(calls).await.into_iter().all(|answered| answered));
}
