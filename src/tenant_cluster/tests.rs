//! Reaching tenants and their tokens, against scripted APIs: one of the management cluster, one of the tenant.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::bootstrap_token::Owner;
use super::reach::{For, Reach, Sight, Tenant};
use super::{Connect, TenantCluster, reference};
use crate::kamaji::bootstrap_token::{BootstrapToken, Terms};
use crate::management_cluster::scripted::{Scripted, Step, event, failure, list_of, not_found, on};
use crate::management_cluster::{ApiError, ManagementCluster, ObjectRef, Operation};

pub(crate) const CONTROL_PLANE: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes/a";
pub(crate) const KUBECONFIG: &str = "/api/v1/namespaces/tenants/secrets/a-admin-kubeconfig";
pub(crate) const TOKENS: &str = "/api/v1/namespaces/kube-system/secrets";
pub(crate) const TOKEN: &str = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef";
pub(crate) const CLUSTER_INFO: &str = "/api/v1/namespaces/kube-public/configmaps";
pub(crate) const CA: &str = include_str!("../kamaji/certificate/ec-ca.pem");

/// A control plane that answers and takes nodes.
pub(crate) fn control_plane() -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
    "metadata": {"name": "a", "namespace": "tenants", "uid": "uid-a", "generation": 1, "resourceVersion": "7"},
    "spec": {"controlPlane": {"deployment": {"replicas": 1}}, "kubernetes": {"version": "v1.32.4"},
        "networkProfile": {"serviceCidr": "10.96.0.0/16"}},
    "status": {
        "kubeconfig": {"admin": {"secretName": "a-admin-kubeconfig", "checksum": "x"}},
        "kubeadmPhase": {"bootstrapToken": {"checksum": "x"}},
        "kubernetesResources": {"version": {"status": "Ready", "version": "v1.32.4"}},
    }})
}

/// The same with a value elsewhere.
pub(crate) fn control_plane_with(pointer: &str, value: Json) -> Json {
    let mut object = control_plane();
    *object.pointer_mut(pointer).unwrap() = value;
    object
}

pub(crate) fn going(mut object: Json) -> Json {
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    object
}

/// The Secret with the kubeconfigs of these keys.
pub(crate) fn kubeconfigs(keys: &[&str]) -> Json {
    let yaml = |key: &str| {
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster:\n    server: https://10.0.0.1:6443\n    \
             certificate-authority-data: {}\ncontexts:\n- name: {key}\n  context: {{cluster: a, user: {key}}}\n\
             current-context: {key}\nusers:\n- name: {key}\n  user:\n    client-certificate-data: {}\n    \
             client-key-data: {}\n",
            STANDARD.encode(CA),
            STANDARD.encode(format!("certificate of {key}")),
            STANDARD.encode(format!("planted key of {key}")),
        )
    };
    let data: serde_json::Map<_, _> =
        keys.iter().map(|key| ((*key).to_owned(), json!(STANDARD.encode(yaml(key))))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {"name": "a-admin-kubeconfig", "namespace": "tenants", "uid": "uid-k", "resourceVersion": "1"}})
}

pub(crate) fn both() -> Json {
    kubeconfigs(&["admin.conf", "super-admin.conf"])
}

/// A token Secret as the API returns it.
pub(crate) fn token_secret(token: &str, expiration: &str) -> Json {
    let (id, secret) = token.split_once('.').unwrap();
    let encoded = |text: &str| json!(STANDARD.encode(text));
    json!({"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": format!("bootstrap-token-{id}"), "namespace": "kube-system", "uid": format!("uid-{id}")},
        "data": {"token-id": encoded(id), "token-secret": encoded(secret), "expiration": encoded(expiration)}})
}

/// The management cluster as it is when a tenant answers.
pub(crate) fn management(control_plane: &Json) -> [Step; 2] {
    [
        on(Method::GET, CONTROL_PLANE).answers(200, control_plane).always(),
        on(Method::GET, KUBECONFIG).answers(200, &both()).always(),
    ]
}

