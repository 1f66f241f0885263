use http::Method;
use serde_json::{Value as Json, json};

use super::*;
use crate::management_cluster::scripted::{Scripted, Step, list_of, not_found, on};
use crate::tenant_cluster::tests::{
    CLUSTER_INFO, TOKEN, TOKENS, connect, control_plane, control_plane_with, deleted, management, ready, token_secret,
};

const OURS: &str = "abcdef.plantedplantedpl";
const FAR: &str = "2999-01-02T03:04:05Z";

fn ephemeral(management: &Scripted, tenant: &Scripted) -> EphemeralWorkerJoin {
    EphemeralWorkerJoin::with(Arc::new(Configured::of(management.cluster())), connect(tenant))
}

fn config(edits: &[(&str, Value)]) -> Value {
    let mut config = EPHEMERAL.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    for (name, value) in edits {
        config.set(name, value.clone());
    }
    config
}

async fn open(live: &Json, tenant: &Scripted, edits: &[(&str, Value)]) -> Result<Opened, Diagnostics> {
    let management = Scripted::new(management(live));
    ephemeral(&management, tenant).open(&Context::default(), config(edits)).await
}

fn text(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|diagnostic| format!("{}: {}\n", diagnostic.summary, diagnostic.detail)).collect()
}

fn labelled() -> Json {
    let mut secret = token_secret(OURS, FAR);
    secret["metadata"]["labels"] = json!({"terraform.kamaji.clastix.io/join-id": "j1"});
    secret
}

