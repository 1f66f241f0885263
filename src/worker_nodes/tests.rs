use std::time::Duration;

use http::Method;
use serde_json::json;
use tfplugin::plan::propose;
use tfplugin::resource::{Checkpoint, Resource as _};
use tokio::time::Instant;

use super::*;
use crate::kamaji::join::JOIN_ID_LABEL;
use crate::management_cluster::scripted::{Scripted, Step, event, list_of, not_found, on};
use crate::tenant_cluster::tests::{
    CONTROL_PLANE, connect, control_plane, control_plane_with, deleted, going, management, ready,
};

const NODES: &str = "/api/v1/nodes";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

fn resource(management: &Scripted, tenant: &Scripted) -> WorkerNodes {
    WorkerNodes { shared: Arc::new(Configured::of(management.cluster())), connect: connect(tenant) }
}

fn awake() -> Scripted {
    Scripted::new(management(&control_plane()))
}

fn asleep() -> Scripted {
    Scripted::new(management(&control_plane_with("/spec/controlPlane/deployment/replicas", json!(0))))
}

/// The nodes of these names.
fn named(names: &[&str]) -> Value {
    let mut config = SCHEMA.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    config.set("node_names", Value::strings(names.iter().copied()));
    config
}

fn node(name: &str, ready: bool) -> Json {
    let status = if ready { "True" } else { "False" };
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "resourceVersion": "1", "labels": {JOIN_ID_LABEL: "j1"}},
        "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": status, "message": "cni plugin not initialized"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.7"}], "nodeInfo": {"kubeletVersion": "v1.32.4"}}})
}

fn nodes(nodes: &[Json]) -> Step {
    on(Method::GET, NODES).answers(200, &list_of("1", nodes))
}

/// The state after a create that found these nodes.
fn state(config: &Value, found: &[Json]) -> Value {
    let mut state = config.clone();
    fill(&mut state, shown(found));
    state
}

fn memory() -> Private {
    Private::write(&Memory { tenant_uid: "uid-a".to_owned(), silent: false })
}

async fn plan(management: &Scripted, prior: &Value, config: &Value) -> Plan {
    let mut proposed = config.clone();
    for attribute in SCHEMA.attributes.iter().filter(|attribute| attribute.is_computed()) {
        proposed.set(attribute.name, prior.get(attribute.name).clone());
    }
    let plan = Plan {
        planned: propose(&SCHEMA, prior, config, &proposed).planned,
        requires_replace: Vec::new(),
        private: memory(),
        diagnostics: Diagnostics::new(),
    };
    let request = PlanRequest { prior: prior.clone(), config: config.clone(), private: memory() };
    resource(management, &Scripted::new([])).plan(&Context::default(), request, plan).await
}

async fn create(tenant: &Scripted, config: &Value) -> ApplyResponse {
    let planned = propose(&SCHEMA, &Value::Null, config, config).planned;
    let (private, checkpoint) = (Private::default(), Checkpoint::default());
    let request = ApplyRequest { prior: Value::Null, planned, config: config.clone(), private, checkpoint };
    resource(&awake(), tenant).create(&Context::default(), request).await
}

async fn update(management: &Scripted, tenant: &Scripted, prior: &Value, config: &Value) -> ApplyResponse {
    let planned = plan(management, prior, config).await.planned;
    let (prior, config, private) = (prior.clone(), config.clone(), memory());
    let request = ApplyRequest { prior, planned, config, private, checkpoint: Checkpoint::default() };
    resource(management, tenant).update(&Context::default(), request).await
}

async fn delete(management: &Scripted, tenant: &Scripted, prior: &Value, memory: &Memory) -> Diagnostics {
    let request = DeleteRequest { prior: prior.clone(), private: Private::write(memory) };
    resource(management, tenant).delete(&Context::default(), request).await
}

fn text(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|diagnostic| format!("{}: {}\n", diagnostic.summary, diagnostic.detail)).collect()
}