pub(crate) fn ready() -> Step {
    on(Method::GET, "/readyz").answers_text(200, "ok").always()
}

pub(crate) fn deleted() -> Json {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})
}

/// A client of a scripted tenant, whatever the kubeconfig says.
pub(crate) fn connect(tenant: &Scripted) -> Connect {
    let cluster = tenant.cluster();
    Arc::new(move |_| Ok(cluster.clone()))
}

fn reach(management: &Scripted, tenant: &Scripted) -> Reach {
    Reach { cluster: management.cluster(), connect: connect(tenant) }
}

fn a() -> ObjectRef {
    reference::parse("tenants/a").unwrap()
}

fn operation(seconds: u64) -> Operation {
    Operation::new(Duration::from_secs(seconds), &CancellationToken::new())
}

async fn wait(management: &Scripted, tenant: &Scripted, wanted: For) -> Result<Tenant, String> {
    let outcome = reach(management, tenant).wait(&operation(120), &a(), wanted).await;
    outcome.map_err(|diagnostic| format!("{}: {}", diagnostic.summary, diagnostic.detail))
}

fn token() -> BootstrapToken {
    "abcdef.plantedplantedpl".parse().unwrap()
}

fn api(tenant: &Scripted) -> TenantCluster {
    let cluster: ManagementCluster = tenant.cluster();
    TenantCluster::new(cluster)
}

#[tokio::test(start_paused = true)]
async fn a_tenant_is_waited_for_from_its_kubeconfig_to_its_first_answer() {
    let management = Scripted::new([
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane_with("/status", json!(null))),
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()),
        on(Method::GET, KUBECONFIG).answers(404, &not_found("secrets", "a-admin-kubeconfig")),
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()),
        on(Method::GET, KUBECONFIG).answers(200, &kubeconfigs(&["admin.conf"])),
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()),
        on(Method::GET, KUBECONFIG).answers(200, &both()),
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()),
        on(Method::GET, KUBECONFIG).answers(200, &both()),
    ]);
    let tenant = Scripted::new([
        on(Method::GET, "/readyz").refused(),
        on(Method::GET, "/readyz").answers_text(500, "[-]etcd failed: reason withheld"),
        on(Method::GET, "/readyz").answers_text(200, "ok"),
    ]);
    let found = wait(&management, &tenant, For::Nodes).await.unwrap();
    assert_eq!(found.admin.parsed.user, "super-admin.conf");
    management.finish();
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_not_prepared_for_nodes_is_waited_for() {
    let unprepared = control_plane_with("/status/kubeadmPhase", json!({}));
    let management = Scripted::new([
        on(Method::GET, CONTROL_PLANE).answers(200, &unprepared),
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()),
        on(Method::GET, KUBECONFIG).answers(200, &both()).always(),
    ]);
    assert!(wait(&management, &Scripted::new([ready()]), For::Nodes).await.is_ok());
    management.finish();
}

