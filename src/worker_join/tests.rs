use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use tfplugin::plan::propose;
use tfplugin::private::Private;
use tfplugin::resource::{Checkpoint, Resource as _};
use tfplugin::{Severity, Value};

use super::payload::OF_THE_TOKEN;
use super::*;
use crate::management_cluster::scripted::{Scripted, Step, failure, list_of, not_found, on};
use crate::tenant_cluster::tests::{
    CA, CLUSTER_INFO, CONTROL_PLANE, KUBECONFIG, TOKEN, TOKENS, both, connect, control_plane, control_plane_with,
    deleted, going, management, ready, token_secret,
};

const OURS: &str = "abcdef.plantedplantedpl";
const PIN: &str = "sha256:64a724664886bf3b3ec983421fff608c86227000f1cdc8c3e5fb0eabf95732cf";

fn resource(management: &Scripted, tenant: &Scripted) -> WorkerJoin {
    WorkerJoin { shared: Arc::new(Configured::of(management.cluster())), connect: connect(tenant) }
}

fn config() -> Value {
    let mut config = SCHEMA.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    config
}

fn pool(mut config: Value) -> Value {
    config.set("node_labels", Value::object([("example.com/pool", Value::from("a"))]));
    let taint = [("key", "dedicated"), ("value", "db"), ("effect", "NoSchedule")].map(|(n, v)| (n, Value::from(v)));
    config.set("node_taints", Value::List(vec![Value::object(taint)]));
    config
}

/// What core sends to apply for a change from `prior` to `config`.
fn planned(prior: &Value, config: &Value) -> Value {
    propose(&SCHEMA, prior, config, &proposed(prior, config)).planned
}

/// The configuration, with the prior values of what only the provider gives.
fn proposed(prior: &Value, config: &Value) -> Value {
    let mut proposed = config.clone();
    for attribute in SCHEMA.attributes.iter().filter(|attribute| attribute.is_computed()) {
        if config.get(attribute.name).is_null() {
            proposed.set(attribute.name, prior.get(attribute.name).clone());
        }
    }
    proposed
}

/// What core sends to apply once the resource has planned the change.
fn request(prior: Value, config: Value, private: Private) -> ApplyRequest {
    let mut planned = planned(&prior, &config);
    if prior.is_null() {
        super::plan::hide(&mut planned);
    } else {
        Effects::of(&prior, &planned, &config, &private.read()).mark(&mut planned, &config);
    }
    ApplyRequest { prior, planned, config, private, checkpoint: Checkpoint::default() }
}

fn memory() -> Private {
    let rendered = Rendered { endpoint: "10.0.0.1:6443".to_owned(), pins: vec![PIN.to_owned()] };
    Private::write(&Memory { tenant_uid: "uid-a".to_owned(), own_endpoint: false, rendered: Some(rendered) })
}

/// The state of a join whose token ends in so many seconds.
fn state(seconds: i64) -> Value {
    let end = Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let mut state = config();
    for (attribute, value) in [
        ("id", "tenants/a/j1"),
        ("join_id", "j1"),
        ("status", "valid"),
        ("ca_certificate", CA),
        ("cluster_domain", "cluster.local"),
        ("token_id", "abcdef"),
        ("token", OURS),
        ("expiration", &crate::kamaji::bootstrap_token::expiration_text(end)),
        ("endpoint", "10.0.0.1:6443"),
        ("kubernetes_version", "v1.32.4"),
    ] {
        state.set(attribute, value.into());
    }
    state.set("ca_cert_hashes", Value::strings([PIN]));
    state.set("cluster_dns", Value::strings(["10.96.0.10"]));
    payload::render(&mut state, &OURS.parse().unwrap(), false).unwrap();
    state
}

fn text(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|diagnostic| format!("{}: {}\n", diagnostic.summary, diagnostic.detail)).collect()
}

fn info() -> Step {
    let watched = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {},
        "metadata": {"name": "cluster-info", "namespace": "kube-public", "uid": "u", "resourceVersion": "2"}});
    on(Method::GET, CLUSTER_INFO).answers(200, &list_of("1", &[watched]))
}

