//! List resources, as `terraform query` asks for them.

use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tfplugin::value::{Type, decode};
use tonic::Streaming;

use crate::api_server::ApiServer;
use crate::client::Connection;
use crate::interrupt::{PROMISED, start, stop};
use crate::objects::{Object, Schemas, errors, propose};

const TENANT: &str = "kamaji_tenant_control_plane";

impl Schemas {
    fn list(&self, type_name: &str) -> Object<'_> {
        Object::of(&self.0.list_resource_schemas[type_name])
    }
}

/// A tenant that somebody has made with kubectl.
fn tenant(name: &str) -> Json {
    let fields = json!({"f:metadata": {"f:labels": {"f:team": {}}}, "f:spec": {"f:kubernetes": {"f:version": {}},
        "f:controlPlane": {"f:service": {"f:serviceType": {}}, "f:deployment": {"f:replicas": {}}}, "f:dataStore": {},
        "f:networkProfile": {"f:port": {}, "f:certSANs": {}}}});
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": name, "namespace": "tenants", "uid": "3f1c", "resourceVersion": "1", "generation": 1,
            "labels": {"team": "a", "others": "b"},
            "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1",
                "apiVersion": "kamaji.clastix.io/v1alpha1", "fieldsV1": fields}]},
        "spec": {"kubernetes": {"version": "v1.33.0"}, "dataStore": "default",
            "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 2}},
            "networkProfile": {"port": 6443, "certSANs": ["a.example.com"], "clusterDomain": "cluster.local"}}})
}

fn page(next: &str, items: &[Json]) -> Json {
    json!({"kind": "TenantControlPlaneList", "metadata": {"resourceVersion": "9", "continue": next}, "items": items})
}

async fn list(
    connection: &mut Connection,
    schemas: &Schemas,
    config: &[(&str, Value)],
    limit: i64,
    include_resource_object: bool,
) -> Streaming<wire::list_resource::Event> {
    let object = schemas.list(TENANT);
    let config = Some(object.write(&object.with(config)));
    let request = wire::list_resource::Request { type_name: TENANT.into(), config, include_resource_object, limit };
    connection.provider.list_resource(request).await.unwrap().into_inner()
}

async fn next(events: &mut Streaming<wire::list_resource::Event>) -> wire::list_resource::Event {
    tokio::time::timeout(PROMISED * 30, events.message()).await.expect("an event").unwrap().expect("an event")
}

