use rstest::rstest;
use tokio_util::sync::CancellationToken;

use super::super::public_token::remove;
use super::*;
use crate::kamaji::readiness::Level;
use crate::managed_object::Scene;
use crate::management_cluster::{Kind, ObjectRef, Operation};
use crate::tenant_cluster::reach::Reach;
use crate::tenant_cluster::tests::{TOKEN, deleted, ready, token_secret};

const PUBLIC: &str = "abcdef.0123456789abcdef";

/// A control plane of an old Kamaji, with this checksum of what was written into the tenant.
fn of_old(version: &str, checksum: Option<&str>) -> Json {
    let phase = json!({"bootstrapToken": {"checksum": checksum}});
    let mut object = with(live(version, version), &[("/status/kubeadmPhase", phase)]);
    object["status"].as_object_mut().unwrap().remove("observedGeneration");
    object
}

async fn looked(api: &Scripted, tenant: &Scripted, planned: &Value, level: Level, states: [&Json; 2]) -> Diagnostics {
    let reach = Reach { cluster: api.cluster(), connect: connect(tenant) };
    let scene = Scene {
        cluster: reach.cluster.clone(),
        operation: Operation::new(Duration::from_secs(600), &CancellationToken::new()),
        object: ObjectRef::namespaced(Kind::TenantControlPlane, "tenants", "a"),
        field_manager: "m".to_owned(),
    };
    remove(&reach, &scene, planned, level, states[0], states[1]).await
}

fn has_token() -> [Step; 3] {
    let token = on(Method::GET, TOKEN).answers(200, &token_secret(PUBLIC, ""));
    [ready(), token, on(Method::DELETE, TOKEN).answers(200, &deleted())]
}

#[tokio::test(start_paused = true)]
async fn the_token_of_an_old_kamaji_is_removed_once_it_can_be_there() {
    // New, and not prepared yet.
    let (new, prepared) = (of_old("v1.30.2", None), of_old("v1.30.2", Some("x")));
    let read = |object: &Json| on(Method::GET, TENANT).answers(200, object);
    let api = Scripted::new([crd(&["Ready"], false), read(&new), read(&prepared), read(&prepared), kubeconfig()]);
    let tenant = Scripted::new(has_token());
    let found = looked(&api, &tenant, &Value::Null, Level::Ready, [&new, &new]).await;
    assert_eq!(summaries(&found), ["Publicly known token removed"]);
    tenant.finish();
    api.finish();

    // Upgraded: what was written for the old version does not count.
    let (old, late, done) = (of_old("v1.29.0", Some("x")), of_old("v1.30.2", Some("x")), of_old("v1.30.2", Some("y")));
    let api = Scripted::new([crd(&["Ready"], false), read(&late), read(&done), read(&done), kubeconfig()]);
    let tenant = Scripted::new(has_token());
    let found = looked(&api, &tenant, &Value::Null, Level::Reachable, [&old, &late]).await;
    assert_eq!(summaries(&found), ["Publicly known token removed"]);
    tenant.finish();
    api.finish();
}

#[rstest]
#[case::by_wish(Value::object([("remove_public_token", Value::from(false))]), Level::Ready, of_old("v1.30.2", Some("x")))]
#[case::not_waited_for(Value::Null, Level::Provisioned, of_old("v1.30.2", Some("x")))]
#[case::asleep(Value::Null, Level::Ready, with(of_old("v1.30.2", None), &[("/spec/controlPlane/deployment/replicas", json!(0))]))]
#[case::a_newer_kamaji(Value::Null, Level::Ready, live("v1.30.2", "v1.30.2"))]
#[tokio::test(start_paused = true)]
async fn nothing_is_asked_without_need(#[case] planned: Value, #[case] level: Level, #[case] now: Json) {
    let (api, tenant) = (Scripted::new([]), Scripted::new([]));
    assert!(looked(&api, &tenant, &planned, level, [&now, &now]).await.is_empty());
    assert_eq!((api.asked().len(), tenant.asked().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_tenant_out_of_reach_costs_seconds_and_no_word() {
    let now = of_old("v1.30.2", Some("x"));
    let api =
        Scripted::new([crd(&["Ready"], false), on(Method::GET, TENANT).answers(200, &now).always(), kubeconfig()]);
    let begin = Instant::now();
    let tenant = Scripted::new([on(Method::GET, "/readyz").unanswered().always()]);
    assert!(looked(&api, &tenant, &Value::Null, Level::Ready, [&now, &now]).await.is_empty());
    assert!(begin.elapsed() <= Duration::from_secs(12), "{:?}", begin.elapsed());
}
