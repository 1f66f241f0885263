//! Joins and leaves of a machine in this process, against scripted APIs.

use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tfplugin::plan::propose;
use tfplugin::resource::Checkpoint;

use super::*;
use crate::configured::Settings;
use crate::management_cluster::scripted::{Scripted, Step, failure, list_of, not_found, on};
use crate::ssh::tests::{FakeMachine, Reply};
use crate::tenant_cluster::tests::{CA, CLUSTER_INFO, TOKENS, connect, control_plane, deleted, management, ready};

const NODES: &str = "/api/v1/nodes";
const TOKEN: &str = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-*";
const KUBELET_CONFIG: &str = "/api/v1/namespaces/kube-system/configmaps/kubelet-config";

fn answer() -> String {
    super::probe::tests::good().replace("v1.30.2", "v1.32.4").replace("clock\t1000", &format!("clock\t{}", now()))
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A machine that says this of itself, whose kubeadm ends with this status, and that resets as the same machine.
async fn machine(probe: String, joins: u32) -> FakeMachine {
    FakeMachine::start(move |script| {
        if script.contains("say uid") {
            Reply::says(&probe)
        } else if script.contains("kubeadm join") {
            Reply::Exit(joins, String::new(), "error execution phase preflight".to_owned())
        } else if script.contains("kubeadm reset") {
            Reply::says("")
        } else {
            Reply::says("abc\n")
        }
    })
    .await
}

fn node(ready: bool) -> Json {
    let status = if ready { "True" } else { "False" };
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", "uid": "u1", "resourceVersion": "5",
            "labels": {"example.com/pool": "a"}},
        "status": {"nodeInfo": {"machineID": "abc", "kubeletVersion": "v1.32.4"},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.9"}],
            "conditions": [{"type": "Ready", "status": status, "message": "cni plugin not initialized"}]}})
}

fn worker(machine: &FakeMachine, tenant: &Scripted) -> Worker {
    let settings = Settings { ssh: crate::ssh::Settings::of(&machine.block()), ..Settings::default() };
    let management = Scripted::new(management(&control_plane()));
    Worker::with(Arc::new(Configured::with(management.cluster(), None, settings)), connect(tenant))
}

fn config(machine: &FakeMachine) -> Value {
    let mut config = SCHEMA.null_object();
    config.set("tenant_control_plane_id", "tenants/a".into());
    machine.place(&mut config);
    config
}

fn create(config: Value) -> ApplyRequest {
    let planned = propose(&SCHEMA, &Value::Null, &config, &config).planned;
    ApplyRequest { prior: Value::Null, planned, config, private: Private::default(), checkpoint: Checkpoint::default() }
}

/// A tenant until the token is there.
fn until_the_token(nodes: &[Json]) -> Vec<Step> {
    let bad = failure(400, "BadRequest", "not now", &json!({}));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "uid": "uid-t"}});
    vec![
        ready(),
        on(Method::GET, NODES).answers(200, &list_of("1", nodes)),
        on(Method::GET, KUBELET_CONFIG).answers(404, &not_found("configmaps", "kubelet-config")).always(),
        on(Method::GET, CLUSTER_INFO).answers(400, &bad).always(),
        on(Method::POST, TOKENS).answers(201, &secret),
    ]
}

fn first(diagnostics: &Diagnostics) -> &Diagnostic {
    diagnostics.iter().next().expect("a diagnostic")
}

#[tokio::test]
async fn a_join_leaves_a_node_in_the_state_and_no_token_anywhere() {
    let machine = machine(answer(), 0).await;
    let mut script = until_the_token(&[]);
    script.push(on(Method::DELETE, TOKEN).answers(200, &deleted()));
    for ready in [false, true] {
        script.push(on(Method::GET, NODES).answers(200, &list_of("5", &[node(ready)])));
    }
    let tenant = Scripted::new(script);
    let mut config = config(&machine);
    config.set("node_labels", Value::object([("example.com/pool", Value::from("a"))]));
    let request = create(config);
    let response = worker(&machine, &tenant).create(&Context::default(), request.clone()).await;
    assert!(response.diagnostics.is_empty(), "{:?}", response.diagnostics);
    tenant.finish();
    let text = |name: &str| response.state.str_at(name).unwrap_or_default().to_owned();
    assert_eq!((text("id"), text("node_name")), ("tenants/a#node-1".to_owned(), "node-1".to_owned()));
    assert_eq!((text("machine_id"), text("node_uid")), ("abc".to_owned(), "u1".to_owned()));
    assert_eq!(response.state.get("ready"), &Value::from(true));
    let join = machine.asked().into_iter().find(|script| script.contains("kubeadm join")).expect("it joined");
    assert!(join.contains("node-labels") && join.contains("example.com/pool=a"), "{join}");
    let posted = tenant.asked().into_iter().find(|asked| asked.method == Method::POST).expect("a token").body;
    let secret = posted["stringData"]["token-secret"].as_str().expect("a secret").to_owned();
    assert!(join.contains(&secret), "the machine gets the token");
    assert!(!format!("{:?}{:?}", response.state, response.private).contains(&secret));
    assert!(!format!("{:?}", request.checkpoint.last()).contains(&secret));
}

