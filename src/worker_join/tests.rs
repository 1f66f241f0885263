use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use tfplugin::plan::propose;
use tfplugin::private::Private;
use tfplugin::resource::{Checkpoint, Resource as _};
use tfplugin::{Severity, Value};

use super::*;
use crate::management_cluster::scripted::{Scripted, Step, failure, list_of, not_found, on};
use crate::tenant_cluster::tests::{
    CLUSTER_INFO, CONTROL_PLANE, KUBECONFIG, TOKEN, TOKENS, both, connect, control_plane, control_plane_with, deleted,
    going, management, ready, token_secret,
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
    let mut proposed = config.clone();
    for attribute in OF_THE_TOKEN.iter().chain(&RENDERED) {
        proposed.set(attribute, prior.get(attribute).clone());
    }
    propose(&SCHEMA, prior, config, &proposed).planned
}

fn request(prior: Value, config: Value, private: Private) -> ApplyRequest {
    let planned = planned(&prior, &config);
    ApplyRequest { prior, planned, config, private, checkpoint: Checkpoint::default() }
}

fn memory() -> Private {
    Private::write(&Memory { tenant_uid: "uid-a".to_owned() })
}

/// The state of a join whose token ends in so many seconds.
fn state(seconds: i64) -> Value {
    let end = Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let mut state = config();
    for (attribute, value) in [
        ("id", "tenants/a/abcdef"),
        ("token_id", "abcdef"),
        ("token", OURS),
        ("expiration", &crate::kamaji::bootstrap_token::expiration_text(end)),
        ("endpoint", "10.0.0.1:6443"),
        ("ca_cert_hash", PIN),
        ("kubernetes_version", "v1.32.4"),
    ] {
        state.set(attribute, value.into());
    }
    payload::render(&mut state).unwrap();
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
    assert_eq!(state.str_at("id"), Some(format!("tenants/a/{}", posted["token-id"]).as_str()));
    assert_eq!(state.str_at("expiration"), Some(posted["expiration"].as_str()));
    let left = payload::expiration(&state).unwrap().duration_since(Timestamp::now()).as_secs();
    assert!((86_300..=86_400).contains(&left), "{left}");
    assert_eq!(state.str_at("endpoint"), Some("10.0.0.1:6443"));
    assert_eq!(state.str_at("ca_cert_hash"), Some(PIN));
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
    let mut proposed = config.clone();
    for attribute in OF_THE_TOKEN.iter().chain(&RENDERED) {
        proposed.set(attribute, prior.get(attribute).clone());
    }
    let proposal = propose(&SCHEMA, &prior, &config, &proposed);
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
#[case::not_known("1h".into(), Value::Unknown, false)]
#[tokio::test]
async fn another_time_to_live_needs_a_new_token(#[case] old: Value, #[case] new: Value, #[case] replaces: bool) {
    let (mut prior, mut config) = (state(3_600), config());
    prior.set("ttl", old);
    config.set("ttl", new);
    assert_eq!(plan(prior, config).await.requires_replace.contains(&Path::of("ttl")), replaces);
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
        assert!(changed.state.is_wholly_known() && !changed.diagnostics.has_errors());
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

async fn read(management: &Scripted, tenant: &Scripted, state: Value) -> Diagnostics {
    let request = ReadRequest { state: state.clone(), private: memory() };
    let response = resource(management, tenant).read(&Context::default(), request).await;
    // Whatever was found: nothing that a plan could differ in.
    let mut now = response.state;
    now.set("expiration", state.get("expiration").clone());
    assert_eq!(now, state);
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
async fn a_refresh_says_when_the_ca_is_another() {
    let mut state = state(3_600);
    state.set("ca_cert_hash", format!("sha256:{}", "0".repeat(64)).into());
    let diagnostics = read(&Scripted::new(management(&control_plane())), &Scripted::new([ready()]), state).await;
    assert!(text(&diagnostics).contains("another CA"), "{diagnostics:?}");
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_not_asked_for() {
    let management = Scripted::new([on(Method::GET, CONTROL_PLANE).answers(200, &control_plane())]);
    assert!(read(&management, &Scripted::new([]), state(-1)).await.is_empty());
    management.finish();
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

#[tokio::test]
async fn an_import_is_refused_with_what_to_do() {
    let api = Scripted::new([]);
    let refused = resource(&api, &api).import(&Context::default(), "tenants/a/abcdef").await;
    assert!(refused.diagnostics.has_errors() && text(&refused.diagnostics).contains("without an import"));
}