/// What a removal of a node without pods asks.
fn removal(name: &str) -> Vec<Step> {
    let path = format!("{NODES}/{name}");
    vec![
        on(Method::GET, &path).answers(200, &node(name, true)),
        on(Method::GET, "/api/v1/pods").answers(200, &list_of("1", &[])),
        on(Method::PATCH, &path).answers(200, &node(name, true)),
        on(Method::GET, "/api/v1/pods").answers(200, &list_of("1", &[])),
        on(Method::DELETE, &path).answers(200, &deleted()),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_create_returns_when_the_nodes_are_ready() {
    let events = [event("ADDED", &node("b", false)), event("MODIFIED", &node("b", true))];
    let tenant =
        Scripted::new([ready(), nodes(&[node("a", true), node("x", true)]), on(Method::GET, NODES).streams(&events)]);
    let made = create(&tenant, &named(&["b", "a"])).await;
    assert!(made.diagnostics.is_empty(), "{}", text(&made.diagnostics));
    assert_eq!(made.state.get("names"), &Value::strings(["a", "b"]));
    assert_eq!(made.state.get("ready_count").as_i64(), Some(2));
    assert_eq!(made.state.str_at("id"), Some("tenants/a/node_names=b,a"));
    assert_eq!(made.private.read::<Memory>().tenant_uid, "uid-a");
    insta::assert_debug_snapshot!(made.state.get("nodes").as_list().unwrap()[0]);
    // What is noted is what the table says.
    tfplugin::value::encode(&made.state, SCHEMA.object_type());
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn nodes_of_a_join_are_asked_for_by_its_label_and_need_not_be_ready() {
    let tenant = Scripted::new([ready(), nodes(&[node("a", false)])]);
    let mut config = named(&[]);
    config.set("node_names", Value::Null);
    config.set("join_ids", Value::strings(["j1", "j2"]));
    config.set("node_count", 1.into());
    config.set("wait_for", "registered".into());
    let made = create(&tenant, &config).await;
    assert_eq!(made.state.get("names"), &Value::strings(["a"]));
    let asked = tenant.asked().into_iter().find(|asked| asked.path == NODES).unwrap();
    assert!(
        asked.query.contains("join-id+in+%28j1%2Cj2%29") || asked.query.contains("join-id%20in%20"),
        "{}",
        asked.query
    );
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_leaves_no_state_and_says_how_far_the_machines_are() {
    let request = |conditions: Json| {
        let user = "system:bootstrap:abcdef";
        json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "c"},
            "spec": {"username": user}, "status": conditions})
    };
    let approved = request(json!({"conditions": [{"type": "Approved"}], "certificate": "x"}));
    for (requests, words) in [
        (vec![], "No machine has asked the tenant to join"),
        (vec![request(json!({})), approved.clone()], "1 machines have asked for a certificate and got none"),
        (vec![approved], "does not register"),
    ] {
        let tenant = Scripted::new([
            ready(),
            nodes(&[node("a", false)]),
            on(Method::GET, NODES).streams(&[]).always(),
            on(Method::GET, REQUESTS).answers(200, &list_of("1", &requests)),
        ]);
        let begin = Instant::now();
        let failed = create(&tenant, &named(&["a", "b"])).await;
        assert!(begin.elapsed() >= Duration::from_secs(1199), "{:?}", begin.elapsed());
        assert!(failed.state.is_null());
        let said = text(&failed.diagnostics);
        assert!(said.contains("0 of 2 nodes named a, b are Ready"), "{said}");
        assert!(said.contains("- a: cni plugin not initialized") && said.contains(words), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_a_wait_at_once() {
    let tenant = Scripted::new([ready(), nodes(&[]), on(Method::GET, NODES).streams(&[])]);
    let cx = Context::default();
    let (config, stop) = (named(&["a"]), cx.stop.clone());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.cancel();
    });
    let begin = Instant::now();
    let planned = propose(&SCHEMA, &Value::Null, &config, &config).planned;
    let (private, checkpoint) = (Private::default(), Checkpoint::default());
    let request = ApplyRequest { prior: Value::Null, planned, config, private, checkpoint };
    let ended = resource(&awake(), &tenant).create(&cx, request).await;
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    assert!(text(&ended.diagnostics).starts_with("Interrupted while waiting: 0 of 1"), "{}", text(&ended.diagnostics));
}

#[tokio::test(start_paused = true)]
async fn a_plan_waits_again_where_nodes_are_missing_or_the_tenant_is_another_one() {
    let config = named(&["a", "b"]);
    let whole = state(&config, &[node("a", true), node("b", true)]);
    assert_eq!(plan(&awake(), &whole, &config).await.planned, whole);
    let fewer = state(&config, &[node("a", true), node("b", false)]);
    let of_another = Scripted::new(management(&control_plane_with("/metadata/uid", json!("another"))));
    for (management, prior) in [(&awake(), &fewer), (&of_another, &whole)] {
        let planned = plan(management, prior, &config).await.planned;
        assert!(planned.get("nodes").is_unknown() && planned.get("ready_count").is_unknown());
        assert!(!planned.get("id").is_unknown());
    }
    // What a refresh could not see is waited for when it can.
    let silent = Private::write(&Memory { tenant_uid: "uid-a".to_owned(), silent: true });
    let request = PlanRequest { prior: fewer.clone(), config: config.clone(), private: silent.clone() };
    let unasked =
        Plan { planned: fewer.clone(), requires_replace: Vec::new(), private: silent, diagnostics: Diagnostics::new() };
    let resource = resource(&awake(), &Scripted::new([]));
    assert_eq!(resource.plan(&Context::default(), request, unasked).await.planned, fewer);
    // Nothing else changes what is known.
    let mut patient = config.clone();
    patient.set("timeouts", Value::object([("delete", Value::from("1h"))]));
    patient.set("drain", Value::object([("force", Value::from(true))]));
    assert!(!plan(&awake(), &whole, &patient).await.planned.get("nodes").is_unknown());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_settings_alone_asks_no_tenant() {
    let config = named(&["a"]);
    let prior = state(&config, &[node("a", true)]);
    let mut changed = config.clone();
    changed.set("drain", Value::object([("enabled", Value::from(false))]));
    let updated = update(&asleep(), &Scripted::new([]), &prior, &changed).await;
    assert!(updated.diagnostics.is_empty());
    assert_eq!(updated.state.get("drain").get("enabled").as_bool(), Some(false));
    assert_eq!(updated.state.get("nodes"), prior.get("nodes"));
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_name_is_taken_out_is_drained_once_the_others_are_there() {
    let prior = state(&named(&["a", "b"]), &[node("a", true), node("b", true)]);
    let steps = [nodes(&[node("a", true), node("b", true)]), nodes(&[node("a", true), node("b", true)])];
    let tenant = Scripted::new(std::iter::once(ready()).chain(steps).chain(removal("b")));
    let updated = update(&awake(), &tenant, &prior, &named(&["a"])).await;
    assert!(updated.diagnostics.is_empty(), "{}", text(&updated.diagnostics));
    assert_eq!(updated.state.get("names"), &Value::strings(["a"]));
    assert_eq!(updated.state.str_at("id"), Some("tenants/a/node_names=a"));
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_drained_is_planned_again() {
    let prior = state(&named(&["a", "b"]), &[node("a", true), node("b", true)]);
    let unmanaged = json!({"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {}});
    let tenant = Scripted::new([
        ready(),
        nodes(&[node("a", true), node("b", true)]),
        nodes(&[node("a", true), node("b", true)]),
        on(Method::GET, "/api/v1/nodes/b").answers(200, &node("b", true)),
        on(Method::GET, "/api/v1/pods").answers(200, &list_of("1", &[unmanaged])),
    ]);
    let updated = update(&awake(), &tenant, &prior, &named(&["a"])).await;
    assert!(text(&updated.diagnostics).contains("n/p: no controller"), "{}", text(&updated.diagnostics));
    assert_eq!(updated.state, prior);
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refresh_shows_the_nodes_as_they_are() {
    let prior = state(&named(&["a", "b"]), &[node("a", true), node("b", true)]);
    let tenant = Scripted::new([ready(), nodes(&[node("b", false), node("x", true)])]);
    let request = ReadRequest { state: prior, private: Private::default() };
    let read = resource(&awake(), &tenant).read(&Context::default(), request).await;
    assert!(read.diagnostics.is_empty(), "{}", text(&read.diagnostics));
    assert_eq!(read.state.get("names"), &Value::strings(["b"]));
    assert_eq!(read.state.get("ready_count").as_i64(), Some(0));
    assert_eq!(read.private.read::<Memory>().tenant_uid, "uid-a");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_cannot_be_asked_changes_nothing_in_a_refresh() {
    let prior = state(&named(&["a"]), &[node("a", true)]);
    let gone =
        Scripted::new([on(Method::GET, CONTROL_PLANE).answers(404, &not_found("tenantcontrolplanes", "a")).always()]);
    let silent = Scripted::new([on(Method::GET, "/readyz").unanswered().always()]);
    for (management, tenant, words) in [
        (asleep(), Scripted::new([]), "scaled to zero"),
        (awake(), silent, "within 5 s"),
        (Scripted::new(management(&going(control_plane()))), Scripted::new([ready()]), "being deleted"),
        (gone, Scripted::new([]), "does not exist any more"),
    ] {
        let resource = resource(&management, &tenant);
        let begin = Instant::now();
        let request = ReadRequest { state: prior.clone(), private: memory() };
        let read = resource.read(&Context::default(), request.clone()).await;
        assert!(begin.elapsed() <= Duration::from_secs(5), "{:?}", begin.elapsed());
        assert_eq!(read.state, prior);
        assert!(
            !read.diagnostics.has_errors() && text(&read.diagnostics).contains(words),
            "{}",
            text(&read.diagnostics)
        );
        // However many resources there are for the tenant.
        assert!(resource.read(&Context::default(), request).await.diagnostics.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroy_takes_the_nodes_out_that_are_selected_then() {
    let prior = state(&named(&["a", "b"]), &[node("a", true)]);
    let tenant = Scripted::new([ready(), nodes(&[node("b", true), node("x", true)])].into_iter().chain(removal("b")));
    let said = delete(&awake(), &tenant, &prior, &memory().read()).await;
    assert!(said.is_empty(), "{}", text(&said));
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_destroy_has_nothing_to_do_where_the_tenant_is_gone_or_another_one() {
    let prior = state(&named(&["a"]), &[node("a", true)]);
    let gone = Scripted::new([on(Method::GET, CONTROL_PLANE).answers(404, &not_found("tenantcontrolplanes", "a"))]);
    let of_another = Scripted::new(management(&control_plane_with("/metadata/uid", json!("another"))));
    let on_its_way = Scripted::new(management(&going(control_plane())));
    for management in [gone, of_another, on_its_way] {
        let said = delete(&management, &Scripted::new([ready()]), &prior, &memory().read()).await;
        assert!(said.is_empty(), "{}", text(&said));
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroy_in_a_tenant_that_sleeps_fails_unless_nothing_is_to_be_drained() {
    let mut prior = state(&named(&["a"]), &[node("a", true)]);
    let said = delete(&asleep(), &Scripted::new([]), &prior, &memory().read()).await;
    assert!(said.has_errors() && text(&said).contains("enabled = false"), "{}", text(&said));
    prior.set("drain", Value::object([("enabled", Value::from(false))]));
    let said = delete(&asleep(), &Scripted::new([]), &prior, &Memory::default()).await;
    assert!(!said.has_errors() && text(&said).contains("kubectl delete node"), "{}", text(&said));
}

#[tokio::test(start_paused = true)]
async fn a_planned_destroy_announces_the_nodes() {
    let prior = state(&named(&["a", "b"]), &[node("a", true)]);
    let resource = resource(&awake(), &Scripted::new([]));
    let request = PlanRequest { prior, config: Value::Null, private: memory() };
    let plan =
        Plan { planned: Value::Null, requires_replace: Vec::new(), private: memory(), diagnostics: Diagnostics::new() };
    resource.plan(&Context::default(), request, plan).await;
    let tenant = reference::parse("tenants/a").unwrap();
    assert!(resource.shared.is_leaving(&tenant, "a") && !resource.shared.is_leaving(&tenant, "b"));
}

#[rstest::rstest]
#[case("tenants/a/node_names=b,c", None)]
#[case("tenants/a/label_selector=example.com/pool=blue", None)]
#[case("tenants/a", Some("does not say which nodes"))]
#[case("tenants/a/b", Some("does not say which nodes"))]
#[case("tenants/a/join_ids=", Some("does not say which nodes"))]
#[case("a/node_names=b", Some("does not say which nodes"))]
#[case("Tenants/a/node_names=b", Some("does not say which nodes"))]
#[tokio::test]
async fn an_import_names_tenant_and_nodes(#[case] id: &str, #[case] wrong: Option<&str>) {
    let imported = resource(&awake(), &Scripted::new([])).import(&Context::default(), id).await;
    match wrong {
        None => {
            assert_eq!(imported.state.str_at("id"), Some(id));
            assert_eq!(imported.state.str_at("tenant_control_plane_id"), Some("tenants/a"));
        }
        Some(words) => assert!(text(&imported.diagnostics).contains(words), "{}", text(&imported.diagnostics)),
    }
}
