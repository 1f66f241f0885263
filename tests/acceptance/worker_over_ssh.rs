//! `kamaji_worker`: a machine behind a real SSH server joins, runs pods, and leaves so that it can join again.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::cluster::run;
use crate::harness::sandbox::provider;
use crate::harness::terraform::change;
use crate::harness::{Sandbox, SshMachine, Tenant, wait_for};

const WORKER: &str = "kamaji_worker.one";

/// The provider block with what logs in.
fn settings(sandbox: &Sandbox, ssh: &str) -> String {
    provider(&format!("config_path = {:?}\n  ssh = {{ {ssh} }}", sandbox.cluster.kubeconfig()))
}

/// A worker with further arguments.
fn worker(machine: &SshMachine, arguments: &str) -> String {
    format!(
        "resource \"kamaji_worker\" \"one\" {{\n  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id\n  host = {:?}\n  \
         {arguments}\n}}\n",
        machine.address
    )
}

fn pinned(machine: &SshMachine, arguments: &str) -> String {
    worker(machine, &format!("host_key = {:?}\n  {arguments}", machine.host_key))
}

fn key(machine: &SshMachine) -> String {
    format!("private_key_file = {:?}", machine.key_file)
}

fn tenant(sandbox: &Sandbox) -> Tenant {
    sandbox.tenant().version("v1.30.2").with("addons", "{ kube_proxy = {}, core_dns = {} }")
}

/// A workload on the tenant's nodes whose disruption budget lets no pod go.
fn guarded_workload(sandbox: &Sandbox) {
    let labels = json!({ "app": "guarded" });
    let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "guarded", "namespace": "default" },
          "spec": { "replicas": 1, "selector": { "matchLabels": labels }, "template": {
            "metadata": { "labels": labels },
            "spec": { "containers": [{ "name": "pause", "image": "kamaji.local/pause:1" }], "terminationGracePeriodSeconds": 1 } } } },
        { "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "guarded", "namespace": "default" },
          "spec": { "minAvailable": 1, "selector": { "matchLabels": labels } } },
    ]});
    let file = sandbox.terraform.path().join("guarded.json");
    fs::write(&file, objects.to_string()).expect("written");
    sandbox.cluster.in_tenant(&sandbox.namespace, &["apply", "-f", &file.to_string_lossy()]);
    let rollout = ["rollout", "status", "deployment/guarded", "--timeout=15s"];
    wait_for("the workload runs", Duration::from_secs(90), || {
        sandbox.cluster.in_tenant_command(&sandbox.namespace, &rollout).status.success().then_some(())
    });
}

