//! Lists: what is found is what an import and a read show, and nothing is asked that nobody wants to know.

use futures::StreamExt as _;
use tfplugin::list_resource::{ListRequest, ListResource as _, Listed, Said, listing};
use tfplugin::plan::{propose, to_config};
use tfplugin::resource::{Plan, PlanRequest};

use super::super::list::{Listable, ManagedList};
use super::*;
use crate::configured::Settings;
use crate::kamaji::metadata::{Ignored, KeyRules, MetadataRules};
use crate::tenant_control_plane::TenantControlPlane;

const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes";

/// What a listing finds, and what it says beside that.
async fn listed<M: Listable>(
    list: ManagedList<M>,
    edits: &[(&str, Value)],
    limit: Option<u64>,
    include_object: bool,
) -> (Vec<Listed>, Diagnostics) {
    let mut config = list.schema().null_object();
    for (name, value) in edits {
        config.set(name, value.clone());
    }
    let cx = Context::default();
    let found = listing(limit, cx.stop.clone(), move |mut results| async move {
        list.list(&cx, ListRequest { config, include_object, limit }, &mut results).await
    });
    let (mut all, mut diagnostics) = (Vec::new(), Diagnostics::new());
    tokio::pin!(found);
    while let Some(said) = found.next().await {
        match said.expect("no panic") {
            Said::Found(listed) => all.push(*listed),
            Said::Problem(problems) => diagnostics.extend(problems),
        }
    }
    (all, diagnostics)
}

fn stores(api: &Scripted) -> ManagedList<DataStore> {
    ManagedList::new(DataStore::default(), Arc::new(Configured::of(api.cluster())))
}

fn tenants(api: &Scripted) -> ManagedList<TenantControlPlane> {
    ManagedList::new(TenantControlPlane::default(), Arc::new(Configured::of(api.cluster())))
}

fn store(name: &str, driver: &str) -> Json {
    let mut store = live(&json!({"team": "a"}), &json!({}));
    store["metadata"]["name"] = json!(name);
    store["spec"]["driver"] = json!(driver);
    let fields = json!({"f:metadata": {"f:labels": {"f:team": {}}}, "f:spec": {"f:driver": {}, "f:endpoints": {}}});
    store["metadata"]["managedFields"] = json!([{"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1",
        "apiVersion": "kamaji.clastix.io/v1alpha1", "fieldsV1": fields}]);
    store
}

fn tenant(namespace: &str, name: &str, version: &str) -> Json {
    let fields = json!({"f:spec": {"f:kubernetes": {"f:version": {}}, "f:controlPlane": {"f:service": {"f:serviceType": {}},
        "f:deployment": {"f:replicas": {}}}, "f:dataStore": {}}});
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": name, "namespace": namespace, "uid": format!("uid-{name}"), "resourceVersion": "7",
            "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1",
                "apiVersion": "kamaji.clastix.io/v1alpha1", "fieldsV1": fields}]},
        "spec": {"kubernetes": {"version": version}, "dataStore": "default",
            "controlPlane": {"service": {"serviceType": "NodePort"}, "deployment": {"replicas": 2}}},
        "status": {"kubernetesResources": {"version": {"version": version, "status": "Ready"}}}})
}

/// One page, and that there are more.
fn page(next: &str, items: &[Json]) -> Json {
    let mut page = list_of("9", items);
    page["metadata"]["continue"] = json!(next);
    page
}

