use std::sync::Arc;

use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::ephemeral::EphemeralResource as _;

use super::super::schema::{EPHEMERAL, RESULTS};
use super::*;
use crate::configured::Configured;
use crate::management_cluster::scripted::{Scripted, Step, failure, list_of, not_found, on};
use crate::tenant_cluster::minted::{LABEL, Names};
use crate::tenant_cluster::tests::{TOKENS, connect, control_plane, control_plane_with, deleted, management, ready};

const ACCOUNTS: &str = "/api/v1/namespaces/kube-system/serviceaccounts";
const ACCOUNT: &str = "/api/v1/namespaces/kube-system/serviceaccounts/terraform-x1";
const LEASE: &str = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-lease0";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/terraform-x1";
const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin";

fn kubeconfig(management: &Scripted, tenant: &Scripted) -> Kubeconfig {
    Kubeconfig {
        shared: Arc::new(Configured::of(management.cluster())),
        connect: connect(tenant),
        names: || Ok(Names::of("x1", "lease0.plantedplantedpl")),
    }
}

fn config(ttl: Option<&str>) -> Value {
    let mut config = EPHEMERAL.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    config.set("minted", Value::object([("ttl", Value::from(ttl)), ("cluster_role", Value::Null)]));
    config
}

fn object(uid: &str) -> Json {
    json!({"metadata": {"name": "any", "uid": uid}})
}

fn posts() -> Vec<Step> {
    vec![
        ready(),
        on(Method::GET, ROLE).answers(200, &object("r")),
        on(Method::POST, TOKENS).answers(201, &object("uid-lease")),
        on(Method::POST, ACCOUNTS).answers(201, &object("uid-account")),
    ]
}

/// A tenant that makes what is wanted.
fn makes() -> Vec<Step> {
    let token = json!({"kind": "TokenRequest", "status": {"token": "planted-token", "expirationTimestamp": "x"}});
    let more = [
        on(Method::POST, BINDINGS).answers(201, &object("uid-binding")),
        on(Method::POST, &format!("{ACCOUNT}/token")).answers(201, &token),
        on(Method::GET, BINDINGS).answers(200, &list_of("1", &[])),
    ];
    posts().into_iter().chain(more).collect()
}

fn removals() -> [Step; 3] {
    [BINDING, LEASE, ACCOUNT].map(|path| on(Method::DELETE, path).answers(200, &deleted()))
}

fn text(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|diagnostic| format!("{}: {}\n", diagnostic.summary, diagnostic.detail)).collect()
}

fn seconds_until(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::now()).unwrap_or_default().as_secs()
}

fn memory() -> Private {
    let minted = Minted {
        id: "x1".to_owned(),
        lease: "bootstrap-token-lease0".to_owned(),
        lease_uid: "uid-lease".to_owned(),
        account_uid: "uid-account".to_owned(),
        binding_uid: "uid-binding".to_owned(),
    };
    let term =
        Term { tenant: "tenants/a".to_owned(), tenant_uid: "uid-a".to_owned(), ttl_seconds: 120, ends: i64::MAX };
    Private::write(&Memory { term, minted })
}

