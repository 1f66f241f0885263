//! Identities, imports by identity, moves from other providers, and generated configuration, as core asks for them.

use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tfplugin::value::{Type, decode, encode};

use crate::client::{Connection, Launch, Plugin};
use crate::objects::{Schemas, errors};

const TENANT: &str = "kamaji_tenant_control_plane";

async fn start() -> (Plugin, Connection, Schemas) {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    (plugin, connection, schemas)
}

/// The type of a tenant's identity, as the provider announces it.
async fn identity_type(connection: &mut Connection, type_name: &str) -> Type {
    let request = wire::get_resource_identity_schemas::Request {};
    let schemas = connection.provider.get_resource_identity_schemas(request).await.unwrap().into_inner();
    assert_eq!(errors(&schemas.diagnostics), [""; 0]);
    let schema = &schemas.identity_schemas[type_name];
    // Core rejects an attribute that is both or neither.
    assert!(schema.identity_attributes.iter().all(|it| it.required_for_import != it.optional_for_import));
    assert!(schema.identity_attributes.iter().all(|it| !it.description.is_empty()));
    let types = schema.identity_attributes.iter().map(|attribute| {
        let ty = serde_json::from_slice(&attribute.r#type).unwrap();
        (attribute.name.clone(), Type::from_json(&ty).unwrap())
    });
    Type::Object(types.collect())
}

fn identity(ty: &Type, namespace: Value, name: Value) -> wire::ResourceIdentityData {
    let value = Value::object([("namespace", namespace), ("name", name)]);
    let identity_data = Some(wire::DynamicValue { msgpack: encode(&value, ty), json: Vec::new() });
    wire::ResourceIdentityData { identity_data }
}

fn read(ty: &Type, data: Option<&wire::ResourceIdentityData>) -> Value {
    let data = data.and_then(|data| data.identity_data.as_ref());
    data.map_or(Value::Null, |data| decode(&data.msgpack, ty).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_resource_has_an_identity() {
    let (_plugin, mut connection, schemas) = start().await;
    let namespaced = identity_type(&mut connection, TENANT).await;
    assert_eq!(namespaced, identity_of(&["name", "namespace"]));
    assert_eq!(identity_type(&mut connection, "kamaji_datastore").await, identity_of(&["name"]));
    let request = wire::get_resource_identity_schemas::Request {};
    let all = connection.provider.get_resource_identity_schemas(request).await.unwrap().into_inner().identity_schemas;
    let mut named: Vec<_> = all.keys().collect();
    let mut resources: Vec<_> = schemas.0.resource_schemas.keys().collect();
    named.sort();
    resources.sort();
    assert_eq!(named, resources);
    // Core takes no other types, and what is listed must have an identity.
    for attribute in all.values().flat_map(|schema| &schema.identity_attributes) {
        let ty = serde_json::from_slice(&attribute.r#type).unwrap();
        let ty = Type::from_json(&ty).unwrap();
        assert!(matches!(ty, Type::String | Type::List(_)), "{}: {ty:?}", attribute.name);
    }
    assert!(schemas.0.list_resource_schemas.keys().all(|listed| all.contains_key(listed)));
}

/// Core takes no identity with unknown values, not even beside an error: its own error would stand before that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_fails_has_no_identity_that_is_not_known() {
    let (_plugin, mut connection, schemas) = start().await;
    let ty = identity_type(&mut connection, "kamaji_worker").await;
    let object = schemas.resource("kamaji_worker");
    let values = [("tenant_control_plane_id", "tenants/blue".into()), ("host", "192.0.2.1".into())];
    let mut planned = object.with(&values);
    planned.set("id", Value::Unknown);
    for (node_name, kept) in [(Value::Unknown, false), ("node-1".into(), true)] {
        let identity = Value::object([("tenant_control_plane_id", "tenants/blue".into()), ("node_name", node_name)]);
        let identity_data = Some(wire::DynamicValue { msgpack: encode(&identity, &ty), json: Vec::new() });
        let promised = Some(wire::ResourceIdentityData { identity_data });
        let request = wire::apply_resource_change::Request {
            type_name: "kamaji_worker".to_owned(),
            prior_state: Some(object.write(&Value::Null)),
            planned_state: Some(object.write(&planned)),
            config: Some(object.write(&object.with(&values))),
            planned_identity: promised.clone(),
            ..Default::default()
        };
        let applied = connection.provider.apply_resource_change(request).await.unwrap().into_inner();
        assert_eq!(errors(&applied.diagnostics).len(), 1, "{applied:?}");
        assert_eq!(applied.new_identity, promised.filter(|_| kept));
    }
}

/// What an import by identity gives: the state and the identity, or the error.
async fn import_by_identity(
    connection: &mut Connection,
    schemas: &Schemas,
    type_name: &str,
    given: &[(&str, Value)],
) -> Result<(Value, Value), String> {
    let ty = identity_type(connection, type_name).await;
    let Type::Object(members) = &ty else { panic!("an object") };
    let mut identity = Value::object(members.keys().map(|name| (name.clone(), Value::Null)));
    for (name, value) in given {
        identity.set(name, value.clone());
    }
    let identity_data = Some(wire::DynamicValue { msgpack: encode(&identity, &ty), json: Vec::new() });
    let request = wire::import_resource_state::Request {
        type_name: type_name.to_owned(),
        identity: Some(wire::ResourceIdentityData { identity_data }),
        ..Default::default()
    };
    let response = connection.provider.import_resource_state(request).await.unwrap().into_inner();
    match (&response.imported_resources[..], &errors(&response.diagnostics)[..]) {
        ([object], []) => {
            Ok((schemas.resource(type_name).read(object.state.as_ref()), read(&ty, object.identity.as_ref())))
        }
        ([], [error]) => Err((*error).to_owned()),
        _ => panic!("{response:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_nodes_are_imported_by_identity() {
    let (_plugin, mut connection, schemas) = start().await;
    let tenant = ("tenant_control_plane_id", Value::from("tenants/blue"));
    let given = [tenant.clone(), ("node_name", "node-1".into())];
    let (state, identity) = import_by_identity(&mut connection, &schemas, "kamaji_worker", &given).await.unwrap();
    assert_eq!(state.str_at("id"), Some("tenants/blue#node-1"));
    assert_eq!(identity.str_at("node_name"), Some("node-1"));

    let nodes = "kamaji_worker_nodes";
    let given = [tenant.clone(), ("node_names", Value::strings(["a", "b"]))];
    let (state, identity) = import_by_identity(&mut connection, &schemas, nodes, &given).await.unwrap();
    assert_eq!(state.str_at("id"), Some("tenants/blue/node_names=a,b"));
    assert_eq!((identity.get("node_names"), identity.get("join_ids")), (&Value::strings(["a", "b"]), &Value::Null));
    let given = [tenant.clone(), ("label_selector", "pool in (a,b)".into())];
    let (state, _) = import_by_identity(&mut connection, &schemas, nodes, &given).await.unwrap();
    assert_eq!(state.str_at("label_selector"), Some("pool in (a,b)"));

    let both = [tenant.clone(), ("node_names", Value::strings(["a"])), ("label_selector", "x=y".into())];
    let join = [tenant.clone(), ("join_id", "j1".into())];
    for (type_name, given, error) in [
        (nodes, &both[..], "Identity does not say which nodes"),
        (nodes, &both[..1], "Identity does not say which nodes"),
        (nodes, &both[1..2], "Identity is not complete"),
        ("kamaji_worker", &both[..1], "Identity is not complete"),
        ("kamaji_worker_join", &join[..], "Import of a join not possible"),
    ] {
        let refused = import_by_identity(&mut connection, &schemas, type_name, given).await;
        assert_eq!(refused.unwrap_err(), error, "{type_name} {given:?}");
    }
}

fn identity_of(names: &[&str]) -> Type {
    Type::Object(names.iter().map(|name| ((*name).to_owned(), Type::String)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_by_identity_is_one_by_id() {
    let (_plugin, mut connection, schemas) = start().await;
    let ty = identity_type(&mut connection, TENANT).await;
    let by_id = wire::import_resource_state::Request {
        type_name: TENANT.into(),
        id: "tenants/blue".into(),
        ..Default::default()
    };
    let by_identity = wire::import_resource_state::Request {
        type_name: TENANT.into(),
        identity: Some(identity(&ty, "tenants".into(), "blue".into())),
        ..Default::default()
    };
    let mut imported = Vec::new();
    for request in [by_id, by_identity] {
        let response = connection.provider.import_resource_state(request).await.unwrap().into_inner();
        assert_eq!(errors(&response.diagnostics), [""; 0]);
        let [object] = &response.imported_resources[..] else { panic!("one object") };
        let state = schemas.resource(TENANT).read(object.state.as_ref());
        assert_eq!(state.str_at("namespace"), Some("tenants"));
        imported.push((state, read(&ty, object.identity.as_ref())));
    }
    assert_eq!(imported[0], imported[1]);
    let nothing = wire::import_resource_state::Request { type_name: TENANT.into(), ..Default::default() };
    let response = connection.provider.import_resource_state(nothing).await.unwrap().into_inner();
    assert_eq!(errors(&response.diagnostics), ["Import needs an id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_a_read_carry_the_identity_of_the_object() {
    let (_plugin, mut connection, schemas) = start().await;
    let config = Some(schemas.provider_config(&[("offline", true.into())]));
    let request = wire::configure_provider::Request { config, ..Default::default() };
    connection.provider.configure_provider(request).await.unwrap();
    let ty = identity_type(&mut connection, TENANT).await;
    let object = schemas.resource(TENANT);
    let config = |name: Value| {
        object.with(&[
            ("name", name),
            ("namespace", "tenants".into()),
            ("control_plane.service.service_type", "LoadBalancer".into()),
            ("kubernetes.version", "v1.33.0".into()),
        ])
    };
    let plan = |prior: Value, config: Value| {
        let request = wire::plan_resource_change::Request {
            type_name: TENANT.into(),
            prior_state: Some(object.write(&prior)),
            proposed_new_state: Some(object.write(&config)),
            config: Some(object.write(&config)),
            ..Default::default()
        };
        let mut provider = connection.provider.clone();
        let ty = ty.clone();
        async move {
            let plan = provider.plan_resource_change(request).await.unwrap().into_inner();
            read(&ty, plan.planned_identity.as_ref())
        }
    };
    let named = |name: Value| Value::object([("namespace", Value::from("tenants")), ("name", name)]);
    assert_eq!(plan(Value::Null, config("blue".into())).await, named("blue".into()));
    assert_eq!(plan(Value::Null, config(Value::Unknown)).await, Value::Null, "OpenTofu cannot store an unknown one");
    assert_eq!(plan(config("blue".into()), config("blue".into())).await, named("blue".into()));
    // Not a replace while the name is unknown: an identity must be known.
    assert_eq!(plan(config("blue".into()), config(Value::Unknown)).await, named("blue".into()));
    assert_eq!(plan(config("blue".into()), config("red".into())).await, named("red".into()));
    assert_eq!(plan(config("blue".into()), Value::Null).await, named("blue".into()), "a destroy keeps it");

    let request = wire::read_resource::Request {
        type_name: TENANT.into(),
        current_state: Some(object.write(&config("blue".into()))),
        ..Default::default()
    };
    let response = connection.provider.read_resource(request).await.unwrap().into_inner();
    assert_eq!(read(&ty, response.new_identity.as_ref()), named("blue".into()), "also for a state that had none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_identity_is_read_back_and_a_newer_one_refused() {
    let (_plugin, mut connection, _) = start().await;
    let ty = identity_type(&mut connection, TENANT).await;
    let upgrade = |version: i64, json: &str| {
        let raw_identity = Some(wire::RawState { json: json.as_bytes().to_vec(), flatmap: Default::default() });
        let request = wire::upgrade_resource_identity::Request { type_name: TENANT.into(), version, raw_identity };
        let mut provider = connection.provider.clone();
        async move { provider.upgrade_resource_identity(request).await.unwrap().into_inner() }
    };
    let stored = r#"{"name":"blue","namespace":"tenants"}"#;
    // That of a kubernetes_manifest, which OpenTofu takes for an older one.
    let moved = r#"{"api_version":"kamaji.clastix.io/v1alpha1","kind":"TenantControlPlane","name":"blue","namespace":"tenants"}"#;
    for (version, json) in [(2, stored), (0, stored), (1, moved)] {
        let read_back = upgrade(version, json).await;
        assert_eq!(errors(&read_back.diagnostics), [""; 0]);
        let identity = read(&ty, read_back.upgraded_identity.as_ref());
        assert_eq!((identity.str_at("name"), identity.str_at("namespace")), (Some("blue"), Some("tenants")));
    }
    assert_eq!(upgrade(0, "").await, wire::upgrade_resource_identity::Response::default(), "nothing was stored");
    for (version, json) in [(3, stored), (2, "{}"), (0, "{"), (0, "[]"), (1, r#"{"name":"blue"}"#)] {
        assert_eq!(errors(&upgrade(version, json).await.diagnostics), ["Stored identity not readable"], "{json}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_another_provider_becomes_a_tenant() {
    let (_plugin, mut connection, schemas) = start().await;
    let ty = identity_type(&mut connection, TENANT).await;
    let request = |kind: &str| {
        let json = format!(
            r#"{{"api_version":"kamaji.clastix.io/v1alpha1","kind":{kind:?},"name":"blue","namespace":"tenants","uid":"u-1"}}"#
        );
        wire::move_resource_state::Request {
            source_provider_address: "registry.terraform.io/alekc/kubectl".into(),
            source_type_name: "kubectl_manifest".into(),
            source_state: Some(wire::RawState { json: json.into_bytes(), flatmap: Default::default() }),
            target_type_name: TENANT.into(),
            ..Default::default()
        }
    };
    let moved = connection.provider.move_resource_state(request("TenantControlPlane")).await.unwrap().into_inner();
    assert_eq!(errors(&moved.diagnostics), [""; 0]);
    let state = schemas.resource(TENANT).read(moved.target_state.as_ref());
    assert_eq!((state.str_at("name"), state.str_at("uid")), (Some("blue"), Some("u-1")));
    assert_eq!(read(&ty, moved.target_identity.as_ref()).str_at("namespace"), Some("tenants"));
    assert!(!moved.target_private.is_empty());

    let refused = connection.provider.move_resource_state(request("ConfigMap")).await.unwrap().into_inner();
    assert_eq!(errors(&refused.diagnostics), ["Object of another kind"]);
    let mut unreadable = request("TenantControlPlane");
    unreadable.source_state = None;
    let refused = connection.provider.move_resource_state(unreadable).await.unwrap().into_inner();
    assert_eq!(errors(&refused.diagnostics), ["State to move not readable"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_configuration_has_what_can_be_configured() {
    let (_plugin, mut connection, schemas) = start().await;
    let object = schemas.resource("kamaji_datastore");
    let configured = [("name", "a".into()), ("driver", "etcd".into()), ("endpoints", Value::strings(["e:2379"]))];
    let mut state = object.with(&configured);
    state.set("uid", "u-1".into());
    state.set("used_by", Value::strings(["a/b"]));
    let request = wire::generate_resource_config::Request {
        type_name: "kamaji_datastore".into(),
        state: Some(object.write(&state)),
    };
    let generated = connection.provider.generate_resource_config(request).await.unwrap().into_inner();
    assert_eq!(errors(&generated.diagnostics), [""; 0]);
    assert_eq!(object.read(generated.config.as_ref()), object.with(&configured));
}