#[tokio::test]
async fn a_join_that_fails_keeps_the_state_and_revokes_the_token() {
    let machine = machine(answer(), 1).await;
    let mut script = until_the_token(&[]);
    script.push(on(Method::DELETE, TOKEN).answers(200, &deleted()));
    let tenant = Scripted::new(script);
    let response = worker(&machine, &tenant).create(&Context::default(), create(config(&machine))).await;
    tenant.finish();
    let error = first(&response.diagnostics);
    assert!(error.summary == "Join failed" && error.detail.contains("phase preflight"), "{error:?}");
    assert_eq!(response.state.str_at("node_name"), Some("node-1"));
    assert_eq!(response.state.str_at("machine_id"), Some("abc"));
}

#[tokio::test]
async fn a_node_without_a_network_says_what_is_missing() {
    let machine = machine(answer(), 0).await;
    let mut script = until_the_token(&[]);
    script.push(on(Method::DELETE, TOKEN).answers(200, &deleted()));
    for _ in 0..2 {
        script.push(on(Method::GET, NODES).answers(200, &list_of("5", &[node(false)])));
    }
    script.push(on(Method::GET, NODES).streams(&[]));
    let tenant = Scripted::new(script);
    let mut config = config(&machine);
    config.set("timeouts", Value::object([("create", Value::from("4s"))]));
    let response = worker(&machine, &tenant).create(&Context::default(), create(config)).await;
    let error = first(&response.diagnostics);
    assert!(error.summary == "Node is not ready" && error.detail.contains("wait_for = \"joined\""), "{error:?}");
    assert!(!response.state.is_null());
}

#[rstest::rstest]
#[case::preflight(answer().replace("systemctl\tyes", "swap\ton"), vec![], "Machine cannot join yet")]
#[case::no_sudo("sudo: a password is required\n".to_owned(), vec![], "No commands as root on the machine")]
#[case::control_plane(format!("{}file\tmanifests/kube-apiserver.yaml\n", answer()), vec![], "Machine is a control plane node")]
#[case::another_cluster(format!("{}file\tkubelet.conf\n", answer()), vec![], "Machine belongs to another cluster")]
#[case::a_node_already(joined(), vec![node(true)], "Machine is a node already")]
#[case::the_name(answer().replace("machine_id\tabc", "machine_id\tdef"), vec![node(true)], "Node name is taken")]
#[tokio::test]
async fn nothing_is_changed_on_a_machine_that_cannot_join(
    #[case] probe: String,
    #[case] nodes: Vec<Json>,
    #[case] summary: &str,
) {
    let machine = machine(probe, 0).await;
    let tenant = Scripted::new(until_the_token(&nodes).into_iter().filter(|step| !step.is(&Method::POST)));
    let response = worker(&machine, &tenant).create(&Context::default(), create(config(&machine))).await;
    assert_eq!(first(&response.diagnostics).summary, summary, "{:?}", response.diagnostics);
    assert!(response.state.is_null());
    assert!(!machine.asked().iter().any(|script| script.contains("kubeadm join") || script.contains("kubeadm reset")));
}

/// What a machine says that is a node of the tenant.
fn joined() -> String {
    use base64::Engine as _;
    let ca = base64::engine::general_purpose::STANDARD.encode(CA);
    format!("{}file\tkubelet.conf\n", answer().replace("ca\t\n", &format!("ca\t{ca}\n")))
}