#[rstest::rstest]
#[case::missing(None, "does not exist")]
#[case::asleep(Some(control_plane_with("/spec/controlPlane/deployment/replicas", json!(0))), "scaled to zero")]
#[case::going(Some(going(control_plane_with("/status", json!(null)))), "being deleted")]
#[case::closed(Some(control_plane_with("/spec", json!({"writePermissions": {"blockCreation": true}}))), "block_creation")]
#[tokio::test(start_paused = true)]
async fn where_waiting_cannot_help_it_ends_at_once(#[case] control_plane: Option<Json>, #[case] words: &str) {
    let answer = match &control_plane {
        Some(object) => on(Method::GET, CONTROL_PLANE).answers(200, object),
        None => on(Method::GET, CONTROL_PLANE).answers(404, &not_found("tenantcontrolplanes", "a")),
    };
    let management = Scripted::new([answer, on(Method::GET, KUBECONFIG).answers(200, &both()).always()]);
    let started = tokio::time::Instant::now();
    let error = wait(&management, &Scripted::new([ready()]), For::Nodes).await.err().unwrap();
    assert!(error.contains(words), "{error}");
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_names_the_address_and_the_reason() {
    let management = Scripted::new(management(&control_plane()));
    let tenant = Scripted::new([on(Method::GET, "/readyz").refused().always()]);
    let error = wait(&management, &tenant, For::Api).await.err().unwrap();
    assert!(error.contains("https://10.0.0.1:6443") && error.contains("in time"), "{error}");
    assert!(!error.contains("planted"), "{error}");
}

#[rstest::rstest]
// The tenant takes all of the time.
#[case::all_of_it(5, 0)]
// It takes 10 seconds, the first look and the pause 1.8, and 0.2 are left for the second look.
#[case::nearly_all_of_it(12, 400)]
// Finding it takes more than there is.
#[case::under_load(1, 800)]
#[tokio::test(start_paused = true)]
async fn a_tenant_that_hangs_is_named_whatever_time_is_left(#[case] seconds: u64, #[case] load: u64) {
    let management = management(&control_plane()).map(|step| step.after(Duration::from_millis(load)));
    let management = Scripted::new(management);
    let tenant = Scripted::new([on(Method::GET, "/readyz").unanswered().always()]);
    let reach = reach(&management, &tenant);
    let limit = operation(seconds).patience(Duration::from_secs(seconds));
    let started = tokio::time::Instant::now();
    let sight = reach.seek(&limit, &a(), For::Api).await.unwrap();
    let Sight::Silent(silence) = sight else { panic!("no silence") };
    assert!(silence.why.contains("10.0.0.1:6443 does not answer"), "{}", silence.why);
    let took = started.elapsed();
    assert!(took <= Duration::from_secs(seconds + 3), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_its_own_ends_with_an_interrupt_too() {
    let management = Scripted::new(management(&control_plane()));
    let tenant = Scripted::new([on(Method::GET, "/readyz").unanswered().always()]);
    let stop = CancellationToken::new();
    let reach = reach(&management, &tenant);
    let operation = Operation::new(Duration::ZERO, &stop);
    let looking = tokio::spawn(async move { reach.look(&operation, &a()).await.map(|_| ()) });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let interrupted = tokio::time::Instant::now();
    stop.cancel();
    let _ = looking.await.unwrap();
    assert!(interrupted.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_wait_at_once() {
    let management = Scripted::new(management(&control_plane()));
    let tenant = Scripted::new([on(Method::GET, "/readyz").refused().always()]);
    let stop = CancellationToken::new();
    let operation = Operation::new(Duration::from_secs(600), &stop);
    let reach = reach(&management, &tenant);
    let waiting = tokio::spawn(async move { reach.wait(&operation, &a(), For::Api).await.err() });
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.cancel();
    let error = waiting.await.unwrap().unwrap();
    assert_eq!(error.summary, "Interrupted while waiting");
}

#[tokio::test(start_paused = true)]
async fn a_broken_kubeconfig_is_named_without_its_content() {
    let mut secret = both();
    secret["data"] = json!({"super-admin.conf": STANDARD.encode("users: planted-token\n- x")});
    let management = Scripted::new([
        on(Method::GET, CONTROL_PLANE).answers(200, &control_plane()),
        on(Method::GET, KUBECONFIG).answers(200, &secret),
    ]);
    let error = wait(&management, &Scripted::new([]), For::Api).await.err().unwrap();
    assert!(error.contains("tenants/a-admin-kubeconfig") && !error.contains("planted"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nothing_secret_shows_in_debug_output() {
    let management = Scripted::new(management(&control_plane()));
    let sight = reach(&management, &Scripted::new([ready()])).look(&operation(10), &a()).await.unwrap();
    let Sight::Answers(tenant) = sight else { panic!("no answer") };
    assert!(!format!("{:?}", tenant.admin).contains("planted"));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_made_as_one_secret() {
    let tenant = Scripted::new([on(Method::POST, TOKENS).answers(201, &token_secret("abcdef.plantedplantedpl", ""))]);
    let terms = Terms { expiration: Some("2026-01-02T03:04:05Z".parse().unwrap()), ..Terms::default() };
    api(&tenant).create_token(&operation(10), &token(), &terms, "m").await.unwrap();
    let asked = tenant.asked();
    assert_eq!(asked[0].body["stringData"]["token-secret"], "plantedplantedpl");
    assert_eq!(asked[0].body["stringData"]["expiration"], "2026-01-02T03:04:05Z");
    assert!(asked[0].query.contains("fieldManager=m"), "{}", asked[0].query);
}

#[rstest::rstest]
#[case::arrived(token_secret("abcdef.plantedplantedpl", ""), true)]
#[case::of_somebody_else(token_secret("abcdef.0123456789abcdef", ""), false)]
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_up_for_by_looking(#[case] there: Json, #[case] made: bool) {
    let tenant =
        Scripted::new([on(Method::POST, TOKENS).reset(), on(Method::GET, TOKEN).answers(200, &there).always()]);
    let outcome = api(&tenant).create_token(&operation(10), &token(), &Terms::default(), "m").await;
    assert_eq!(outcome.is_ok(), made, "{outcome:?}");
    assert!(made || outcome.is_err_and(|error| error.is_in_doubt()));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_taken_is_left_alone() {
    let taken = failure(409, "AlreadyExists", "secrets \"bootstrap-token-abcdef\" already exists", &json!({}));
    let tenant = Scripted::new([
        on(Method::POST, TOKENS).answers(409, &taken),
        on(Method::GET, TOKEN).answers(200, &token_secret("abcdef.0123456789abcdef", "")),
    ]);
    let outcome = api(&tenant).create_token(&operation(10), &token(), &Terms::default(), "m").await;
    assert!(matches!(outcome, Err(ApiError::AlreadyExists { .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn only_the_very_token_is_revoked() {
    let ours = Scripted::new([
        on(Method::GET, TOKEN).answers(200, &token_secret("abcdef.plantedplantedpl", "")),
        on(Method::DELETE, TOKEN).answers(200, &deleted()),
    ]);
    api(&ours).revoke_token(&operation(10), "abcdef", &Owner::of(&token())).await.unwrap();
    assert_eq!(ours.asked()[1].body["preconditions"]["uid"], "uid-abcdef");
    ours.finish();
    let foreign = Scripted::new([on(Method::GET, TOKEN).answers(200, &token_secret("abcdef.0123456789abcdef", ""))]);
    api(&foreign).revoke_token(&operation(10), "abcdef", &Owner::of(&token())).await.unwrap();
    foreign.finish();
}

#[tokio::test(start_paused = true)]
async fn the_signature_is_waited_for() {
    let info = |data: Json| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {"name": "cluster-info", "namespace": "kube-public", "uid": "u", "resourceVersion": "2"}})
    };
    let tenant = Scripted::new([
        on(Method::GET, CLUSTER_INFO).answers(200, &list_of("1", &[info(json!({"kubeconfig": "x"}))])),
        on(Method::GET, CLUSTER_INFO)
            .streams(&[event("MODIFIED", &info(json!({"kubeconfig": "x", "jws-kubeconfig-abcdef": "y"})))]),
    ]);
    assert!(api(&tenant).wait_until_signed(&operation(30), &token()).await.is_ok());
    tenant.finish();
}

#[rstest::rstest]
#[case::public("abcdef.0123456789abcdef", true)]
#[case::another("abcdef.plantedplantedpl", false)]
#[tokio::test(start_paused = true)]
async fn the_publicly_known_token_is_removed_and_no_other(#[case] found: &str, #[case] removed: bool) {
    let remove = on(Method::DELETE, TOKEN).answers(200, &deleted());
    let steps = std::iter::once(on(Method::GET, TOKEN).answers(200, &token_secret(found, "")));
    let tenant = Scripted::new(steps.chain(removed.then_some(remove)));
    assert_eq!(api(&tenant).remove_public_token(&operation(10)).await, Ok(removed));
    tenant.finish();
}
