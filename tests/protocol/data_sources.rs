//! Data sources: what core insists on in their answers, and that an interrupt ends their waits.

use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;

use crate::api_server::ApiServer;
use crate::client::Connection;
use crate::interrupt::{PROMISED, start, stop};
use crate::objects::{Object, Schemas, errors};

impl Schemas {
    pub fn data_source(&self, type_name: &str) -> Object<'_> {
        Object::of(&self.0.data_source_schemas[type_name])
    }
}

pub fn tenant(name: &str) -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": name, "namespace": "tenants", "uid": "3f1c", "resourceVersion": "1", "generation": 1},
        "spec": {"kubernetes": {"version": "v1.33.0"}, "controlPlane": {"service": {"serviceType": "ClusterIP"}}}})
}

/// Starts a read in the background.
pub fn read(
    connection: &Connection,
    type_name: &str,
    config: wire::DynamicValue,
) -> tokio::task::JoinHandle<wire::read_data_source::Response> {
    let mut provider = connection.provider.clone();
    let type_name = type_name.to_owned();
    let request = wire::read_data_source::Request { type_name, config: Some(config), ..Default::default() };
    tokio::spawn(async move { provider.read_data_source(request).await.unwrap().into_inner() })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_is_known_as_a_whole() {
    let mut api = ApiServer::start().await;
    let (_plugin, connection, schemas) = start(&api).await;
    let object = schemas.data_source("kamaji_tenant_control_plane");
    let reading =
        read(&connection, "kamaji_tenant_control_plane", object.write(&object.with(&[("id", "tenants/a".into())])));
    api.next().await.answer(200, &tenant("a"));
    let answer = reading.await.unwrap();
    assert_eq!(errors(&answer.diagnostics), [""; 0]);
    let state = object.read(answer.state.as_ref());
    assert!(state.is_wholly_known());
    assert_eq!(state.str_at("name"), Some("a"));
    assert_eq!(state.str_at("control_plane.service.service_type"), Some("ClusterIP"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_there_is_an_error_and_no_state() {
    let mut api = ApiServer::start().await;
    let (_plugin, connection, schemas) = start(&api).await;
    let object = schemas.data_source("kamaji_tenant_control_plane");
    let reading =
        read(&connection, "kamaji_tenant_control_plane", object.write(&object.with(&[("id", "tenants/a".into())])));
    api.next().await.not_found();
    let answer = reading.await.unwrap();
    assert_eq!(errors(&answer.diagnostics), ["Object does not exist"]);
    assert!(answer.state.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_in_order_and_echoes_its_configuration() {
    let mut api = ApiServer::start().await;
    let (_plugin, connection, schemas) = start(&api).await;
    let object = schemas.data_source("kamaji_tenant_control_planes");
    let config = object.with(&[("namespaces", Value::strings(["tenants"])), ("label_selector", "a=b".into())]);
    let reading = read(&connection, "kamaji_tenant_control_planes", object.write(&config));
    let list = json!({"kind": "TenantControlPlaneList", "metadata": {"resourceVersion": "9"}, "items": [tenant("b"), tenant("a")]});
    api.next().await.answer(200, &list);
    let answer = reading.await.unwrap();
    assert_eq!(errors(&answer.diagnostics), [""; 0]);
    let state = object.read(answer.state.as_ref());
    assert_eq!(state.get("ids"), &Value::strings(["tenants/a", "tenants/b"]));
    assert_eq!(state.str_at("label_selector"), Some("a=b"));
    assert!(state.is_wholly_known());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_wait_for_a_fleet() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let object = schemas.data_source("kamaji_tenants_ready");
    let config = object.with(&[("ids", Value::strings(["tenants/a", "tenants/b"]))]);
    let reading = read(&connection, "kamaji_tenants_ready", object.write(&config));
    // The wait has begun, and gets no answer.
    let _unanswered = (api.next().await, api.next().await);
    stop(&mut connection).await;
    let answer = tokio::time::timeout(PROMISED, reading).await.expect("an end").unwrap();
    assert_eq!(errors(&answer.diagnostics), ["Interrupted while waiting"]);
}

/// A tenant that sleeps fails no plan: what would be read is null, with a warning.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_inside_of_a_tenant_that_sleeps_is_null() {
    let mut api = ApiServer::start().await;
    let (_plugin, connection, schemas) = start(&api).await;
    let mut asleep = tenant("a");
    asleep["spec"]["controlPlane"]["deployment"] = json!({"replicas": 0});
    for (type_name, list) in [("kamaji_bootstrap_tokens", "tokens"), ("kamaji_nodes", "nodes")] {
        let object = schemas.data_source(type_name);
        let config = object.with(&[("tenant_control_plane_id", "tenants/a".into())]);
        let reading = read(&connection, type_name, object.write(&config));
        api.next().await.answer(200, &asleep);
        let answer = reading.await.unwrap();
        assert_eq!(errors(&answer.diagnostics), [""; 0]);
        let state = object.read(answer.state.as_ref());
        assert!(state.is_wholly_known() && state.get(list).is_null(), "{type_name}");
        assert_eq!(state.get("reachable"), &false.into());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_wait_for_the_inside_of_a_tenant() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    for type_name in ["kamaji_bootstrap_tokens", "kamaji_nodes", "kamaji_kubeconfig"] {
        let object = schemas.data_source(type_name);
        let config = object.with(&[("tenant_control_plane_id", "tenants/a".into())]);
        let reading = read(&connection, type_name, object.write(&config));
        // The tenant has no kubeconfig yet, which is waited for.
        api.next().await.answer(200, &tenant("a"));
        let _unanswered = api.next().await;
        stop(&mut connection).await;
        let answer = tokio::time::timeout(PROMISED, reading).await.expect("an end").unwrap();
        assert_eq!(errors(&answer.diagnostics).len(), 1, "{type_name}");
    }
}