fn identity(event: &wire::list_resource::Event) -> Value {
    let ty = Type::Object(["name", "namespace"].map(|name| (name.to_owned(), Type::String)).into());
    let data = event.identity.as_ref().and_then(|identity| identity.identity_data.as_ref());
    data.map_or(Value::Null, |data| decode(&data.msgpack, &ty).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reads_no_further_than_its_limit() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let config = [("namespaces", Value::strings(["tenants"])), ("label_selector", "team=a".into())];
    let mut events = list(&mut connection, &schemas, &config, 2, false).await;
    let asked = api.next().await;
    assert_eq!(asked.path, "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes");
    assert!(asked.query.contains("labelSelector=team%3Da") && asked.query.contains("limit=2"), "{}", asked.query);
    asked.answer(200, &page("more", &[tenant("a"), tenant("b")]));
    for name in ["a", "b"] {
        let event = next(&mut events).await;
        assert_eq!(event.display_name, format!("tenants/{name}"));
        assert_eq!(identity(&event), Value::object([("namespace", "tenants".into()), ("name", name.into())]));
        assert_eq!((event.resource_object, event.diagnostic), (None, vec![]));
    }
    assert_eq!(events.message().await.unwrap(), None, "the end");
    assert!(api.is_quiet(), "the second page is nobody's business");
}

/// What is found is shown before the rest is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_enough_ends_the_work() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let mut events = list(&mut connection, &schemas, &[], 100, false).await;
    api.next().await.answer(200, &page("more", &[tenant("a")]));
    assert_eq!(next(&mut events).await.display_name, "tenants/a");
    let asked = api.next().await;
    assert!(asked.query.contains("continue=more"), "{}", asked.query);
    drop(events);
    tokio::time::timeout(PROMISED, asked.abandoned()).await.expect("the request ends with the stream");
    let alive = connection.provider.get_metadata(wire::get_metadata::Request {}).await;
    assert!(alive.is_ok(), "the server goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_work_with_an_error() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let mut events = list(&mut connection, &schemas, &[], 100, false).await;
    api.next().await.answer(200, &page("more", &[tenant("a")]));
    assert_eq!(next(&mut events).await.display_name, "tenants/a");
    let asked = api.next().await;
    stop(&mut connection).await;
    let last = tokio::time::timeout(PROMISED, events.message()).await.expect("an end").unwrap().unwrap();
    // Whoever notices first says it: the list, or the request that it waits for.
    let told = errors(&last.diagnostic);
    assert!(matches!(&told[..], [one] if ["Listing interrupted", "Interrupted"].contains(one)), "{told:?}");
    assert_eq!(events.message().await.unwrap(), None);
    tokio::time::timeout(PROMISED, asked.abandoned()).await.expect("the request ends");

    // A later query of the same process is not over at once.
    let mut events = list(&mut connection, &schemas, &[], 100, false).await;
    api.next().await.answer(200, &page("", &[tenant("c")]));
    assert_eq!(next(&mut events).await.display_name, "tenants/c");
}

/// `terraform query -generate-config-out`, then a plan of what it wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_generated_configuration_of_what_is_listed_plans_empty() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let object = schemas.resource(TENANT);
    let mut events = list(&mut connection, &schemas, &[], 100, true).await;
    api.next().await.answer(200, &page("", &[tenant("a")]));
    let event = next(&mut events).await;
    assert_eq!(errors(&event.diagnostic), [""; 0]);
    let listed = object.read(event.resource_object.as_ref());
    assert!(listed.is_wholly_known());
    assert_eq!(listed.get("labels"), &Value::object([("team", Value::from("a"))]), "others' label is not taken");

    let request = wire::import_resource_state::Request {
        type_name: TENANT.into(),
        identity: event.identity.clone(),
        ..Default::default()
    };
    let imported = connection.provider.import_resource_state(request).await.unwrap().into_inner();
    assert_eq!(errors(&imported.diagnostics), [""; 0]);
    let [imported] = &imported.imported_resources[..] else { panic!("one object") };
    let request = wire::read_resource::Request {
        type_name: TENANT.into(),
        current_state: imported.state.clone(),
        private: imported.private.clone(),
        ..Default::default()
    };
    let mut provider = connection.provider.clone();
    let reading = tokio::spawn(async move { provider.read_resource(request).await.unwrap().into_inner() });
    api.next().await.answer(200, &tenant("a"));
    let read = reading.await.unwrap();
    assert_eq!(object.read(read.new_state.as_ref()), listed, "as an import and a read show it");
    assert_eq!(read.new_identity, event.identity);

    let request =
        wire::generate_resource_config::Request { type_name: TENANT.into(), state: event.resource_object.clone() };
    let generated = connection.provider.generate_resource_config(request).await.unwrap().into_inner();
    assert_eq!(errors(&generated.diagnostics), [""; 0]);
    let config = object.read(generated.config.as_ref());
    for attribute in object.block.attributes.iter().filter(|it| it.computed && !it.optional) {
        assert!(config.get(&attribute.name).is_null(), "{} is not for a configuration", attribute.name);
    }
    assert!(config.get("network_profile.port").is_null(), "the server's default");
    assert!(config.get("network_profile.cluster_domain").is_null(), "the server's default");
    assert_eq!(config.get("network_profile.cert_sans"), &Value::strings(["a.example.com"]));

    let request = wire::validate_resource_config::Request {
        type_name: TENANT.into(),
        config: generated.config.clone(),
        ..Default::default()
    };
    let validated = connection.provider.validate_resource_config(request).await.unwrap().into_inner();
    assert_eq!(errors(&validated.diagnostics), [""; 0]);
    let proposed = propose(&object.block.attributes, &config, &listed);
    let request = wire::plan_resource_change::Request {
        type_name: TENANT.into(),
        prior_state: Some(object.write(&listed)),
        proposed_new_state: Some(object.write(&proposed)),
        config: generated.config,
        prior_private: read.private,
        prior_identity: read.new_identity,
        ..Default::default()
    };
    let plan = connection.provider.plan_resource_change(request).await.unwrap().into_inner();
    assert_eq!(errors(&plan.diagnostics), [""; 0]);
    assert_eq!(object.read(plan.planned_state.as_ref()), listed, "nothing to do");
    assert_eq!(plan.requires_replace, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_found_without_a_cluster() {
    let api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let object = schemas.list(TENANT);
    for (attribute, value, wrong) in [
        ("field_selector", Value::from("metadata.name"), Some("Field selector not readable")),
        ("namespaces", Value::strings(["Tenants"]), Some("")),
        ("namespaces", Value::strings(Vec::<String>::new()), Some("Empty list not possible")),
        ("field_selector", "metadata.name!=a".into(), None),
        ("label_selector", Value::Unknown, None),
    ] {
        let config = Some(object.write(&object.with(&[(attribute, value)])));
        let request =
            wire::validate_list_resource_config::Request { type_name: TENANT.into(), config, ..Default::default() };
        let validated = connection.provider.validate_list_resource_config(request).await.unwrap().into_inner();
        let said = errors(&validated.diagnostics);
        assert_eq!(said.len(), usize::from(wrong.is_some()), "{attribute}: {said:?}");
        assert!(wrong.is_none_or(|wrong| said[0].contains(wrong)), "{attribute}: {said:?}");
        assert!(validated.diagnostics.iter().all(|it| it.attribute.is_some()), "{:?}", validated.diagnostics);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_is_one_error() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let mut events = list(&mut connection, &schemas, &[], 100, true).await;
    let forbidden = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
        "message": "tenantcontrolplanes is forbidden"});
    api.next().await.answer(403, &forbidden);
    let event = next(&mut events).await;
    assert_eq!((errors(&event.diagnostic).len(), event.identity), (1, None));
    assert_eq!(events.message().await.unwrap(), None);
}
