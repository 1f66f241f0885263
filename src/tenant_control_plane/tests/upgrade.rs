use rstest::rstest;
use tfplugin::resource::{Plan, PlanRequest, Resource as _};

use super::*;
use crate::management_cluster::scripted::failure;
use crate::tenant_cluster::tests::ready;

fn denial(message: &str) -> Json {
    let message = format!("admission webhook \"vtenantcontrolplane.kb.io\" denied the request: {message}");
    failure(403, "Forbidden", &message, &json!({}))
}

/// The answer to the question whether Kamaji supports the target.
fn supported() -> Step {
    on(Method::PATCH, TENANT).answers(403, &denial("unable to upgrade to a minor version in a non-sequential mode"))
}

fn sequential(version: &str, edits: &[(&str, Value)]) -> Value {
    config(version, &[edits, &[("upgrade_policy", "sequential".into())]].concat())
}

/// From v1.28.3 to v1.30.2 in one apply.
fn two_minors(prior: Value, private: Private) -> ApplyRequest {
    change(prior, planned(&sequential("v1.30.2", &[("wait_for", "accepted".into())]), MOVES), private)
}

#[tokio::test(start_paused = true)]
async fn every_minor_version_is_applied_and_ready_before_the_next_whatever_is_waited_for() {
    let (first, last) = (live("v1.29.0", "v1.28.3"), live("v1.30.2", "v1.29.0"));
    let steps = [found(&live("v1.28.3", "v1.28.3")), supported(), writes(&busy(first.clone(), "Upgrading"))];
    let done = json!({"type": "MODIFIED", "object": live("v1.29.0", "v1.29.0")});
    let waiting = waits(&busy(first, "Upgrading"), &[done]);
    // The last step returns at the level of `wait_for`.
    let rest = [writes(&busy(last, "Upgrading")), deployment(1)];
    let api = Scripted::new(steps.into_iter().chain(waiting).chain(rest));
    let request = two_minors(stored("v1.28.3", &[]), memory());
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(applied(&api), ["v1.30.2?", "v1.29.0", "v1.30.2"]);
    assert_eq!(response.state.str_at("kubernetes.version"), Some("v1.30.2"));
    assert_eq!(response.state.str_at("wait_for"), Some("accepted"));
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_in_a_step_leaves_the_step_in_the_state_and_the_next_apply_goes_on() {
    let under_way = busy(live("v1.29.0", "v1.28.3"), "Upgrading");
    let steps = [found(&live("v1.28.3", "v1.28.3")), supported(), writes(&under_way)];
    let api = Scripted::new(steps.into_iter().chain(waits(&under_way, &[])));
    let cx = Context::default();
    let resource_then = resource(&api, &Scripted::new([]));
    let request = two_minors(stored("v1.28.3", &[]), memory());
    let response = interrupted(&cx, resource_then.update(&cx, request)).await;
    let error = said(&response.diagnostics, "Interrupted while waiting");
    assert!(error.detail.contains("step 1 of 2"), "{}", error.detail);
    let at = |name: &str| response.state.str_at(name).unwrap_or_default().to_owned();
    let found_at = (at("kubernetes.version"), at("installed_version"), at("status"));
    assert_eq!(found_at, ("v1.29.0".to_owned(), "v1.28.3".to_owned(), "Upgrading".to_owned()));
    assert!(response.private.read::<Memory>().unsettled);
    assert_eq!(response.private.read::<Memory>().applied["spec"]["kubernetes"]["version"], "v1.29.0");
    api.finish();

    // The first step is not ready yet: it is waited for before the next.
    let steps = [found(&under_way), supported(), writes(&under_way)];
    let waiting = waits(&live("v1.29.0", "v1.29.0"), &[]);
    let rest = [writes(&busy(live("v1.30.2", "v1.29.0"), "Upgrading")), deployment(1)];
    let api = Scripted::new(steps.into_iter().chain(waiting).chain(rest));
    let request = two_minors(response.state, response.private);
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(applied(&api), ["v1.30.2?", "v1.29.0", "v1.30.2"]);
    api.finish();
}

#[rstest]
#[case::refused(on(Method::PATCH, TENANT).answers(403, &denial("no")), false)]
#[case::unanswered(on(Method::PATCH, TENANT).reset().always(), true)]
#[tokio::test(start_paused = true)]
async fn a_step_that_fails_leaves_the_one_before_in_the_state(#[case] failing: Step, #[case] doubtful: bool) {
    let first = busy(live("v1.29.0", "v1.28.3"), "Upgrading");
    let steps = [found(&live("v1.28.3", "v1.28.3")), supported(), writes(&first)];
    let waiting = waits(&live("v1.29.0", "v1.29.0"), &[]);
    let api = Scripted::new(steps.into_iter().chain(waiting).chain([failing, deployment(1)]));
    let request = two_minors(stored("v1.28.3", &[]), memory());
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    let error = response.diagnostics.iter().next().expect("an error");
    assert!(error.detail.contains("step 2 of 2"), "{}", error.detail);
    assert_eq!(response.state.str_at("kubernetes.version"), Some("v1.29.0"));
    assert_eq!(response.state.str_at("installed_version"), Some("v1.29.0"));
    // What may have arrived is waited for by the next apply.
    assert_eq!(response.private.read::<Memory>().unsettled, doubtful);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_in_the_middle_of_a_step_delays_it() {
    let first = busy(live("v1.29.0", "v1.28.3"), "Upgrading");
    let steps = [found(&live("v1.28.3", "v1.28.3")), supported(), writes(&first)];
    let broken = [
        on(Method::GET, TENANTS).answers(200, &list_of("8", &[first])),
        on(Method::GET, TENANTS).streams_and_ends(&[]),
        on(Method::GET, TENANTS).refused(),
        on(Method::GET, TENANTS).answers(410, &failure(410, "Expired", "too old", &json!({}))),
    ];
    let again = waits(&live("v1.29.0", "v1.29.0"), &[]);
    let rest = [writes(&live("v1.30.2", "v1.29.0")), deployment(1)];
    let api = Scripted::new(steps.into_iter().chain(broken).chain(again).chain(rest));
    let request = two_minors(stored("v1.28.3", &[]), memory());
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(applied(&api), ["v1.30.2?", "v1.29.0", "v1.30.2"]);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_on_the_way_to_a_version_that_kamaji_does_not_support() {
    let too_new = denial("unable to upgrade to a version greater than the supported one, actually 1.29.4");
    let api = Scripted::new([found(&live("v1.28.3", "v1.28.3")), on(Method::PATCH, TENANT).answers(403, &too_new)]);
    let request = two_minors(stored("v1.28.3", &[]), memory());
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    let error = said(&response.diagnostics, "Kubernetes version not supported by Kamaji");
    assert!(error.detail.contains("v1.29.4 is the newest"), "{}", error.detail);
    assert_eq!(response.state, stored("v1.28.3", &[]));
    api.finish();
}

#[rstest]
#[case::paused(&[("/metadata/annotations", json!({"kamaji.clastix.io/paused": ""}))], "paused")]
#[case::limited(&[("/status/kubernetesResources/version/status", json!("WriteLimited"))], "limited")]
#[case::migrating(&[("/status/storage/dataStoreName", json!("other"))], "moving")]
#[tokio::test(start_paused = true)]
async fn an_upgrade_is_refused_while_something_else_goes_on(#[case] edits: &[(&str, Json)], #[case] word: &str) {
    let api = Scripted::new([found(&with(live("v1.28.3", "v1.28.3"), edits)), crd(&["Sleeping"], true)]);
    let next = planned(&config("v1.29.0", &[]), MOVES);
    let request = change(stored("v1.28.3", &[]), next, memory());
    let response = resource(&api, &Scripted::new([])).update(&Context::default(), request).await;
    let error = said(&response.diagnostics, "Kubernetes upgrade is not possible now");
    assert!(error.detail.contains(word), "{}", error.detail);
    assert_eq!(applied(&api), [""; 0]);
    api.finish();
}

async fn plan(api: &Scripted, tenant: &Scripted, prior: &Value, config: &Value) -> Plan {
    let plan = Plan {
        planned: planned(config, MOVES),
        requires_replace: Vec::new(),
        private: memory(),
        diagnostics: Diagnostics::new(),
    };
    let request = PlanRequest { prior: prior.clone(), config: config.clone(), private: memory() };
    resource(api, tenant).plan(&Context::default(), request, plan).await
}

fn nodes(versions: &[&str]) -> Step {
    let node = |version: &&str| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("node-{version}")},
            "status": {"nodeInfo": {"kubeletVersion": version}}})
    };
    on(Method::GET, "/api/v1/nodes").answers(200, &list_of("1", &versions.iter().map(node).collect::<Vec<_>>()))
}