#[test]
fn a_machine_joins_runs_pods_leaves_within_budgets_and_joins_again() {
    let mut sandbox = Sandbox::new("ssh");
    if !sandbox.cluster.is_local_for("machines behind SSH") {
        return;
    }
    sandbox.terraform.log_everything();
    let machine = SshMachine::boot(&sandbox, "bare");
    let (tenant, settings) = (tenant(&sandbox).hcl(), settings(&sandbox, &key(&machine)));
    let labelled = |more: &str| {
        pinned(
            &machine,
            &format!(
                "node_labels = {{ \"example.com/pool\" = \"a\", \"node-role.kubernetes.io/worker\" = \"\" }}\n  \
                 kubelet_extra_args = [{{ name = \"max-pods\", value = \"40\" }}]\n  {more}"
            ),
        )
    };
    let name = machine.machine.name.clone();
    let in_tenant = |arguments: &[&str]| sandbox.cluster.in_tenant(&sandbox.namespace, arguments);

    // One apply: the tenant and its node.
    sandbox.terraform.configure(&[settings.as_str(), &tenant, &labelled("")].join("\n"));
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let state = sandbox.terraform.resource(WORKER)["values"].clone();
    assert_eq!(state["id"], format!("{}/blue#{name}", sandbox.namespace));
    assert_eq!((state["ready"].clone(), state["kubelet_version"].clone()), (json!(true), json!("v1.30.2")));
    let node = machine.machine.ready_node(&sandbox);
    assert_eq!(node["metadata"]["labels"]["example.com/pool"], "a");
    assert_eq!(node["metadata"]["labels"]["node-role.kubernetes.io/worker"], "");
    assert_eq!(node["status"]["capacity"]["pods"], "40");
    assert_eq!(machine.machine.runs_a_pod(&sandbox)["gitVersion"], "v1.30.2");
    let tokens = in_tenant(&["get", "secrets", "-n", "kube-system", "-o", "name"]);
    assert!(!tokens.contains("bootstrap-token-"), "the token is revoked: {tokens}");

    // Labels and taints change in place.
    let relabelled = labelled("node_taints = [{ key = \"maintenance\", effect = \"PreferNoSchedule\" }]")
        .replace("\"example.com/pool\" = \"a\"", "\"example.com/pool\" = \"b\"");
    sandbox.terraform.configure(&[settings.as_str(), &tenant, &relabelled].join("\n"));
    sandbox.terraform.plan().has_changes();
    assert_eq!(change(&sandbox.terraform.planned(), WORKER)["actions"], json!(["update"]));
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let node = machine.machine.ready_node(&sandbox);
    assert_eq!(node["metadata"]["labels"]["example.com/pool"], "b");
    assert_eq!(node["spec"]["taints"][0]["key"], "maintenance");

    // A budget delays the destroy, and the log says so.
    guarded_workload(&sandbox);
    sandbox.terraform.configure(&[settings.as_str(), &tenant].join("\n"));
    let mut destroy = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    wait_for("the budget delays the drain", Duration::from_secs(60), || {
        destroy.log().contains("a PodDisruptionBudget delays the drain").then_some(())
    });
    let node: Json = serde_json::from_str(&in_tenant(&["get", "node", &name, "-o", "json"])).expect("JSON");
    assert!(node["spec"]["unschedulable"] == true && destroy.is_running());
    in_tenant(&["delete", "poddisruptionbudget", "guarded"]);
    destroy.wait().succeeds();
    assert_eq!(in_tenant(&["get", "nodes", "-o", "name"]), "");
    let left = machine.machine.command(&["ls", "/etc/kubernetes/kubelet.conf", "/etc/kubernetes/pki"]).output();
    assert!(!left.expect("runs").status.success(), "something of the join is left");

    // The machine is clean enough to join again.
    sandbox.terraform.configure(&[settings.as_str(), &tenant, &labelled("")].join("\n"));
    sandbox.terraform.apply().succeeds();
    machine.machine.ready_node(&sandbox);
    assert_eq!(machine.machine.runs_a_pod(&sandbox)["gitVersion"], "v1.30.2");

    // No token, no key: what was minted is only in the process.
    let key = fs::read_to_string(&machine.key_file).expect("a key");
    let middle = key.lines().nth(2).expect("lines");
    for file in sandbox.terraform.files() {
        let content = String::from_utf8_lossy(&fs::read(&file).expect("readable")).into_owned();
        if file != machine.key_file {
            assert!(!content.contains(middle), "the private key is in {}", file.display());
        }
        let token = content.match_indices('.').any(|(at, _)| is_token(content.as_bytes(), at));
        assert!(!token, "a bootstrap token is in {}", file.display());
    }
    sandbox.terraform.destroy().succeeds();
}

/// True if a bootstrap token has its dot here, by the names that stand before it in configurations and commands.
fn is_token(text: &[u8], dot: usize) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(id), Some(secret)) =
        (dot.checked_sub(6).and_then(|from| text.get(from..dot)), text.get(dot + 1..dot + 17))
    else {
        return false;
    };
    let before = String::from_utf8_lossy(text.get(dot.saturating_sub(30)..dot - 6).unwrap_or_default()).into_owned();
    id.iter().all(plain) && secret.iter().all(plain) && (before.contains("token") || before.contains("Token"))
}