#[tokio::test(start_paused = true)]
async fn a_credential_is_a_token_that_is_bound_to_a_lease() {
    let tenant = Scripted::new(makes());
    let kubeconfig = kubeconfig(&Scripted::new(management(&control_plane())), &tenant);
    let opened = kubeconfig.open(&Context::default(), config(Some("2m"))).await.unwrap();
    assert_eq!(opened.result.str_at("token"), Some("planted-token"));
    assert_eq!(opened.result.str_at("host"), Some("https://10.0.0.1:6443"));
    assert!(opened.result.get("cluster_ca_certificate").is_set());
    assert!(opened.result.get("client_certificate").is_null() && opened.result.get("client_key").is_null());
    let yaml = opened.result.str_at("kubeconfig").unwrap();
    assert!(yaml.contains("planted-token") && yaml.contains("terraform-x1") && !yaml.contains("client-key"), "{yaml}");
    assert!((50..=60).contains(&seconds_until(opened.renew_at.unwrap())));
    let private: Memory = opened.private.read();
    assert_eq!(private.minted, memory().read::<Memory>().minted);
    assert!(!String::from_utf8(opened.private.into_bytes()).unwrap().contains("planted"));

    let posted: Vec<Json> =
        tenant.asked().into_iter().filter(|asked| asked.method == Method::POST).map(|asked| asked.body).collect();
    let [lease, account, binding, token] = posted.as_slice() else { panic!("{posted:#?}") };
    assert_eq!(lease["type"], "bootstrap.kubernetes.io/token");
    assert!(lease["stringData"].as_object().unwrap().keys().all(|key| !key.starts_with("usage-")), "{lease}");
    let end: Timestamp = lease["stringData"]["expiration"].as_str().unwrap().parse().unwrap();
    assert!((110..=120).contains(&end.duration_since(Timestamp::now()).as_secs()));
    assert_eq!(account["metadata"]["ownerReferences"][0]["uid"], "uid-lease");
    assert_eq!(binding["roleRef"]["name"], "cluster-admin");
    assert_eq!(binding["subjects"][0]["name"], account["metadata"]["name"]);
    assert_eq!(token["spec"]["boundObjectRef"]["uid"], "uid-lease");
    tenant.finish();
}