#[tokio::test(start_paused = true)]
async fn a_plan_lists_the_steps_asks_for_the_first_and_counts_the_nodes_that_stay_behind() {
    let api = Scripted::new([
        supported(),
        writes(&live("v1.29.6", "v1.28.3")),
        on(Method::GET, TENANT).answers(200, &live("v1.28.3", "v1.28.3")).always(),
        kubeconfig(),
    ]);
    let tenant = Scripted::new([ready(), nodes(&["v1.26.4"])]);
    let config = sequential("v1.30.2", &[("upgrade_steps", Value::strings(["v1.29.6"]))]);
    let plan = plan(&api, &tenant, &stored("v1.28.3", &[]), &config).await;
    assert_eq!(summaries(&plan.diagnostics), ["Upgrade in 2 steps", "Nodes are not upgraded"]);
    let steps = said(&plan.diagnostics, "Upgrade in 2 steps");
    assert!(steps.detail.contains("v1.28.3 -> v1.29.6 -> v1.30.2"), "{}", steps.detail);
    let skew = said(&plan.diagnostics, "Nodes are not upgraded");
    assert!(skew.detail.contains("1 at v1.26.4") && skew.detail.contains("outside"), "{}", skew.detail);
    assert_eq!(applied(&api), ["v1.30.2?", "v1.29.6?"]);
    api.finish();
    tenant.finish();
}