fn names(found: &[Listed]) -> Vec<&str> {
    found.iter().map(|listed| listed.display_name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_is_what_an_import_and_a_read_show_and_its_configuration_plans_empty() {
    let mut found = store("d", "NATS");
    found["metadata"]["labels"]["site"] = json!("x");
    found["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:labels"]["f:site"] = json!({});
    let api = Scripted::new([
        on(Method::GET, STORES).answers(200, &list_of("9", std::slice::from_ref(&found))),
        on(Method::GET, STORE).answers(200, &found),
    ]);
    let labels = KeyRules { defaults: Value::object([("site", Value::from("x"))]), ignored: Ignored::of(&Value::Null) };
    let metadata = MetadataRules { labels, annotations: KeyRules::default() };
    let settings = Settings { metadata, ..Settings::default() };
    let shared = Arc::new(Configured::with(api.cluster(), None, settings));
    let (all, said) = listed(ManagedList::new(DataStore::default(), Arc::clone(&shared)), &[], None, true).await;
    assert_eq!(said, Diagnostics::new());
    let [listed] = &all[..] else { panic!("one: {all:?}") };
    assert_eq!((listed.display_name.as_str(), listed.identity.str_at("name")), ("d", Some("d")));

    let resource = ManagedResource::new(DataStore::default(), shared);
    let stub = resource.import(&Context::default(), "d").await;
    let read = resource.read(&Context::default(), ReadRequest { state: stub.state, private: stub.private }).await;
    assert_eq!(listed.object.as_ref(), Some(&read.state));
    assert_eq!(read.state.get("labels"), &Value::object([("team", Value::from("a"))]), "the other one is a default");

    let config = to_config(&resource.schema().attributes, &read.state);
    for given in ["uid", "id", "labels_all", "used_by"] {
        assert!(config.get(given).is_null(), "{given} is not configured");
    }
    let mut proposed = config.clone();
    for attribute in resource.schema().attributes.iter().filter(|attribute| attribute.is_computed()) {
        proposed.set(attribute.name, read.state.get(attribute.name).clone());
    }
    let proposal = propose(resource.schema(), &read.state, &config, &proposed);
    let plan = Plan {
        planned: proposal.planned,
        requires_replace: Vec::new(),
        private: read.private.clone(),
        diagnostics: Diagnostics::new(),
    };
    let request = PlanRequest { prior: read.state.clone(), config, private: read.private };
    assert_eq!(resource.plan(&Context::default(), request, plan).await.planned, read.state, "the plan is empty");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_the_size_of_a_page_and_the_end() {
    let items = [store("a", "etcd"), store("b", "etcd")];
    let api = Scripted::new([on(Method::GET, STORES).answers(200, &page("more", &items))]);
    let (all, said) = listed(stores(&api), &[], Some(2), false).await;
    assert_eq!((names(&all), said), (vec!["a", "b"], Diagnostics::new()));
    assert!(all.iter().all(|listed| listed.object.is_none()), "only identities are wanted");
    assert!(api.asked()[0].query.contains("limit=2"), "{:?}", api.asked());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn pages_are_read_until_enough_pass_the_filters() {
    let api = Scripted::new([
        on(Method::GET, STORES).answers(200, &page("more", &[store("a", "etcd"), store("b", "NATS")])),
        on(Method::GET, STORES).answers(200, &page("even more", &[store("c", "NATS"), store("d", "NATS")])),
    ]);
    let (all, _) = listed(stores(&api), &[("driver", "NATS".into())], Some(2), false).await;
    assert_eq!(names(&all), ["b", "c"]);
    let asked = api.asked();
    assert!(asked[0].query.contains("limit=500"), "nobody knows how many pass: {asked:?}");
    assert!(asked[1].query.contains("continue=more"), "{asked:?}");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_list_that_begins_anew_shows_nothing_twice() {
    let gone = failure(410, "Expired", "the provided continue parameter is too old", &json!({}));
    let all = [store("a", "etcd"), store("aa", "etcd"), store("b", "etcd")];
    let api = Scripted::new([
        on(Method::GET, STORES).answers(200, &page("more", &[store("a", "etcd")])),
        on(Method::GET, STORES).answers(410, &gone),
        on(Method::GET, STORES).answers(200, &list_of("10", &all)),
    ]);
    let (all, said) = listed(stores(&api), &[], None, false).await;
    assert_eq!((names(&all), said), (vec!["a", "aa", "b"], Diagnostics::new()));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn each_namespace_is_read_once_with_the_selectors_and_no_further_than_the_limit() {
    let path = |namespace: &str| format!("/apis/kamaji.clastix.io/v1alpha1/namespaces/{namespace}/tenantcontrolplanes");
    let api = Scripted::new([
        on(Method::GET, &path("a")).answers(200, &list_of("9", &[tenant("a", "x", "v1.30.0")])),
        on(Method::GET, &path("b")).answers(200, &page("more", &[tenant("b", "x", "v1.30.0")])),
    ]);
    let edits = [
        ("namespaces", Value::strings(["c", "b", "a", "b"])),
        ("label_selector", "env=prod".into()),
        ("field_selector", "metadata.name!=y".into()),
    ];
    let (all, _) = listed(tenants(&api), &edits, Some(2), true).await;
    assert_eq!(names(&all), ["a/x", "b/x"]);
    assert_eq!(all[1].identity.str_at("namespace"), Some("b"));
    assert_eq!(all[1].object.as_ref().and_then(|object| object.str_at("kubernetes.version")), Some("v1.30.0"));
    for asked in api.asked() {
        assert!(asked.query.contains("labelSelector=env%3Dprod"), "{asked:?}");
        assert!(asked.query.contains("fieldSelector=metadata.name%21%3Dy"), "{asked:?}");
    }
    api.finish();
}

#[rstest::rstest]
#[case::version("installed_version", "1.30", &["a/x", "b/x"])]
#[case::status("status", "NotReady", &[])]
#[case::data_store("data_store", "default", &["a/x", "a/y", "b/x"])]
#[tokio::test(start_paused = true)]
async fn tenants_are_chosen_as_in_the_data_source(#[case] filter: &str, #[case] value: &str, #[case] wanted: &[&str]) {
    let all = [tenant("a", "x", "v1.30.2"), tenant("a", "y", "v1.31.0"), tenant("b", "x", "v1.30.0")];
    let api = Scripted::new([on(Method::GET, TENANTS).answers(200, &list_of("9", &all))]);
    assert_eq!(names(&listed(tenants(&api), &[(filter, value.into())], None, false).await.0), wanted);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_is_shown_with_a_warning_and_the_others_too() {
    let mut going = store("a", "etcd");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let api = Scripted::new([on(Method::GET, STORES).answers(200, &list_of("9", &[going, store("b", "etcd")]))]);
    let (all, _) = listed(stores(&api), &[], None, true).await;
    assert_eq!(names(&all), ["a", "b"]);
    assert_eq!(summaries(&all[0].diagnostics), ["Object is being deleted"]);
    assert!(!all[0].diagnostics.has_errors() && all[1].diagnostics.is_empty());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refused_list_is_an_error_and_a_bad_selector_one_at_its_attribute() {
    let forbidden = failure(403, "Forbidden", "datastores is forbidden", &json!({"kind": "datastores"}));
    let api = Scripted::new([on(Method::GET, STORES).answers(403, &forbidden)]);
    let (all, said) = listed(stores(&api), &[], None, true).await;
    assert!(all.is_empty() && said.has_errors());
    let unknown = failure(400, "BadRequest", "\"spec.x\" is not a known field selector: only …", &json!({}));
    let api = Scripted::new([on(Method::GET, STORES).answers(400, &unknown)]);
    let (_, said) = listed(stores(&api), &[("field_selector", "spec.x=y".into())], None, true).await;
    assert_eq!(said.iter().map(|said| said.path.clone()).collect::<Vec<_>>(), [Path::of("field_selector")]);
}