#[test]
fn what_stands_against_a_join_is_said_before_anything_changes() {
    let mut sandbox = Sandbox::new("ssh-errors");
    if !sandbox.cluster.is_local_for("machines behind SSH") {
        return;
    }
    let machine = SshMachine::boot(&sandbox, "odd");
    let tenant = tenant(&sandbox).hcl();
    let good = settings(&sandbox, &format!("{}, known_hosts = \"nobody {OTHER_KEY}\"", key(&machine)));
    sandbox.terraform.configure(&[good.as_str(), &tenant].join("\n"));
    sandbox.terraform.apply().succeeds();
    let fails = |settings: &str, worker: &str| {
        sandbox.terraform.configure(&[settings, &tenant, worker].join("\n"));
        let error = sandbox.terraform.apply().error();
        assert_eq!(sandbox.terraform.resource(WORKER), Json::Null, "nothing is made: {error:?}");
        error
    };

    // Whose key nobody knows, and whose key is another one.
    let error = fails(&good, &worker(&machine, ""));
    assert_eq!(error.summary, "Host key is not known");
    assert!(error.detail.contains(&format!("host_key = \"{}\"", machine.host_key)), "{}", error.detail);
    let error = fails(&good, &worker(&machine, &format!("host_key = {OTHER_KEY:?}")));
    assert_eq!(error.summary, "Host key is another one");
    let wrong = settings(&sandbox, &format!("{}, known_hosts = \"{} {OTHER_KEY}\"", key(&machine), machine.address));
    assert_eq!(fails(&wrong, &worker(&machine, "")).summary, "Host key is another one");

    // Whose users are others.
    let nothing = settings(&sandbox, "agent = false");
    let error = fails(&nothing, &pinned(&machine, ""));
    assert!(
        error.summary == "SSH login refused" && error.detail.contains("nothing to log in with"),
        "{}",
        error.detail
    );
    let host_key = machine.key_file.with_file_name("odd-host-key");
    let error = fails(&settings(&sandbox, &format!("private_key_file = {host_key:?}")), &pinned(&machine, ""));
    assert_eq!(error.summary, "SSH login refused");

    // Everything at once that kubeadm would stop at.
    let stop = machine.machine.command(&["systemctl", "stop", "containerd"]).output().expect("runs");
    assert!(stop.status.success(), "{stop:?}");
    let unreachable = pinned(&machine, "endpoint = \"192.0.2.1:6443\"\n  cri_socket = \"unix:///run/none.sock\"");
    let error = fails(&good, &unreachable);
    assert_eq!(error.summary, "Machine cannot join yet");
    assert!(error.detail.contains("- CRI:") && error.detail.contains("- Endpoint:"), "{}", error.detail);
    let start = machine.machine.command(&["systemctl", "start", "containerd"]).output().expect("runs");
    assert!(start.status.success(), "{start:?}");

    // A join that is interrupted half way ends at once, on the machine too. The next apply makes it good. Through a bastion,
    // with the key in the configuration.
    let text = fs::read_to_string(&machine.key_file).expect("a key");
    let inline = settings(&sandbox, &format!("private_key = <<-KEY\n{text}KEY\n "));
    let joining = |arguments: &str| {
        format!(
            "resource \"kamaji_worker\" \"one\" {{\n  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id\n  host = \
             \"127.0.0.1\"\n  host_key = {key:?}\n  bastion = {{ host = {host:?}, port = 2222, host_key = {key:?} }}\n  {arguments}\n}}\n",
            host = machine.address,
            key = machine.host_key
        )
    };
    // A kubelet that does not start.
    let broken = joining("kubelet_extra_args = [{ name = \"max-pods\", value = \"none\" }]");
    sandbox.terraform.configure(&[inline.as_str(), &tenant, &broken].join("\n"));
    let apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    let exists =
        |file: &str| machine.machine.command(&["test", "-e", file]).status().is_ok_and(|status| status.success());
    wait_for("the join is under way", Duration::from_secs(60), || {
        exists("/etc/kubernetes/bootstrap-kubelet.conf").then_some(())
    });
    let begin = std::time::Instant::now();
    apply.interrupt();
    // Terraform adds that it stops.
    assert_eq!(apply.wait().errors()[0].summary, "Interrupted while joining");
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(4), "the interrupt took {took:?}");
    wait_for("kubeadm ends, and the token goes", Duration::from_secs(10), || {
        let runs = machine.machine.command(&["pgrep", "-x", "kubeadm"]).status().is_ok_and(|status| status.success());
        (!runs && !exists("/etc/kubernetes/kubeadm-join.yaml")).then_some(())
    });
    let tokens = sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "secrets", "-n", "kube-system", "-o", "name"]);
    assert!(!tokens.contains("bootstrap-token-"), "the token is revoked: {tokens}");
    let resource = sandbox.terraform.resource(WORKER);
    assert_eq!(resource["tainted"], true, "{resource}");
    sandbox.terraform.configure(&[inline.as_str(), &tenant, &joining("")].join("\n"));
    sandbox.terraform.apply().succeeds();
    machine.machine.ready_node(&sandbox);
    sandbox.terraform.plan().plans_nothing();

    // Taken out of the state and imported, it is the same machine.
    sandbox.terraform.run(&["state", "rm", WORKER]).succeeds();
    let error = sandbox.terraform.apply().error();
    assert_eq!(error.summary, "Machine is a node already");
    let id = format!("{}/blue#{}", sandbox.namespace, machine.machine.name);
    assert!(error.detail.contains(&id), "{}", error.detail);
    sandbox.terraform.run(&["import", "-no-color", WORKER, &id]).succeeds();
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();

    // A destroy has what the provider block says then: an agent.
    let socket = sandbox.terraform.path().join("agent");
    let mut agent =
        Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().expect("starts");
    wait_for("the agent listens", Duration::from_secs(5), || socket.exists().then_some(()));
    run(Command::new("ssh-add").arg("-q").arg(&machine.key_file).env("SSH_AUTH_SOCK", &socket));
    sandbox.terraform.set("SSH_AUTH_SOCK", &socket.to_string_lossy());
    sandbox.terraform.configure(&[settings(&sandbox, "agent = true").as_str(), &tenant, &joining("")].join("\n"));
    let destroyed = sandbox.terraform.destroy();
    agent.kill().and_then(|()| agent.wait()).expect("ended");
    destroyed.succeeds();
}

const OTHER_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
