use http::Method;
use serde_json::json;
use tfplugin::Diagnostic;

use super::*;
use crate::management_cluster::scripted::{Scripted, failure, list_of, on};
use crate::tenant_cluster::tests::{connect, control_plane, control_plane_with, management, ready};

const NODES: &str = "/api/v1/nodes";

fn node(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z", "labels": {
            "node-role.kubernetes.io/worker": "", "kubernetes.io/role": "batch", "a": "b", JOIN_ID_LABEL: "j1"}},
        "spec": {"unschedulable": true, "providerID": "aws://x", "podCIDRs": ["10.1.0.0/24"],
            "taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {"conditions": [{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.7"}], "capacity": {"cpu": "2"},
            "allocatable": {"cpu": "1900m"}, "nodeInfo": {"kubeletVersion": "v1.30.2", "architecture": "amd64"}}})
}

async fn read(live: &Json, tenant: &Scripted, selector: Option<&str>) -> Result<(Value, Diagnostics), Diagnostics> {
    let shared = Arc::new(Configured::of(Scripted::new(management(live)).cluster()));
    let mut config = SCHEMA.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    config.set("label_selector", selector.into());
    Nodes { inquiry: Inquiry::with(shared, connect(tenant)) }.read(&Context::default(), config).await
}

#[tokio::test(start_paused = true)]
async fn nodes_are_shown_by_name_with_what_users_ask_for() {
    let mut bare = node("a");
    bare["spec"] = json!({});
    bare["status"] = json!({});
    bare["metadata"]["labels"] = json!(null);
    let tenant = Scripted::new([ready(), on(Method::GET, NODES).answers(200, &list_of("1", &[node("b"), bare]))]);
    let (state, said) = read(&control_plane(), &tenant, Some("a=b")).await.unwrap();
    assert!(said.is_empty());
    let asked = tenant.asked().into_iter().find(|asked| asked.path == NODES).unwrap();
    assert!(asked.query.contains("labelSelector=a%3Db"), "{}", asked.query);
    assert_eq!(state.get("names"), &Value::strings(["a", "b"]));
    insta::assert_debug_snapshot!(state.get("nodes").as_list().unwrap());
    // What is shown is what the table says.
    let tfplugin::value::Type::List(of) = SCHEMA.attribute("nodes").unwrap().value_type() else { panic!("no list") };
    for shown in state.get("nodes").as_list().unwrap() {
        tfplugin::value::encode(shown, &of);
    }
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_cannot_be_read_is_named() {
    let refused = failure(400, "BadRequest", "unable to parse requirement: found '!!'", &json!({}));
    let tenant = Scripted::new([ready(), on(Method::GET, NODES).answers(400, &refused)]);
    let errors: Vec<Diagnostic> = read(&control_plane(), &tenant, Some("!!")).await.unwrap_err().into_iter().collect();
    assert_eq!(errors[0].path.to_string(), "label_selector");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_sleeps_gives_null() {
    let asleep = control_plane_with("/spec/controlPlane/deployment/replicas", json!(0));
    let (state, said) = read(&asleep, &Scripted::new([]), None).await.unwrap();
    assert!(state.get("nodes").is_null() && state.get("names").is_null());
    assert_eq!((said.iter().count(), said.has_errors()), (1, false));
}