#[tokio::test(start_paused = true)]
async fn the_user_data_of_a_resource_is_rendered_from_its_token_in_the_tenant() {
    let tenant = Scripted::new([ready(), on(Method::GET, TOKEN).answers(200, &labelled())]);
    let label = Value::object([("example.com/pool", Value::from("a"))]);
    let edits = [("token_id", "abcdef".into()), ("node_labels", label)];
    let opened = open(&control_plane(), &tenant, &edits).await.unwrap();
    let result = opened.result;
    assert!(result.is_wholly_known());
    assert_eq!(result.str_at("token"), Some(OURS));
    assert_eq!(result.str_at("join_id"), Some("j1"));
    assert_eq!(result.str_at("expiration"), Some(FAR));
    assert_eq!(result.str_at("endpoint"), Some("10.0.0.1:6443"));
    let shell = result.str_at("user_data.shell").unwrap();
    assert!(shell.contains(OURS) && shell.contains("example.com/pool=a") && shell.contains("join-id=j1"), "{shell}");
    // Nothing was made, so there is nothing to renew or to close.
    assert!(opened.renew_at.is_none() && opened.private.is_empty() && opened.diagnostics.is_empty());
    assert!(tenant.asked().iter().all(|asked| asked.method == Method::GET));
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_rendered_with_a_warning_and_one_that_is_gone_gives_null() {
    let old =
        Scripted::new([ready(), on(Method::GET, TOKEN).answers(200, &token_secret(OURS, "2001-01-01T00:00:00Z"))]);
    let edits = [("token_id", Value::from("abcdef"))];
    let opened = open(&control_plane(), &old, &edits).await.unwrap();
    assert!(opened.result.get("join_command").is_set() && text(&opened.diagnostics).contains("has expired"));
    let gone =
        Scripted::new([ready(), on(Method::GET, TOKEN).answers(404, &not_found("secrets", "bootstrap-token-abcdef"))]);
    let opened = open(&control_plane(), &gone, &edits).await.unwrap();
    assert!(opened.result.get("token").is_null() && opened.result.get("user_data").is_null());
    assert_eq!(opened.result.str_at("token_id"), Some("abcdef"));
    assert!(opened.result.is_wholly_known());
    assert_eq!((opened.diagnostics.iter().count(), opened.diagnostics.has_errors()), (1, false));
}

/// A tenant that takes a token of any id; what is asked about it afterwards is not in any script, since the id is drawn.
fn takes() -> Vec<Step> {
    let watched = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {},
        "metadata": {"name": "cluster-info", "namespace": "kube-public", "uid": "u", "resourceVersion": "2"}});
    vec![
        ready(),
        on(Method::POST, TOKENS).answers(201, &token_secret(OURS, "")),
        on(Method::GET, CLUSTER_INFO).answers(200, &list_of("1", &[watched])),
        on(Method::GET, CLUSTER_INFO).streams(&[]),
        on(Method::GET, TOKEN).answers(404, &not_found("secrets", "bootstrap-token-abcdef")).always(),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_token_of_ones_own_is_made_for_the_time_given() {
    let tenant = Scripted::new(takes());
    let opened =
        open(&control_plane(), &tenant, &[("ttl", "2m".into()), ("revoke_on_close", true.into())]).await.unwrap();
    let posted = tenant.asked().into_iter().find(|asked| asked.method == Method::POST).unwrap().body;
    let result = opened.result;
    assert!(result.is_wholly_known());
    assert_eq!(posted["stringData"]["token-id"].as_str(), result.str_at("token_id"));
    assert_eq!(posted["stringData"]["expiration"].as_str(), result.str_at("expiration"));
    assert_eq!(posted["metadata"]["labels"]["terraform.kamaji.clastix.io/join-id"].as_str(), result.str_at("join_id"));
    let left = opened.renew_at.unwrap().duration_since(SystemTime::now()).unwrap().as_secs();
    assert!((50..=60).contains(&left), "{left}");
    let secret = result.str_at("token").unwrap().split_once('.').unwrap().1.to_owned();
    let private = String::from_utf8(opened.private.into_bytes()).unwrap();
    assert!(private.contains("revoke_on_close\":true") && !private.contains(&secret), "{private}");
    assert!(!text(&opened.diagnostics).contains(&secret));
}

fn memory(revoke_on_close: bool) -> Private {
    Private::write(&Memory {
        term: Term { tenant: "tenants/a".to_owned(), tenant_uid: "uid-a".to_owned(), ttl_seconds: 120, ends: i64::MAX },
        token_id: "abcdef".to_owned(),
        uid: "uid-abcdef".to_owned(),
        revoke_on_close,
    })
}

#[tokio::test(start_paused = true)]
async fn a_renewal_prolongs_the_token() {
    let tenant = Scripted::new([ready(), on(Method::PATCH, TOKEN).answers(200, &labelled())]);
    let api = Scripted::new(management(&control_plane()));
    let (private, again) = ephemeral(&api, &tenant).renew(&Context::default(), memory(false)).await.unwrap();
    let kept: Memory = private.read();
    assert_eq!((kept.token_id.as_str(), kept.uid.as_str()), ("abcdef", "uid-abcdef"));
    assert!(again.is_some());
    let patch = tenant.asked().into_iter().find(|asked| asked.method == Method::PATCH).unwrap().body;
    assert_eq!(patch["metadata"]["uid"], "uid-abcdef");
    let end: Timestamp = patch["stringData"]["expiration"].as_str().unwrap().parse().unwrap();
    assert!((110..=120).contains(&end.duration_since(Timestamp::now()).as_secs()));
    tenant.finish();
}

#[rstest::rstest]
#[case::ours(Some(labelled()), true)]
#[case::another(Some({ let mut other = labelled(); other["metadata"]["uid"] = json!("other"); other }), false)]
#[case::gone(None, false)]
#[tokio::test(start_paused = true)]
async fn a_close_removes_the_very_token_if_that_is_wanted(#[case] found: Option<Json>, #[case] removed: bool) {
    let look = on(Method::GET, TOKEN);
    let look = match &found {
        Some(found) => look.answers(200, found),
        None => look.answers(404, &not_found("secrets", "bootstrap-token-abcdef")),
    };
    let remove = removed.then(|| on(Method::DELETE, TOKEN).answers(200, &deleted()));
    let tenant = Scripted::new([ready(), look].into_iter().chain(remove));
    let api = Scripted::new(management(&control_plane()));
    assert!(ephemeral(&api, &tenant).close(&Context::default(), memory(true)).await.is_empty());
    tenant.finish();
    let untouched = Scripted::new([]);
    assert!(ephemeral(&api, &untouched).close(&Context::default(), memory(false)).await.is_empty());
    untouched.finish();
}

#[rstest::rstest]
#[case::asleep(control_plane_with("/spec/controlPlane/deployment/replicas", json!(0)), vec![])]
#[case::not_reachable(control_plane(), vec![on(Method::GET, "/readyz").refused().always()])]
#[case::closed(control_plane_with("/spec", json!({"writePermissions": {"blockCreation": true}})), vec![ready()])]
#[tokio::test(start_paused = true)]
async fn a_tenant_that_takes_no_nodes_now_gives_null_and_one_warning(#[case] live: Json, #[case] steps: Vec<Step>) {
    let tenant = Scripted::new(steps);
    let opened = open(&live, &tenant, &[("kubernetes_version", "v1.30.0".into())]).await.unwrap();
    assert!(opened.result.get("user_data").is_null() && opened.result.is_wholly_known());
    assert_eq!(opened.result.str_at("kubernetes_version"), Some("v1.30.0"));
    assert_eq!((opened.diagnostics.iter().count(), opened.diagnostics.has_errors()), (1, false));
    tenant.finish();
}

#[rstest::rstest]
#[case(&[("token_id", "abcdef".into()), ("ttl", "1h".into())], &["ttl"])]
#[case(&[("token_id", "abcdef".into()), ("revoke_on_close", true.into()), ("description", "x".into())], &["revoke_on_close", "description"])]
#[case(&[("ttl", "30s".into())], &["ttl"])]
#[case(&[("include_default_group", false.into())], &["extra_groups"])]
#[case(&[("token_id", Value::Unknown), ("endpoint", "a.example.com:6443".into())], &[])]
#[tokio::test]
async fn mistakes_are_found_offline(#[case] edits: &[(&str, Value)], #[case] at: &[&str]) {
    let found = ephemeral(&Scripted::new([]), &Scripted::new([])).validate(&config(edits));
    let paths: Vec<String> = found.iter().map(|diagnostic| diagnostic.path.to_string()).collect();
    assert_eq!(paths, at, "{found:?}");
}