#[tokio::test]
async fn what_an_interrupted_join_has_left_is_reset_first() {
    let machine = machine(joined(), 0).await;
    let mut script = until_the_token(&[node(false)]);
    let deletes = on(Method::DELETE, "/api/v1/nodes/node-1").answers(200, &deleted());
    script.insert(script.len() - 1, deletes);
    script.push(on(Method::DELETE, TOKEN).answers(200, &deleted()));
    script.push(on(Method::GET, NODES).answers(200, &list_of("5", &[node(true)])));
    let tenant = Scripted::new(script);
    let mut config = config(&machine);
    config.set("wait_for", "joined".into());
    let response = worker(&machine, &tenant).create(&Context::default(), create(config)).await;
    assert!(response.diagnostics.is_empty(), "{:?}", response.diagnostics);
    tenant.finish();
    let asked = machine.asked();
    let at = |what: &str| asked.iter().position(|script| script.contains(what)).expect("asked");
    assert!(at("kubeadm reset") < at("kubeadm join"));
}

fn state(machine: &FakeMachine, on_destroy: Option<&str>) -> Value {
    let mut state = config(machine);
    for (name, value) in
        [("id", "tenants/a#node-1"), ("node_name", "node-1"), ("machine_id", "abc"), ("node_uid", "u1")]
    {
        state.set(name, value.into());
    }
    state.set("on_destroy", on_destroy.into());
    state
}

fn delete(prior: Value) -> DeleteRequest {
    DeleteRequest { prior, private: Private::write(&Memory { tenant_uid: "uid-a".to_owned() }) }
}

#[tokio::test]
async fn a_destroy_takes_the_node_out_and_resets_the_machine() {
    let machine = machine(answer(), 0).await;
    let pods = "/api/v1/pods";
    let tenant = Scripted::new([
        ready(),
        on(Method::GET, "/api/v1/nodes/node-1").answers(200, &node(true)).always(),
        on(Method::GET, pods).answers(200, &list_of("1", &[])).always(),
        on(Method::PATCH, "/api/v1/nodes/node-1").answers(200, &node(true)),
        on(Method::DELETE, "/api/v1/nodes/node-1").answers(200, &deleted()),
    ]);
    let said = worker(&machine, &tenant).delete(&Context::default(), delete(state(&machine, None))).await;
    assert!(said.is_empty(), "{said:?}");
    tenant.finish();
    assert!(machine.asked().last().is_some_and(|script| script.contains("kubeadm reset")));
}

#[tokio::test]
async fn another_machine_is_neither_reset_nor_its_node_drained() {
    let machine = FakeMachine::start(|_| Reply::says("def\n")).await;
    let tenant = Scripted::new([]);
    let said = worker(&machine, &tenant).delete(&Context::default(), delete(state(&machine, None))).await;
    assert_eq!(first(&said).summary, "Another machine answers");
    tenant.finish();
}

#[tokio::test]
async fn a_machine_that_is_gone_is_left_only_if_that_was_said() {
    let machine = machine(answer(), 0).await;
    let gone = |on_destroy| {
        let mut state = state(&machine, on_destroy);
        state.set("port", 1.into());
        state.set("timeouts", Value::object([("delete", Value::from("4s"))]));
        delete(state)
    };
    let none = || {
        let missing = not_found("nodes", "node-1");
        Scripted::new([ready(), on(Method::GET, "/api/v1/nodes/node-1").answers(404, &missing).always()])
    };
    let tenant = none();
    let said = worker(&machine, &tenant).delete(&Context::default(), gone(None)).await;
    let error = first(&said);
    assert!(said.has_errors() && error.detail.contains("on_destroy = \"leave\""), "{error:?}");
    assert!(tenant.asked().is_empty(), "nothing is drained");
    let said = worker(&machine, &none()).delete(&Context::default(), gone(Some("leave"))).await;
    assert!(said.is_empty(), "{said:?}");
    assert!(machine.asked().is_empty());
}

#[tokio::test]
async fn a_node_that_was_removed_is_planned_anew_and_a_silent_tenant_keeps_the_state() {
    let machine = machine(answer(), 0).await;
    let read = |tenant: Scripted, prior: Value| {
        let request = ReadRequest { state: prior, private: Private::default() };
        let worker = worker(&machine, &tenant);
        async move { worker.read(&Context::default(), request).await }
    };
    let path = "/api/v1/nodes/node-1";
    let missing = Scripted::new([ready(), on(Method::GET, path).answers(404, &not_found("nodes", "node-1"))]);
    assert!(read(missing, state(&machine, None)).await.state.is_null());
    let silent = Scripted::new([on(Method::GET, "/readyz").refused().always()]);
    let response = read(silent.clone(), state(&machine, None)).await;
    assert!(response.diagnostics.is_empty() && response.state == state(&machine, None));
    // An import has nothing to keep.
    let imported = worker(&machine, &silent).import(&Context::default(), "tenants/a#node-1").await;
    assert!(read(silent, imported.state.clone()).await.diagnostics.has_errors());
    let there = Scripted::new([ready(), on(Method::GET, path).answers(200, &node(true))]);
    let response = read(there, imported.state).await;
    assert_eq!(response.state.str_at("machine_id"), Some("abc"));
    assert_eq!(response.state.get("addresses"), &Value::strings(["10.0.0.9"]));
}

