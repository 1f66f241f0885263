use rstest::rstest;
use tfplugin::Path;
use tfplugin::resource::{DeleteRequest, Plan, PlanRequest, Resource as _};

use super::*;
use crate::management_cluster::scripted::event;
use crate::tenant_cluster::tests::{deleted, ready};

/// The kinds that are looked for when the object is gone.
const REST: [&str; 7] = [
    "/apis/apps/v1/namespaces/tenants/deployments",
    "/api/v1/namespaces/tenants/pods",
    "/api/v1/namespaces/tenants/services",
    "/apis/networking.k8s.io/v1/namespaces/tenants/ingresses",
    "/apis/gateway.networking.k8s.io/v1/namespaces/tenants/tlsroutes",
    "/api/v1/namespaces/tenants/secrets",
    "/api/v1/namespaces/tenants/configmaps",
];

fn nothing_left() -> Vec<Step> {
    let without_owner = [
        on(Method::GET, "/api/v1/namespaces/tenants/secrets/a-datastore-certificate").answers(404, &gone()),
        on(Method::GET, "/apis/batch/v1/jobs").answers(200, &list_of("9", &[])),
    ];
    let none = |path| on(Method::GET, path).answers(200, &list_of("9", &[]));
    REST.into_iter().map(none).chain(without_owner).collect()
}

fn node(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.30.2"}}})
}

/// A tenant with these nodes.
fn tenant(nodes: &[&str]) -> Scripted {
    let nodes: Vec<Json> = nodes.iter().map(|name| node(name)).collect();
    Scripted::new([ready(), on(Method::GET, "/api/v1/nodes").answers(200, &list_of("1", &nodes)).always()])
}

/// What is asked to reach the tenant.
fn reached() -> [Step; 2] {
    [found(&live("v1.30.2", "v1.30.2")).always(), kubeconfig()]
}

fn unprotected(edits: &[(&str, Value)]) -> Value {
    stored("v1.30.2", &[edits, &[("deletion_protection", false.into())]].concat())
}

/// The last look at who owns the object.
fn looked_at() -> Step {
    found(&live("v1.30.2", "v1.30.2"))
}

fn deletes() -> Step {
    on(Method::DELETE, TENANT).answers(200, &deleted())
}