/// A tenant that takes any token and never signs.
fn tenant() -> Vec<Step> {
    vec![
        ready(),
        on(Method::POST, TOKENS).answers(201, &token_secret(OURS, "")),
        info(),
        on(Method::GET, CLUSTER_INFO).streams(&[]),
        on(Method::GET, TOKEN).answers(404, &not_found("secrets", "bootstrap-token-abcdef")).always(),
        on(Method::GET, "/api/v1/namespaces/kube-system/configmaps/kubelet-config")
            .answers(404, &not_found("configmaps", "kubelet-config"))
            .always(),
    ]
}

async fn create(management: &Scripted, tenant: &Scripted, config: Value) -> (ApplyResponse, Checkpoint) {
    let request = request(Value::Null, config, Private::default());
    let checkpoint = request.checkpoint.clone();
    (resource(management, tenant).create(&Context::default(), request).await, checkpoint)
}

#[tokio::test(start_paused = true)]
async fn a_create_makes_the_token_that_it_returns() {
    let tenant = Scripted::new(tenant());
    let (made, checkpoint) = create(&Scripted::new(management(&control_plane())), &tenant, config()).await;
    let state = made.state;
    let posted: BTreeMap<String, String> = serde_json::from_value(
        tenant.asked().into_iter().find(|asked| asked.method == Method::POST).unwrap().body["stringData"].clone(),
    )
    .unwrap();
    let token = state.str_at("token").unwrap();
    assert_eq!(token, format!("{}.{}", posted["token-id"], posted["token-secret"]));
    assert_eq!(state.str_at("token_id"), Some(posted["token-id"].as_str()));
    let join_id = state.str_at("join_id").unwrap();
    assert_eq!(state.str_at("id"), Some(format!("tenants/a/{join_id}").as_str()));
    assert_eq!(state.str_at("expiration"), Some(posted["expiration"].as_str()));
    let left = payload::expiration(&state).unwrap().duration_since(Timestamp::now()).as_secs();
    assert!((86_300..=86_400).contains(&left), "{left}");
    assert_eq!(state.str_at("endpoint"), Some("10.0.0.1:6443"));
    assert_eq!(state.get("ca_cert_hashes"), &Value::strings([PIN]));
    assert_eq!(state.get("cluster_dns"), &Value::strings(["10.96.0.10"]));
    assert_eq!(state.str_at("kubernetes_version"), Some("v1.32.4"));
    assert!(state.str_at("join_command").unwrap().contains(token));
    assert!(state.str_at("user_data.shell").unwrap().contains(token));
    assert!(state.is_wholly_known());
    // It was saved before the token was made; the missing signature is worth a warning and no more.
    assert_eq!(checkpoint.last().unwrap().0, state);
    assert!(text(&made.diagnostics).contains("Token not signed yet") && !made.diagnostics.has_errors());
    assert!(!text(&made.diagnostics).contains(token.split_once('.').unwrap().1));
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn labels_and_taints_are_in_the_user_data_and_rule_out_the_command() {
    let (made, _) =
        create(&Scripted::new(management(&control_plane())), &Scripted::new(tenant()), pool(config())).await;
    assert!(made.state.get("join_command").is_null());
    let shell = made.state.str_at("user_data.shell").unwrap();
    assert!(shell.contains("example.com/pool=a") && shell.contains("effect: 'NoSchedule'"), "{shell}");
}

#[tokio::test(start_paused = true)]
async fn a_taken_id_is_drawn_again() {
    let taken = failure(409, "AlreadyExists", "secrets already exists", &json!({}));
    let mut steps = tenant();
    steps.insert(0, on(Method::POST, TOKENS).answers(409, &taken));
    // Whatever id was drawn, it cannot be asked for by a fixed path: the question is answered as not in the script.
    let tenant = Scripted::new(steps);
    let (made, _) = create(&Scripted::new(management(&control_plane())), &tenant, config()).await;
    let posts = tenant.asked().into_iter().filter(|asked| asked.method == Method::POST);
    let secrets: Vec<Json> = posts.map(|asked| asked.body["stringData"]["token-id"].clone()).collect();
    assert_eq!(secrets.len(), 2);
    assert_eq!(Some(&secrets[1]), made.state.str_at("token_id").map(Json::from).as_ref());
    assert_ne!(secrets[0], secrets[1]);
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_making_is_in_doubt_is_kept_so_that_it_is_revoked() {
    let tenant = Scripted::new([ready(), on(Method::POST, TOKENS).reset()]);
    let (made, _) = create(&Scripted::new(management(&control_plane())), &tenant, config()).await;
    assert!(made.diagnostics.has_errors());
    let token = made.state.str_at("token").unwrap();
    assert!(!text(&made.diagnostics).contains(token.split_once('.').unwrap().1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_leaves_nothing_in_the_state() {
    let denied = failure(403, "Forbidden", "secrets is forbidden: User \"x\" cannot create resource", &json!({}));
    let tenant = Scripted::new([ready(), on(Method::POST, TOKENS).answers(403, &denied).always()]);
    let (made, _) = create(&Scripted::new(management(&control_plane())), &tenant, config()).await;
    assert!(made.state.is_null() && made.diagnostics.has_errors());
    // The binding for admin.conf may be late.
    assert!(tenant.asked().iter().filter(|asked| asked.method == Method::POST).count() > 2);
}

#[tokio::test(start_paused = true)]
async fn new_labels_change_the_user_data_and_nothing_else_without_a_request() {
    let api = Scripted::new([]);
    let prior = state(3_600);
    let request = request(prior.clone(), pool(config()), memory());
    assert!(request.planned.get("user_data").is_unknown() && request.planned.get("token") == prior.get("token"));
    let changed = resource(&api, &api).update(&Context::default(), request).await;
    assert!(changed.diagnostics.is_empty(), "{:?}", changed.diagnostics);
    assert!(changed.state.str_at("user_data.shell").unwrap().contains("example.com/pool=a"));
    for attribute in OF_THE_TOKEN {
        assert_eq!(changed.state.get(attribute), prior.get(attribute));
    }
    api.finish();
}

async fn plan(prior: Value, config: Value) -> Plan {
    plan_with(&Scripted::new(management(&control_plane())), prior, config).await
}

async fn plan_with(management: &Scripted, prior: Value, config: Value) -> Plan {
    let proposal = propose(&SCHEMA, &prior, &config, &proposed(&prior, &config));
    let plan = Plan {
        planned: proposal.planned,
        requires_replace: proposal.replaced.into_iter().map(|(path, _)| path).collect(),
        private: memory(),
        diagnostics: Diagnostics::new(),
    };
    let request = PlanRequest { prior, config, private: memory() };
    resource(management, &Scripted::new([])).plan(&Context::default(), request, plan).await
}

#[rstest::rstest]
#[case::same(Value::Null, Value::Null, false)]
#[case::the_default_written_out(Value::Null, "24h".into(), false)]
#[case::another_spelling("24h".into(), "1440m".into(), false)]
#[case::from_the_default(Value::Null, "1h".into(), true)]
#[case::to_the_default("1h".into(), Value::Null, true)]
#[case::another("1h".into(), "2h".into(), true)]
#[case::not_known("1h".into(), Value::Unknown, true)]
#[tokio::test]
async fn another_time_to_live_keeps_the_token(#[case] old: Value, #[case] new: Value, #[case] prolongs: bool) {
    let (mut prior, mut config) = (state(3_600), config());
    prior.set("ttl", old);
    config.set("ttl", new);
    let plan = plan(prior.clone(), config).await;
    assert_eq!(plan.planned.get("expiration").is_unknown(), prolongs);
    for attribute in ["token_id", "token", "user_data", "join_command"] {
        assert_eq!(plan.planned.get(attribute), prior.get(attribute));
    }
    assert!(plan.requires_replace.is_empty());
}

#[tokio::test]
async fn an_expired_token_is_no_difference() {
    let plan = plan(state(-3_600), config()).await;
    assert_eq!(plan.planned.get("token"), state(0).get("token"));
    assert!(plan.requires_replace.is_empty() && plan.planned.is_wholly_known());
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_made_anew_gets_a_new_token_and_the_same_one_keeps_it() {
    let (prior, mut unknown) = (state(3_600), config());
    unknown.set("tenant_control_plane_id", Value::Unknown);
    let mut planned = plan(prior.clone(), unknown).await.planned;
    assert!(planned.get("token").is_unknown() && planned.get("user_data").is_unknown());
    planned.set("tenant_control_plane_id", "tenants/a".into());
    for (uid, same) in [("uid-a", true), ("uid-new", false)] {
        let management = Scripted::new(management(&control_plane_with("/metadata/uid", json!(uid))));
        let tenant = if same { Scripted::new([]) } else { Scripted::new(tenant()) };
        let request = ApplyRequest {
            prior: prior.clone(),
            planned: planned.clone(),
            config: config(),
            private: memory(),
            checkpoint: Checkpoint::default(),
        };
        let changed = resource(&management, &tenant).update(&Context::default(), request).await;
        assert_eq!(changed.state.get("token") == prior.get("token"), same);
        assert!(
            changed.state.is_wholly_known() && !changed.diagnostics.has_errors(),
            "{same} {:?}",
            changed.diagnostics
        );
        assert_eq!(changed.private.read::<Memory>().tenant_uid, uid);
    }
}

#[rstest::rstest]
#[case::the_same(on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()), false)]
#[case::another(on(Method::GET, CONTROL_PLANE).answers(200, &control_plane_with("/metadata/uid", json!("uid-b"))), true)]
#[case::gone(on(Method::GET, CONTROL_PLANE).answers(404, &not_found("tenantcontrolplanes", "a")), false)]
#[case::unreachable(on(Method::GET, CONTROL_PLANE).refused(), false)]
#[tokio::test(start_paused = true)]
async fn a_plan_makes_a_new_token_only_for_a_control_plane_that_is_another(#[case] answer: Step, #[case] anew: bool) {
    let prior = state(3_600);
    let plan = plan_with(&Scripted::new([answer]), prior.clone(), config()).await;
    assert_eq!(plan.planned.get("token").is_unknown(), anew);
    assert_eq!(plan.planned == prior, !anew);
    assert!(plan.requires_replace.is_empty() && plan.diagnostics.is_empty());
}

async fn refreshed(management: &Scripted, tenant: &Scripted, state: Value) -> ReadResponse {
    let request = ReadRequest { state, private: memory() };
    resource(management, tenant).read(&Context::default(), request).await
}

async fn read(management: &Scripted, tenant: &Scripted, state: Value) -> Diagnostics {
    let response = refreshed(management, tenant, state.clone()).await;
    // Whatever was found: nothing that a plan with the default policy differs in.
    let request = PlanRequest { prior: response.state.clone(), config: config(), private: memory() };
    let planned = proposed(&response.state, &config());
    let plan = Plan { planned, requires_replace: vec![], private: memory(), diagnostics: Diagnostics::new() };
    let planned = resource(management, tenant).plan(&Context::default(), request, plan).await.planned;
    assert!(planned == response.state || planned.get("token").is_unknown());
    for attribute in ["token", "user_data", "join_command"] {
        assert_eq!(response.state.get(attribute), state.get(attribute));
    }
    assert!(!text(&response.diagnostics).contains("planted"));
    response.diagnostics
}

#[rstest::rstest]
#[case::missing(404, not_found("tenantcontrolplanes", "a"), "does not exist any more")]
#[case::another(200, control_plane_with("/metadata/uid", json!("uid-b")), "")]
#[case::asleep(200, control_plane_with("/spec/controlPlane/deployment/replicas", json!(0)), "")]
#[case::unprovisioned(200, control_plane_with("/status", json!(null)), "")]
#[tokio::test(start_paused = true)]
async fn a_refresh_keeps_the_state_without_a_tenant(#[case] status: u16, #[case] body: Json, #[case] words: &str) {
    let management = Scripted::new([on(Method::GET, CONTROL_PLANE).answers(status, &body).always()]);
    let diagnostics = read(&management, &Scripted::new([]), state(3_600)).await;
    assert_eq!(diagnostics.is_empty(), words.is_empty(), "{diagnostics:?}");
    assert!(text(&diagnostics).contains(words) && !diagnostics.has_errors());
}

#[rstest::rstest]
#[case::there(on(Method::GET, TOKEN).answers(200, &token_secret(OURS, "2027-01-01T00:00:00Z")), "")]
#[case::revoked(on(Method::GET, TOKEN).answers(404, &not_found("secrets", "bootstrap-token-abcdef")), "was removed")]
#[case::refused(on(Method::GET, TOKEN).answers(403, &failure(403, "Forbidden", "no", &json!({}))), "")]
#[case::broken(on(Method::GET, TOKEN).reset(), "")]
#[tokio::test(start_paused = true)]
async fn a_refresh_says_when_a_valid_token_was_removed(#[case] answer: Step, #[case] words: &str) {
    let tenant = Scripted::new([ready(), answer]);
    let diagnostics = read(&Scripted::new(management(&control_plane())), &tenant, state(3_600)).await;
    assert_eq!(diagnostics.is_empty(), words.is_empty(), "{diagnostics:?}");
    assert!(text(&diagnostics).contains(words));
}

#[tokio::test(start_paused = true)]
async fn another_ca_is_said_and_rendered_anew() {
    let mut prior = state(3_600);
    prior.set("ca_cert_hashes", Value::strings([format!("sha256:{}", "0".repeat(64))]));
    let found = on(Method::GET, TOKEN).answers(200, &token_secret(OURS, "2030-01-01T00:00:00Z"));
    let management = Scripted::new(management(&control_plane()));
    let response = refreshed(&management, &Scripted::new([ready(), found]), prior).await;
    assert!(text(&response.diagnostics).contains("another CA"), "{:?}", response.diagnostics);
    let rendered = Rendered { endpoint: "10.0.0.1:6443".to_owned(), pins: vec!["sha256:old".to_owned()] };
    let memory = Memory { rendered: Some(rendered), ..memory().read() };
    let effects = Effects::of(&response.state, &response.state, &config(), &memory);
    assert_eq!(effects, Effects { renders: true, ..Effects::default() });
}

#[rstest::rstest]
#[case::expired_and_cleaned(-1, None, "expired")]
#[case::revoked(3_600, None, "revoked")]
#[case::stolen_id(3_600, Some("abcdef.0123456789abcdef"), "revoked")]
#[case::there(3_600, Some(OURS), "valid")]
#[tokio::test(start_paused = true)]
async fn a_refresh_notes_what_became_of_the_token(
    #[case] left: i64,
    #[case] there: Option<&str>,
    #[case] status: &str,
) {
    let answer = match there {
        Some(token) => on(Method::GET, TOKEN).answers(200, &token_secret(token, "2030-01-01T00:00:00Z")),
        None => on(Method::GET, TOKEN).answers(404, &not_found("secrets", "bootstrap-token-abcdef")),
    };
    let management = Scripted::new(management(&control_plane()));
    let response = refreshed(&management, &Scripted::new([ready(), answer]), state(left)).await;
    assert_eq!(response.state.str_at("status"), Some(status));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_while_the_tenant_sleeps_is_one_warning_and_no_plan() {
    let asleep = control_plane_with("/spec/controlPlane/deployment/replicas", json!(0));
    let management = Scripted::new([on(Method::GET, CONTROL_PLANE).answers(200, &asleep).always()]);
    let mut due = state(-1);
    due.set("renewal_policy", "extend".into());
    let join = resource(&management, &Scripted::new([]));
    for warnings in [1, 0] {
        let request = ReadRequest { state: due.clone(), private: memory() };
        let response = join.read(&Context::default(), request).await;
        assert_eq!(response.state, due);
        assert_eq!(response.diagnostics.iter().count(), warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_prolonged_token_is_shown_with_its_new_end() {
    let tenant =
        Scripted::new([ready(), on(Method::GET, TOKEN).answers(200, &token_secret(OURS, "2030-01-01T00:00:00Z"))]);
    let resource = resource(&Scripted::new(management(&control_plane())), &tenant);
    let request = ReadRequest { state: state(3_600), private: memory() };
    let response = resource.read(&Context::default(), request).await;
    assert_eq!(response.state.str_at("expiration"), Some("2030-01-01T00:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn a_management_cluster_that_refuses_is_an_error_that_keeps_the_state() {
    let denied = failure(403, "Forbidden", "no", &json!({}));
    let management = Scripted::new([on(Method::GET, CONTROL_PLANE).answers(403, &denied)]);
    assert!(read(&management, &Scripted::new([]), state(3_600)).await.has_errors());
}

async fn delete(management: &Scripted, tenant: &Scripted, prior: Value, private: Private) -> Diagnostics {
    resource(management, tenant).delete(&Context::default(), DeleteRequest { prior, private }).await
}

#[tokio::test(start_paused = true)]
async fn a_destroy_revokes_the_token() {
    let tenant = Scripted::new([
        ready(),
        on(Method::GET, TOKENS).answers(200, &list_of("1", &[])),
        on(Method::GET, TOKEN).answers(200, &token_secret(OURS, "")),
        on(Method::DELETE, TOKEN).answers(200, &deleted()),
    ]);
    // Tainted objects have no private state.
    let management = Scripted::new(management(&control_plane()));
    assert!(delete(&management, &tenant, state(3_600), Private::default()).await.is_empty());
    tenant.finish();
}

#[rstest::rstest]
#[case::gone(404, not_found("tenantcontrolplanes", "a"))]
#[case::going(200, going(control_plane_with("/status", json!(null))))]
#[case::another(200, control_plane_with("/metadata/uid", json!("uid-b")))]
#[tokio::test(start_paused = true)]
async fn a_token_dies_with_its_tenant(#[case] status: u16, #[case] body: Json) {
    let management = Scripted::new([
        on(Method::GET, CONTROL_PLANE).answers(status, &body),
        on(Method::GET, KUBECONFIG).answers(200, &both()).always(),
    ]);
    assert!(delete(&management, &Scripted::new([ready()]), state(3_600), memory()).await.is_empty());
}

#[rstest::rstest]
#[case::valid_asleep(3_600, true, Severity::Error)]
#[case::valid_unreachable(3_600, false, Severity::Error)]
#[case::expired_asleep(-1, true, Severity::Warning)]
#[case::expired_unreachable(-1, false, Severity::Warning)]
#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_revoked_is_an_error_until_it_has_expired(
    #[case] seconds: i64,
    #[case] asleep: bool,
    #[case] severity: Severity,
) {
    let replicas = json!(i64::from(!asleep));
    let management = Scripted::new(management(&control_plane_with("/spec/controlPlane/deployment/replicas", replicas)));
    let tenant = Scripted::new([on(Method::GET, "/readyz").refused().always()]);
    let diagnostics = delete(&management, &tenant, state(seconds), memory()).await;
    let found: Vec<Severity> = diagnostics.iter().map(|diagnostic| diagnostic.severity).collect();
    assert_eq!(found, [severity], "{diagnostics:?}");
    assert!(!text(&diagnostics).contains("planted") && text(&diagnostics).contains("abcdef"));
}

#[tokio::test(start_paused = true)]
async fn a_destroy_revokes_by_the_label_what_the_state_does_not_hold() {
    let mut labelled = token_secret("zzzzzz.plantedplantedpl", "");
    labelled["metadata"]["labels"] = json!({"terraform.kamaji.clastix.io/join-id": "j1"});
    let tenant = Scripted::new([
        ready(),
        on(Method::GET, TOKENS).answers(200, &list_of("1", &[labelled])),
        on(Method::DELETE, "/api/v1/namespaces/kube-system/secrets/bootstrap-token-zzzzzz").answers(200, &deleted()),
    ]);
    let mut prior = state(3_600);
    prior.set("token", Value::Null);
    let management = Scripted::new(management(&control_plane()));
    assert!(delete(&management, &tenant, prior, memory()).await.is_empty());
    tenant.finish();
}

async fn update(tenant: &Scripted, prior: Value, config: Value) -> ApplyResponse {
    let management = Scripted::new(management(&control_plane()));
    resource(&management, tenant).update(&Context::default(), request(prior, config, memory())).await
}

fn with(mut value: Value, attribute: &str, new: impl Into<Value>) -> Value {
    value.set(attribute, new.into());
    value
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_extended_with_the_same_user_data() {
    let prior = with(with(state(-60), "renewal_policy", "extend"), "status", "expired");
    let tenant = Scripted::new([
        ready(),
        on(Method::GET, TOKEN).answers(404, &not_found("secrets", "bootstrap-token-abcdef")),
        on(Method::POST, TOKENS).answers(201, &token_secret(OURS, "")),
    ]);
    let changed = update(&tenant, prior.clone(), with(config(), "renewal_policy", "extend")).await;
    assert!(changed.diagnostics.is_empty(), "{:?}", changed.diagnostics);
    for attribute in ["token", "user_data", "join_command", "join_id"] {
        assert_eq!(changed.state.get(attribute), prior.get(attribute));
    }
    assert_eq!(changed.state.str_at("status"), Some("valid"));
    assert!(payload::expiration(&changed.state) > payload::expiration(&prior));
    let posted = &tenant.asked()[2].body;
    assert_eq!(posted["stringData"]["token-secret"], "plantedplantedpl");
    assert_eq!(posted["metadata"]["labels"]["terraform.kamaji.clastix.io/join-id"], "j1");
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_lives_is_prolonged_in_place() {
    let prior = with(with(state(60), "renewal_policy", "extend"), "status", "renewal_due");
    let tenant = Scripted::new([
        ready(),
        on(Method::GET, TOKEN).answers(200, &token_secret(OURS, "2026-01-01T00:00:00Z")),
        on(Method::PATCH, TOKEN).answers(200, &token_secret(OURS, "")),
    ]);
    let changed = update(&tenant, prior, with(config(), "renewal_policy", "extend")).await;
    assert!(changed.diagnostics.is_empty(), "{:?}", changed.diagnostics);
    let patched = &tenant.asked()[2].body;
    assert_eq!(patched["metadata"]["uid"], "uid-abcdef");
    assert_eq!(patched["stringData"]["expiration"].as_str(), changed.state.str_at("expiration"));
    tenant.finish();
}

#[rstest::rstest]
#[case::never("never", "revoked", None)]
#[case::never_expired("never", "expired", None)]
#[case::extend("extend", "revoked", Some("removed from the tenant"))]
#[case::rotate("rotate", "revoked", Some("removed from the tenant"))]
#[case::rotated("rotate", "renewal_due", Some("rotate"))]
#[case::extended("extend", "expired", None)]
fn a_policy_says_when_there_is_a_new_token(#[case] policy: &str, #[case] status: &str, #[case] why: Option<&str>) {
    let prior = with(with(state(3_600), "renewal_policy", policy), "status", status);
    let config = with(config(), "renewal_policy", policy);
    let effects = Effects::of(&prior, &proposed(&prior, &config), &config, &memory().read());
    assert_eq!(effects.new_token.is_some(), why.is_some());
    assert!(effects.new_token.unwrap_or_default().contains(why.unwrap_or_default()));
    assert_eq!(effects.prolongs, policy == "extend" && status == "expired");
}

#[rstest::rstest]
#[case("keepers", Value::object([("a", Value::from("b"))]), true, true)]
#[case("store_secret", false.into(), true, false)]
#[case("description", "x".into(), false, false)]
#[case("renewal_policy", "extend".into(), false, false)]
#[case("kubernetes_version", "v1.31.0".into(), false, true)]
#[case("pre_commands", Value::strings(["true"]), false, true)]
#[tokio::test(start_paused = true)]
async fn a_change_costs_what_it_has_to(
    #[case] attribute: &str,
    #[case] value: Value,
    #[case] new_token: bool,
    #[case] renders: bool,
) {
    let plan = plan(state(3_600), with(config(), attribute, value)).await;
    assert_eq!(plan.planned.get("token_id").is_unknown(), new_token);
    assert_eq!(plan.planned.get("user_data").is_unknown(), renders);
    assert!(plan.requires_replace.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_tenant_and_newer_templates_change_nothing() {
    let mut prior = state(3_600);
    prior.set("template_version", 0.into());
    prior.set("user_data.shell", "as an older release rendered it".into());
    let newer = control_plane_with("/status/kubernetesResources/version/version", json!("v1.33.0"));
    let management = Scripted::new(management(&newer));
    let found = on(Method::GET, TOKEN).answers(200, &token_secret(OURS, prior.str_at("expiration").unwrap()));
    let response = refreshed(&management, &Scripted::new([ready(), found]), prior.clone()).await;
    assert_eq!(response.state, prior);
    assert_eq!(plan(response.state, config()).await.planned, prior);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_not_to_be_stored_is_nowhere() {
    let mut steps = tenant();
    steps.push(on(Method::GET, TOKENS).answers(200, &list_of("1", &[])).always());
    for (config, own) in [
        (with(config(), "store_secret", false), None),
        (with(with(config(), "token_wo", OURS), "token_wo_version", 1), Some("abcdef")),
    ] {
        let tenant = Scripted::new(steps.clone());
        let (made, checkpoint) = create(&Scripted::new(management(&control_plane())), &tenant, config.clone()).await;
        assert!(!made.diagnostics.has_errors(), "{:?}", made.diagnostics);
        let asked = tenant.asked();
        let posted = asked.iter().find(|asked| asked.method == Method::POST).unwrap();
        let secret = posted.body["stringData"]["token-secret"].as_str().unwrap();
        let everything = format!("{:?} {:?} {:?}", made.state, checkpoint.last(), made.private);
        assert!(!everything.contains(secret));
        assert!(made.state.get("user_data").is_null() && made.state.get("token").is_null());
        assert!(own.is_none() || made.state.str_at("token_id") == own);
        // And the plan said so.
        let planned = request(Value::Null, config, Private::default()).planned;
        assert!(planned.get("user_data").is_null() && planned.get("token").is_null());
        assert!(planned.get("token_id").is_unknown());
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_of_ones_own_is_in_a_file_and_is_forgotten_with_its_attribute() {
    let own = with(config(), "endpoint", "api.example.com:443");
    let (made, _) = create(&Scripted::new(management(&control_plane())), &Scripted::new(tenant()), own).await;
    assert!(made.state.str_at("join_configuration").unwrap().contains("kubeConfigPath"));
    assert!(made.state.str_at("discovery_kubeconfig").unwrap().contains("https://api.example.com:443"));
    let mut memory: Memory = made.private.read();
    assert!(memory.own_endpoint);
    let planned = proposed(&made.state, &config());
    let effects = Effects::of(&made.state, &planned, &config(), &memory);
    assert!(effects.forgets_endpoint && effects.renders && effects.new_token.is_none());
    memory.own_endpoint = false;
    assert!(!Effects::of(&made.state, &planned, &config(), &memory).forgets_endpoint);
}

#[tokio::test]
async fn an_import_is_refused_with_what_to_do() {
    let api = Scripted::new([]);
    let refused = resource(&api, &api).import(&Context::default(), "tenants/a/abcdef").await;
    assert!(refused.diagnostics.has_errors() && text(&refused.diagnostics).contains("without an import"));
}