#[tokio::test]
async fn each_change_costs_what_the_page_says() {
    let machine = machine(answer(), 0).await;
    let tenant = Scripted::new([]);
    let worker = worker(&machine, &tenant);
    let prior = state(&machine, None);
    let planned = |edit: &dyn Fn(&mut Value), prior: &Value| {
        let mut config = config(&machine);
        edit(&mut config);
        let mut proposed = config.clone();
        for name in ["id", "node_name", "machine_id", "node_uid", "kubelet_version", "addresses", "ready"] {
            proposed.set(name, prior.get(name).clone());
        }
        let proposal = propose(&SCHEMA, prior, &config, &proposed);
        let plan = Plan {
            planned: proposal.planned,
            requires_replace: proposal.replaced.into_iter().map(|(path, _)| path).collect(),
            private: Private::default(),
            diagnostics: Diagnostics::new(),
        };
        let request = PlanRequest { prior: prior.clone(), config, private: Private::default() };
        let worker = &worker;
        async move {
            let plan = worker.plan(&Context::default(), request, plan).await;
            plan.requires_replace.iter().map(ToString::to_string).collect::<Vec<_>>()
        }
    };
    let labels = Value::object([("a", Value::from("b"))]);
    assert_eq!(planned(&|config| config.set("node_labels", labels.clone()), &prior).await, [""; 0]);
    assert_eq!(planned(&|config| config.set("user", "admin".into()), &prior).await, [""; 0]);
    assert_eq!(planned(&|config| config.set("skip_phases", Value::strings(["preflight"])), &prior).await, [""; 0]);
    assert_eq!(planned(&|config| config.set("cri_socket", "unix:///run/a.sock".into()), &prior).await, ["cri_socket"]);
    assert_eq!(planned(&|config| config.set("host", "10.0.0.1".into()), &prior).await, ["host"]);
    assert_eq!(planned(&|config| config.set("host", Value::Unknown), &prior).await, ["host"]);
    assert_eq!(
        planned(&|config| config.set("tenant_control_plane_id", Value::Unknown), &prior).await,
        ["tenant_control_plane_id"]
    );
    // After an import the configuration only says what is.
    let mut imported = SCHEMA.null_object();
    imported.set("tenant_control_plane_id", "tenants/a".into());
    imported.set("node_name", "node-1".into());
    let edit = |config: &mut Value| config.set("cri_socket", "unix:///run/a.sock".into());
    assert_eq!(planned(&edit, &imported).await, [""; 0]);
}

#[tokio::test]
async fn an_interrupt_of_a_join_ends_within_a_second_and_keeps_the_state() {
    let probe = answer();
    let machine =
        FakeMachine::start(move |script| if script.contains("say uid") { Reply::says(&probe) } else { Reply::Hangs })
            .await;
    let mut script = until_the_token(&[]);
    script.push(on(Method::DELETE, TOKEN).answers(200, &deleted()));
    let tenant = Scripted::new(script);
    let context = Context::default();
    let stop = context.stop.clone();
    let stopped = Arc::new(Mutex::new(None));
    let (when, asked) = (Arc::clone(&stopped), tenant.clone());
    tokio::spawn(async move {
        while !asked.asked().iter().any(|asked| asked.method == Method::POST) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        *when.lock().unwrap() = Some(std::time::Instant::now());
        stop.cancel();
    });
    let response = worker(&machine, &tenant).create(&context, create(config(&machine))).await;
    let took = stopped.lock().unwrap().expect("stopped").elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(first(&response.diagnostics).summary, "Interrupted while joining");
    assert_eq!(response.state.str_at("node_name"), Some("node-1"));
    tenant.finish();
}

#[rstest::rstest]
#[case("tenants/a#node-1", true)]
#[case("tenants/a", false)]
#[case("a#node-1", false)]
#[case("tenants/a#", false)]
#[case("tenants/a#Node_1", false)]
fn a_worker_is_named_by_its_tenant_and_its_node(#[case] id: &str, #[case] good: bool) {
    assert_eq!(parse_id(id).is_ok(), good);
}