async fn delete(api: &Scripted, tenant: &Scripted, prior: Value) -> Diagnostics {
    resource(api, tenant).delete(&Context::default(), DeleteRequest { prior, private: memory() }).await
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_with_nodes_is_not_deleted() {
    let api = Scripted::new(reached());
    let diagnostics = delete(&api, &tenant(&["n1", "n2", "n3", "n4"]), unprotected(&[])).await;
    let error = said(&diagnostics, "Nodes are joined");
    assert_eq!(error.path, Path::of("destroy_with_nodes"));
    assert!(error.detail.contains("4 joined nodes (n1, n2, n3, …), 4 of them Ready"), "{}", error.detail);
    assert!(api.asked().iter().all(|asked| asked.method == Method::GET));
}

#[tokio::test(start_paused = true)]
async fn nodes_that_the_same_plan_takes_out_do_not_count() {
    let api = Scripted::new(reached());
    let shared = Arc::new(Configured::of(api.cluster()));
    let kind = TenantControlPlane::with(connect(&tenant(&["n1", "n2"])), Arc::clone(&shared));
    let resource = ManagedResource::new(kind, Arc::clone(&shared));
    let object = crate::tenant_cluster::reference::parse("tenants/a").unwrap();
    for (node, refused) in [("n1", true), ("n2", false)] {
        shared.will_leave(&object, node);
        let plan = Plan {
            planned: Value::Null,
            requires_replace: Vec::new(),
            private: memory(),
            diagnostics: Diagnostics::new(),
        };
        let request = PlanRequest { prior: unprotected(&[]), config: Value::Null, private: memory() };
        let planned = resource.plan(&Context::default(), request, plan).await;
        assert_eq!(planned.diagnostics.has_errors(), refused, "{:?}", planned.diagnostics);
        assert!(!refused || planned.diagnostics.iter().any(|it| it.detail.contains("1 joined node (n2)")));
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_deleted_with_its_nodes_if_the_user_says_so_and_the_tenant_is_not_asked() {
    let steps = [looked_at(), deletes(), on(Method::GET, TENANT).answers(404, &gone())];
    let api = Scripted::new(steps.into_iter().chain(nothing_left()));
    let prior = unprotected(&[("destroy_with_nodes", true.into())]);
    assert_eq!(delete(&api, &Scripted::new([]), prior).await, Diagnostics::new());
    api.finish();
}

fn gone() -> Json {
    crate::management_cluster::scripted::not_found("tenantcontrolplanes", "a")
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_cannot_be_asked_is_a_warning() {
    let steps = [
        found(&live("v1.30.2", "v1.30.2")),
        kubeconfig(),
        looked_at(),
        deletes(),
        on(Method::GET, TENANT).answers(404, &gone()),
    ];
    let api = Scripted::new(steps.into_iter().chain(nothing_left()));
    let silent = Scripted::new([on(Method::GET, "/readyz").refused().always()]);
    let diagnostics = delete(&api, &silent, unprotected(&[])).await;
    assert_eq!(summaries(&diagnostics), ["Joined nodes not counted"]);
    assert!(!diagnostics.has_errors());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn what_never_worked_is_deleted_without_asking_its_tenant() {
    let steps = [looked_at(), deletes(), on(Method::GET, TENANT).answers(404, &gone())];
    let api = Scripted::new(steps.into_iter().chain(nothing_left()));
    let mut prior = unprotected(&[]);
    prior.set("installed_version", Value::Null);
    let request = DeleteRequest { prior, private: Private::default() };
    let diagnostics = resource(&api, &Scripted::new([])).delete(&Context::default(), request).await;
    assert_eq!(diagnostics, Diagnostics::new());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_forgotten_without_a_request_although_protected() {
    let api = Scripted::new([]);
    let prior = stored("v1.30.2", &[("on_destroy", "orphan".into())]);
    let plan = plan(&api, &Scripted::new([]), prior.clone(), Value::Null, &[]).await;
    assert_eq!(summaries(&plan.diagnostics), ["Object stays on the cluster"]);
    let import = "terraform import kamaji_tenant_control_plane.<name> tenants/a";
    assert!(plan.diagnostics.iter().any(|it| it.detail.contains(import)), "{:?}", plan.diagnostics);
    assert_eq!(delete(&api, &Scripted::new([]), prior).await, Diagnostics::new());
    api.finish();
}

#[rstest]
#[case::while_it_goes(false)]
#[case::while_the_rest_goes(true)]
#[tokio::test(start_paused = true)]
async fn an_interrupted_delete_keeps_the_object_in_the_state(#[case] gone_already: bool) {
    let mut going = live("v1.30.2", "v1.30.2");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let events = if gone_already { vec![event("DELETED", &going)] } else { Vec::new() };
    let delete = [looked_at(), on(Method::DELETE, TENANT).answers(200, &going)];
    let rest = [
        on(Method::GET, REST[0]).answers(200, &list_of("9", &[json!({"metadata": {"name": "a"}})])),
        on(Method::GET, REST[0]).streams(&[]),
    ];
    let rest = rest.into_iter().filter(|_| gone_already);
    let api = Scripted::new(delete.into_iter().chain(waits(&going, &events)).chain(rest));
    let cx = Context::default();
    let prior = unprotected(&[("destroy_with_nodes", true.into())]);
    let resource = resource(&api, &Scripted::new([]));
    let diagnostics = interrupted(&cx, resource.delete(&cx, DeleteRequest { prior, private: memory() })).await;
    assert_eq!(summaries(&diagnostics), ["Interrupted while deleting"]);
    api.finish();

    // The next destroy converges: the object may be gone by then.
    let none = || on(Method::GET, TENANT).answers(404, &gone());
    let steps = [none(), on(Method::DELETE, TENANT).answers(404, &gone()), none()];
    let api = Scripted::new(steps.into_iter().chain(nothing_left()));
    let prior = unprotected(&[("destroy_with_nodes", true.into())]);
    assert_eq!(super::destroy::delete(&api, &Scripted::new([]), prior).await, Diagnostics::new());
    api.finish();
}

async fn plan(api: &Scripted, tenant: &Scripted, prior: Value, config: Value, replaced: &[&str]) -> Plan {
    plan_with(api, tenant, prior, config, replaced, memory()).await
}

async fn plan_with(
    api: &Scripted,
    tenant: &Scripted,
    prior: Value,
    config: Value,
    replaced: &[&str],
    private: Private,
) -> Plan {
    let mut plan = Plan {
        planned: if config.is_null() { Value::Null } else { planned(&config, MOVES) },
        requires_replace: replaced.iter().map(|path| Path::of(path)).collect(),
        private: private.clone(),
        diagnostics: Diagnostics::new(),
    };
    // As the framework says it.
    for path in replaced {
        plan.say(Diagnostic::warning("The object will be replaced", "A change needs a new object.").at(Path::of(path)));
    }
    let request = PlanRequest { prior, config, private };
    resource(api, tenant).plan(&Context::default(), request, plan).await
}

#[tokio::test(start_paused = true)]
async fn a_destroy_plan_counts_the_nodes() {
    let api = Scripted::new(reached());
    let refused = plan(&api, &tenant(&["n1"]), unprotected(&[]), Value::Null, &[]).await;
    assert_eq!(summaries(&refused.diagnostics), ["Nodes are joined"]);
    let fine = plan(&api, &tenant(&[]), unprotected(&[]), Value::Null, &[]).await;
    assert_eq!(fine.diagnostics, Diagnostics::new());
    let allowed = unprotected(&[("destroy_with_nodes", true.into())]);
    let told = plan(&Scripted::new([]), &Scripted::new([]), allowed, Value::Null, &[]).await;
    assert_eq!(told.diagnostics, Diagnostics::new());
}

#[tokio::test(start_paused = true)]
async fn each_cause_of_a_replace_names_what_is_lost() {
    let api = Scripted::new(reached());
    let free: &[(&str, Value)] = &[("deletion_protection", false.into()), ("destroy_with_nodes", true.into())];
    let causes = ["data_store_schema", "data_store_username"];
    let config = config("v1.30.2", free);
    let first = plan(&api, &tenant(&["n1"]), stored("v1.30.2", free), config.clone(), &causes).await;
    assert_eq!(first.diagnostics.iter().count(), 2, "{:?}", first.diagnostics);
    for warning in first.diagnostics.iter() {
        for words in ["data in the DataStore d included", "every kubeconfig", "1 joined node (n1)"] {
            assert!(warning.detail.contains(words), "{}", warning.detail);
        }
    }
    // The plan of the new object, which is made of what the first one left, does not say it again.
    let second = plan_with(&Scripted::new([]), &Scripted::new([]), Value::Null, config, &[], first.private).await;
    assert_eq!(second.diagnostics, Diagnostics::new());
    assert!(second.private.read::<Memory>().may_lose_nodes);
}

#[tokio::test(start_paused = true)]
async fn a_replace_that_the_user_asked_for_is_refused_with_nodes() {
    let free: &[(&str, Value)] = &[("deletion_protection", false.into())];
    let api = Scripted::new(reached());
    let plan = plan(&api, &tenant(&["n1"]), Value::Null, config("v1.30.2", free), &[]).await;
    assert_eq!(summaries(&plan.diagnostics), ["Nodes are joined"]);
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_not_replaced_under_its_own_name() {
    let orphan: &[(&str, Value)] = &[("deletion_protection", false.into()), ("on_destroy", "orphan".into())];
    let (api, none) = (Scripted::new([]), Scripted::new([]));
    let config = config("v1.30.2", orphan);
    let same = plan(&api, &none, stored("v1.30.2", orphan), config.clone(), &["data_store_schema"]).await;
    said(&same.diagnostics, "An object that stays cannot be replaced");
    let other = plan(&api, &none, stored("v1.30.2", orphan), config, &["name"]).await;
    assert!(!other.diagnostics.has_errors(), "{:?}", other.diagnostics);
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_comes_with_the_replace_counts() {
    let steps = [looked_at(), deletes(), on(Method::GET, TENANT).answers(404, &gone())];
    let api = Scripted::new(steps.into_iter().chain(nothing_left()));
    let private = Private::write(&Memory { was_ready: true, may_lose_nodes: true, ..Memory::default() });
    let request = DeleteRequest { prior: unprotected(&[]), private };
    let diagnostics = resource(&api, &Scripted::new([])).delete(&Context::default(), request).await;
    assert_eq!(diagnostics, Diagnostics::new());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_stuck_ends_with_the_cause_and_the_command_and_strips_nothing() {
    let mut going = live("v1.30.2", "v1.30.2");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    going["metadata"]["finalizers"] = json!(["finalizer.kamaji.clastix.io"]);
    let denial = "admission webhook \"vtenantcontrolplane.kb.io\" denied the request: d DataStore does not exist";
    let denied = crate::management_cluster::scripted::failure(403, "Forbidden", denial, &json!({}));
    let store = crate::management_cluster::scripted::not_found("datastores", "d");
    let steps = [
        looked_at(),
        on(Method::DELETE, TENANT).answers(200, &going),
        on(Method::GET, TENANTS).answers(200, &list_of("8", &[going])),
        on(Method::GET, TENANTS).streams(&[]).always(),
        on(Method::PATCH, TENANT).answers(403, &denied),
        on(Method::GET, "/apis/kamaji.clastix.io/v1alpha1/datastores/d").answers(404, &store).always(),
    ];
    let api = Scripted::new(steps);
    let prior = unprotected(&[("destroy_with_nodes", true.into())]);
    let diagnostics = delete(&api, &Scripted::new([]), prior).await;
    let error = said(&diagnostics, "Deleted object does not go away");
    for words in [
        "waits for the finalizers",
        "every update of it is refused",
        "DataStore d does not exist any more",
        "--type=merge",
    ] {
        assert!(error.detail.contains(words), "{}", error.detail);
    }
    let written: Vec<_> = api.asked().into_iter().filter(|asked| asked.method == Method::PATCH).collect();
    assert!(written.iter().all(|asked| asked.query.contains("dryRun=All")), "{written:?}");
}

/// As Cluster API makes it.
fn owned() -> Json {
    let mut object = live("v1.30.2", "v1.30.2");
    object["metadata"]["ownerReferences"] = json!([{"apiVersion": "controlplane.cluster.x-k8s.io/v1alpha1",
        "kind": "KamajiControlPlane", "name": "blue", "uid": "o", "controller": true}]);
    object
}

const OWNER: &str = "KamajiControlPlane blue (controlplane.cluster.x-k8s.io/v1alpha1)";

#[tokio::test(start_paused = true)]
async fn what_another_object_owns_is_not_deleted_unless_the_user_says_so() {
    let prior = unprotected(&[("destroy_with_nodes", true.into())]);
    let api = Scripted::new([found(&owned())]);
    let refused = delete(&api, &Scripted::new([]), prior).await;
    let error = said(&refused, "Object belongs to another object");
    assert_eq!(error.path, Path::of("destroy_owned"));
    assert!(error.detail.contains(OWNER), "{}", error.detail);
    api.finish();

    let steps = [deletes(), on(Method::GET, TENANT).answers(404, &gone())];
    let api = Scripted::new(steps.into_iter().chain(nothing_left()));
    let prior = unprotected(&[("destroy_with_nodes", true.into()), ("destroy_owned", true.into())]);
    assert_eq!(delete(&api, &Scripted::new([]), prior).await, Diagnostics::new());
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_a_refresh_has_seen_refuses_the_plan() {
    let private = Private::write(&Memory { was_ready: true, owned_by: vec![OWNER.to_owned()], ..Memory::default() });
    let free: &[(&str, Value)] = &[("deletion_protection", false.into()), ("destroy_with_nodes", true.into())];
    let told: &[(&str, Value)] = &[free[0].clone(), free[1].clone(), ("destroy_owned", true.into())];
    let none = || (Scripted::new([]), Scripted::new([]));
    let planned = async |prior: Value, config: Value, replaced: &[&str]| {
        let (api, tenant) = none();
        plan_with(&api, &tenant, prior, config, replaced, private.clone()).await
    };
    let destroyed = planned(stored("v1.30.2", free), Value::Null, &[]).await;
    assert_eq!(summaries(&destroyed.diagnostics), ["Object belongs to another object"]);
    let replaced = planned(stored("v1.30.2", free), config("v1.30.2", free), &["data_store_schema"]).await;
    said(&replaced.diagnostics, "Object belongs to another object");
    // What `-replace` asks for shows only in the second plan.
    let asked_for = planned(Value::Null, config("v1.30.2", free), &[]).await;
    said(&asked_for.diagnostics, "Object belongs to another object");

    assert_eq!(planned(stored("v1.30.2", told), Value::Null, &[]).await.diagnostics, Diagnostics::new());
    let allowed = planned(Value::Null, config("v1.30.2", told), &[]).await;
    assert_eq!(allowed.diagnostics, Diagnostics::new());
    assert!(allowed.private.read::<Memory>().may_take_owned);
    let orphan: &[(&str, Value)] = &[("on_destroy", "orphan".into())];
    let left = planned(stored("v1.30.2", orphan), Value::Null, &[]).await;
    assert!(!left.diagnostics.has_errors(), "{:?}", left.diagnostics);
}
