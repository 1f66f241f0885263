use std::time::Duration;

use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::Value;

use super::*;
use crate::management_cluster::scripted::{Scripted, Step, failure, list_of, not_found, on};
use crate::tenant_cluster::tests::{
    CONTROL_PLANE, TOKENS, connect, control_plane, control_plane_with, management, ready, token_secret,
};

const PUBLIC: &str = "abcdef.0123456789abcdef";

async fn read(
    management: &Scripted,
    tenant: &Scripted,
    timeout: Option<&str>,
) -> Result<(Value, Diagnostics), Diagnostics> {
    let shared = Arc::new(Configured::of(management.cluster()));
    let mut config = SCHEMA.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    config.set("timeout", timeout.into());
    let tokens = BootstrapTokens { inquiry: Inquiry::with(shared, connect(tenant)) };
    tokens.read(&Context::default(), config).await
}

fn summaries(diagnostics: &Diagnostics) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect()
}

fn with(mut secret: Json, key: &str, text: &str) -> Json {
    use base64::Engine as _;
    secret["data"][key] = json!(base64::engine::general_purpose::STANDARD.encode(text));
    secret
}

fn lists(tokens: &[Json]) -> [Step; 2] {
    [ready(), on(Method::GET, TOKENS).answers(200, &list_of("1", tokens))]
}

#[tokio::test(start_paused = true)]
async fn tokens_are_listed_by_id_without_their_secrets() {
    let mut ours = with(token_secret("zzzzzz.plantedplantedpl", "2999-01-02T03:04:05Z"), "description", "a pool");
    ours = with(ours, "usage-bootstrap-authentication", "true");
    ours = with(ours, "auth-extra-groups", "system:bootstrappers:a,system:bootstrappers:b");
    ours["metadata"]["labels"] = json!({"terraform.kamaji.clastix.io/join-id": "j1"});
    let old = token_secret("aaaaaa.plantedplantedpl", "2001-01-02T03:04:05Z");
    let mut broken = token_secret("bbbbbb.plantedplantedpl", "");
    broken["data"]["token-id"] = json!("x");
    let other = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "another"}});
    let tenant = Scripted::new(lists(&[ours, old, broken, other]));
    let (state, said) = read(&Scripted::new(management(&control_plane())), &tenant, None).await.unwrap();
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(state.get("reachable").as_bool(), Some(true));
    let tokens = state.get("tokens").as_list().unwrap();
    assert_eq!(tokens.len(), 3);
    assert_eq!((tokens[0].str_at("id"), tokens[0].get("expired").as_bool()), (Some("aaaaaa"), Some(true)));
    assert!(tokens[1].get("id").is_null());
    assert_eq!(tokens[1].str_at("secret_name"), Some("bootstrap-token-bbbbbb"));
    assert!(tokens[1].str_at("problem").unwrap().contains("token-id"), "{tokens:?}");
    let shown = &tokens[2];
    assert_eq!(shown.str_at("id"), Some("zzzzzz"));
    assert_eq!(shown.str_at("description"), Some("a pool"));
    assert_eq!(shown.str_at("expiration"), Some("2999-01-02T03:04:05Z"));
    assert_eq!(shown.str_at("join_id"), Some("j1"));
    assert_eq!(shown.get("usages"), &Value::strings(["authentication"]));
    assert_eq!(shown.get("groups"), &Value::strings(["system:bootstrappers:a", "system:bootstrappers:b"]));
    assert_eq!(shown.get("expired").as_bool(), Some(false));
    assert!(!format!("{state:?}").contains("planted"));
    tenant.finish();
}

#[rstest::rstest]
#[case::valid("2999-01-02T03:04:05Z", &["Publicly known token is valid"])]
#[case::over("2001-01-02T03:04:05Z", &[])]
#[tokio::test(start_paused = true)]
async fn a_token_that_everybody_knows_is_worth_a_warning(#[case] end: &str, #[case] said: &[&str]) {
    let tenant = Scripted::new(lists(&[token_secret(PUBLIC, end)]));
    let (state, found) = read(&Scripted::new(management(&control_plane())), &tenant, None).await.unwrap();
    assert_eq!(summaries(&found), said);
    assert_eq!(state.get("tokens").as_list().unwrap()[0].get("public").as_bool(), Some(true));
    tenant.finish();
}

#[rstest::rstest]
#[case::asleep(control_plane_with("/spec/controlPlane/deployment/replicas", json!(0)), 0)]
#[case::not_reachable(control_plane(), 4)]
#[tokio::test(start_paused = true)]
async fn a_tenant_that_does_not_answer_gives_null_and_one_warning(#[case] live: Json, #[case] seconds: u64) {
    let tenant = Scripted::new([on(Method::GET, "/readyz").refused().always()]);
    let begin = tokio::time::Instant::now();
    let (state, said) = read(&Scripted::new(management(&live)), &tenant, Some("4s")).await.unwrap();
    assert_eq!(summaries(&said), ["Tenant does not answer"]);
    assert_eq!(state.get("reachable").as_bool(), Some(false));
    assert!(state.get("tokens").is_null());
    let took = begin.elapsed();
    assert!(took <= Duration::from_secs(seconds) && took + Duration::from_secs(1) >= Duration::from_secs(seconds));
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_starts_is_waited_for() {
    let tenant = Scripted::new([
        on(Method::GET, "/readyz").refused(),
        on(Method::GET, "/readyz").answers_text(200, "ok"),
        on(Method::GET, TOKENS).answers(200, &list_of("1", &[])),
    ]);
    let (state, said) = read(&Scripted::new(management(&control_plane())), &tenant, None).await.unwrap();
    assert!(said.is_empty());
    assert_eq!(state.get("tokens"), &Value::List(Vec::new()));
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_an_error() {
    let denied = failure(403, "Forbidden", "secrets is forbidden", &json!({}));
    let tenant = Scripted::new([ready(), on(Method::GET, TOKENS).answers(403, &denied)]);
    let error = read(&Scripted::new(management(&control_plane())), &tenant, None).await.unwrap_err();
    assert_eq!(summaries(&error), ["Refused by the tenant's API"]);
    let gone = Scripted::new([on(Method::GET, CONTROL_PLANE).answers(404, &not_found("tenantcontrolplanes", "a"))]);
    let error = read(&gone, &Scripted::new([]), None).await.unwrap_err();
    assert_eq!(summaries(&error), ["Tenant control plane does not exist"]);
}