/// In a new tenant `edit` has no rules until the controller manager has aggregated it.
#[tokio::test(start_paused = true)]
async fn a_role_that_is_not_aggregated_yet_is_waited_for() {
    let role = |rules: Json| json!({"metadata": {"name": "edit"}, "aggregationRule": {}, "rules": rules});
    let steps = makes().into_iter().enumerate().flat_map(|(index, step)| {
        let early = [Json::Null, json!([]), json!([{"verbs": ["get"]}])];
        match index {
            1 => early.map(|rules| on(Method::GET, ROLE).answers(200, &role(rules))).into(),
            _ => vec![step],
        }
    });
    let tenant = Scripted::new(steps);
    let kubeconfig = kubeconfig(&Scripted::new(management(&control_plane())), &tenant);
    let opened = kubeconfig.open(&Context::default(), config(None)).await.unwrap();
    assert_eq!(opened.result.str_at("token"), Some("planted-token"));
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_moves_the_end_of_the_lease() {
    let tenant = Scripted::new([
        on(Method::GET, "/readyz").answers_text(200, "ok"),
        on(Method::PATCH, LEASE).answers(200, &object("uid-lease")),
    ]);
    let kubeconfig = kubeconfig(&Scripted::new(management(&control_plane())), &tenant);
    let (private, again) = kubeconfig.renew(&Context::default(), memory()).await.unwrap();
    assert_eq!(private.read::<Memory>().minted, memory().read::<Memory>().minted);
    assert!((50..=60).contains(&seconds_until(again.unwrap())));
    let patch = tenant.asked().into_iter().find(|asked| asked.method == Method::PATCH).unwrap().body;
    assert_eq!(patch["metadata"]["uid"], "uid-lease");
    let end: Timestamp = patch["stringData"]["expiration"].as_str().unwrap().parse().unwrap();
    assert!((110..=120).contains(&end.duration_since(Timestamp::now()).as_secs()));
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_somebody_revoked_is_not_renewed() {
    let gone = on(Method::PATCH, LEASE).answers(404, &not_found("secrets", "bootstrap-token-lease0"));
    let kubeconfig = kubeconfig(&Scripted::new(management(&control_plane())), &Scripted::new([ready(), gone]));
    let error = text(&kubeconfig.renew(&Context::default(), memory()).await.unwrap_err());
    assert!(error.contains("Somebody has removed it") && error.contains("401"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_close_takes_the_rights_and_removes_what_was_made() {
    let tenant = Scripted::new([ready()].into_iter().chain(removals()));
    let kubeconfig = kubeconfig(&Scripted::new(management(&control_plane())), &tenant);
    assert!(kubeconfig.close(&Context::default(), memory()).await.is_empty());
    let uids: Vec<Json> = tenant
        .asked()
        .into_iter()
        .filter(|asked| asked.method == Method::DELETE)
        .map(|asked| asked.body["preconditions"]["uid"].clone())
        .collect();
    assert_eq!(uids, ["uid-binding", "uid-lease", "uid-account"]);
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn what_was_not_opened_needs_no_revocation() {
    let kubeconfig = kubeconfig(&Scripted::new([]), &Scripted::new([]));
    assert!(kubeconfig.close(&Context::default(), Private::default()).await.is_empty());
    let (_, again) = kubeconfig.renew(&Context::default(), Private::default()).await.unwrap();
    assert!(again.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_made_before_a_refusal_is_removed_and_tried_again() {
    let denied = failure(403, "Forbidden", "clusterrolebindings is forbidden", &json!({}));
    let mut steps = posts();
    steps.push(on(Method::POST, BINDINGS).answers(403, &denied));
    steps.extend([LEASE, ACCOUNT].map(|path| on(Method::DELETE, path).answers(200, &deleted())));
    steps.extend(makes().into_iter().skip(1));
    let tenant = Scripted::new(steps);
    let kubeconfig = kubeconfig(&Scripted::new(management(&control_plane())), &tenant);
    assert!(kubeconfig.open(&Context::default(), config(None)).await.is_ok());
    tenant.finish();
}

fn webhook() -> Json {
    let message =
        "admission webhook \"catchall.write-permission.kamaji.clastix.io\" denied the request: creation is blocked";
    failure(403, "Forbidden", message, &json!({}))
}

#[rstest::rstest]
#[case::asleep(control_plane_with("/spec/controlPlane/deployment/replicas", json!(0)), vec![])]
#[case::not_reachable(control_plane(), vec![on(Method::GET, "/readyz").refused().always()])]
#[case::closed(control_plane(), {
    let mut steps = posts();
    steps.push(on(Method::POST, BINDINGS).answers(403, &webhook()));
    steps.extend([LEASE, ACCOUNT].map(|path| on(Method::DELETE, path).answers(200, &deleted())));
    steps
})]
#[tokio::test(start_paused = true)]
async fn a_tenant_that_takes_nothing_now_gives_null_and_one_warning(#[case] live: Json, #[case] steps: Vec<Step>) {
    let tenant = Scripted::new(steps);
    let opened = kubeconfig(&Scripted::new(management(&live)), &tenant).open(&Context::default(), config(None)).await;
    let opened = opened.unwrap();
    assert!(RESULTS.iter().all(|name| opened.result.get(name).is_null()));
    assert!(opened.renew_at.is_none() && opened.private.is_empty());
    assert_eq!((opened.diagnostics.iter().count(), opened.diagnostics.has_errors()), (1, false));
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_not_there_is_named() {
    let missing = on(Method::GET, "/apis/rbac.authorization.k8s.io/v1/clusterroles/team:ops")
        .answers(404, &not_found("clusterroles", "team:ops"));
    let tenant = Scripted::new([ready(), missing]);
    let mut config = config(None);
    config.set("minted.cluster_role", "team:ops".into());
    let kubeconfig = kubeconfig(&Scripted::new(management(&control_plane())), &tenant);
    let error = kubeconfig.open(&Context::default(), config).await.unwrap_err();
    assert_eq!(error.iter().next().unwrap().path.to_string(), "minted.cluster_role");
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn what_crashed_runs_have_left_is_removed() {
    let binding = |id: &str, made: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("terraform-{id}"), "uid": format!("uid-{id}"), "labels": {LABEL: id},
                "creationTimestamp": made}})
    };
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "terraform-live", "uid": "u",
        "labels": {LABEL: "live"}, "creationTimestamp": "2001-01-01T00:00:00Z"}});
    let long_ago = "2001-01-01T00:00:00Z";
    let now = Timestamp::now().to_string();
    let found = [binding("live", long_ago), binding("dead", long_ago), binding("new", &now)];
    let mut steps = makes();
    steps.pop();
    steps.push(on(Method::GET, BINDINGS).answers(200, &list_of("1", &found)));
    steps.push(on(Method::GET, ACCOUNTS).answers(200, &list_of("1", &[account])));
    steps.push(on(Method::DELETE, &format!("{BINDINGS}/terraform-dead")).answers(200, &deleted()));
    let tenant = Scripted::new(steps);
    let kubeconfig = kubeconfig(&Scripted::new(management(&control_plane())), &tenant);
    assert!(kubeconfig.open(&Context::default(), config(None)).await.is_ok());
    tenant.finish();
}