#[tokio::test(start_paused = true)]
async fn a_plan_refuses_a_jump_and_names_both_ways() {
    let plan = plan(&Scripted::new([]), &Scripted::new([]), &stored("v1.28.3", &[]), &config("v1.30.2", &[])).await;
    let error = said(&plan.diagnostics, "Kubernetes upgrade skips a minor version");
    assert_eq!(error.path, tfplugin::Path::of("kubernetes.version"));
    for words in ["upgrade_policy = \"sequential\"", "v1.29.0, then v1.30.2", "version = \"v1.29.0\""] {
        assert!(error.detail.contains(words), "{}", error.detail);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_refuses_what_kamaji_does_not_support_although_the_first_step_is_fine() {
    let too_new = denial("unable to upgrade to a version greater than the supported one (v1.29)");
    let api = Scripted::new([on(Method::PATCH, TENANT).answers(403, &too_new)]);
    let config = sequential("v1.30.2", &[]);
    let plan = plan(&api, &Scripted::new([]), &stored("v1.28.3", &[]), &config).await;
    assert!(plan.diagnostics.has_errors());
    said(&plan.diagnostics, "Kubernetes version not supported by Kamaji");
    api.finish();
}

#[rstest]
#[case::paused(&[("annotations", Value::object([("kamaji.clastix.io/paused", Value::from(""))]))], &[])]
#[case::limited(&[], &[("status", "WriteLimited".into())])]
#[case::migrating(&[], &[("status", "Migrating".into())])]
#[case::migrating_with_it(&[("data_store", "other".into())], &[])]
#[tokio::test(start_paused = true)]
async fn a_plan_refuses_an_upgrade_while_something_else_goes_on(
    #[case] edits: &[(&str, Value)],
    #[case] state: &[(&str, Value)],
) {
    let mut prior = stored("v1.28.3", &[]);
    for (path, value) in state {
        prior.set(path, value.clone());
    }
    let plan = plan(&Scripted::new([]), &Scripted::new([]), &prior, &config("v1.29.0", edits)).await;
    said(&plan.diagnostics, "Kubernetes upgrade is not possible now");
}

#[tokio::test(start_paused = true)]
async fn a_plan_sees_that_somebody_else_has_paused_the_control_plane() {
    let paused =
        with(live("v1.29.0", "v1.28.3"), &[("/metadata/annotations", json!({"kamaji.clastix.io/paused": ""}))]);
    let api = Scripted::new([writes(&paused), crd(&["Sleeping"], true)]);
    let plan = plan(&api, &Scripted::new([]), &stored("v1.28.3", &[]), &config("v1.29.0", &[])).await;
    said(&plan.diagnostics, "Kubernetes upgrade is not possible now");
}
