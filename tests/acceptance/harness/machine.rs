//! Machines that join tenants: booted by the local cluster, with user data that they execute.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::cluster::{Cluster, run, text};
use super::{Sandbox, wait_for};

/// A booted machine; the drop ends it.
pub struct Machine {
    cluster: &'static Cluster,
    /// Its host name, and so the name of its node.
    pub name: String,
}

impl Machine {
    /// Boots a machine that executes user data; panics if that fails.
    pub fn boot(sandbox: &Sandbox, name: &str, user_data: &str) -> Self {
        let machine = Self { cluster: sandbox.cluster, name: format!("{}-{name}", sandbox.namespace) };
        sandbox.terraform.write(name, user_data);
        let file = sandbox.terraform.path().join(name);
        run(sandbox.cluster.worker(&["up", &machine.name, "--user-data"]).arg(file));
        machine
    }

    /// A command that runs in it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.cluster.worker(&["run", &self.name, "--"]);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Its node once that is Ready.
    pub fn ready_node(&self, sandbox: &Sandbox) -> Json {
        wait_for(&format!("node {} is Ready", self.name), Duration::from_secs(120), || {
            let get = ["get", "node", &self.name, "--ignore-not-found", "-o", "json"];
            let node: Json = serde_json::from_str(&sandbox.cluster.in_tenant(&sandbox.namespace, &get)).ok()?;
            let conditions = node["status"]["conditions"].as_array()?;
            conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True").then_some(node)
        })
    }

    /// Runs a pod on its node, whatever the taints, that asks the tenant's API for its version as pods do: by the
    /// address of the Service, with the token of a ServiceAccount. Returns the answer, which comes by way of the node.
    pub fn runs_a_pod(&self, sandbox: &Sandbox) -> Json {
        let in_tenant = |arguments: &[&str]| sandbox.cluster.in_tenant(&sandbox.namespace, arguments);
        let (name, version) = (format!("asks-on-{}", self.name), "v1.30.2");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
            "spec": {
                "nodeSelector": { "kubernetes.io/hostname": self.name },
                "tolerations": [{ "operator": "Exists" }],
                // kube-proxy may come up later than the pod.
                "restartPolicy": "OnFailure",
                "containers": [{
                    "name": "kubectl", "image": format!("registry.k8s.io/kubectl:{version}"),
                    "args": ["get", "--raw", "/version"],
                }],
            },
        });
        let manifest = sandbox.terraform.path().join(format!("{name}.json"));
        std::fs::write(&manifest, pod.to_string()).expect("written");
        in_tenant(&["create", "-f", &manifest.to_string_lossy()]);
        // Each time that it fails, kubelet waits longer before it tries again: 150 s in all for the fourth time.
        wait_for(&format!("pod {name} has run"), Duration::from_secs(240), || {
            let phase = in_tenant(&["get", "pod", &name, "-o", "jsonpath={.status.phase}"]);
            (phase == "Succeeded").then_some(())
        });
        let answer: Json = serde_json::from_str(&in_tenant(&["logs", &name])).expect("JSON");
        in_tenant(&["delete", "pod", &name]);
        answer
    }
}

/// A machine behind an SSH server, with nothing on it but container runtime, kubelet and kubeadm.
pub struct SshMachine {
    /// The machine.
    pub machine: Machine,
    /// Its address. The server listens on ports 22 and 2222.
    pub address: String,
    /// Fingerprint of the server's key.
    pub host_key: String,
    /// The file of a key that lets root in.
    pub key_file: PathBuf,
}

impl SshMachine {
    /// Boots a machine that runs Debian's SSH server.
    pub fn boot(sandbox: &Sandbox, name: &str) -> Self {
        let folder = sandbox.terraform.path();
        let key_file = folder.join(format!("{name}-key"));
        let generate = |file: &Path| {
            let file = file.to_string_lossy();
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", &file]));
        };
        let host_key_file = folder.join(format!("{name}-host-key"));
        generate(&key_file);
        generate(&host_key_file);
        let read = |file: &Path| std::fs::read_to_string(file).expect("a key");
        let script = format!(
            "#!/bin/sh\nset -eu\numask 077\nmkdir -p /run/sshd /root/.ssh /etc/ssh\n\
             cat >/root/.ssh/authorized_keys <<'END'\n{}END\ncat >/etc/ssh/test_host_key <<'END'\n{}END\n\
             cat >/etc/ssh/test_config <<'END'\nPort 22\nPort 2222\nHostKey /etc/ssh/test_host_key\nPermitRootLogin yes\n\
             PasswordAuthentication no\nUsePAM no\nPidFile none\nEND\n/usr/sbin/sshd -f /etc/ssh/test_config\n",
            read(&key_file.with_file_name(format!("{name}-key.pub"))),
            read(&host_key_file),
        );
        let machine = Machine::boot(sandbox, name, &script);
        let address = text(&run(&mut machine.command(&["ip", "-4", "-o", "address", "show", "eth0"])));
        let address =
            address.split_whitespace().find_map(|word| word.split_once('/')).expect("an address").0.to_owned();
        let print = text(&run(Command::new("ssh-keygen").arg("-lf").arg(&host_key_file)));
        let host_key = print.split(' ').nth(1).expect("a fingerprint").to_owned();
        Self { machine, address, host_key, key_file }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let down = self.cluster.worker(&["down", &self.name]).output();
        if !down.is_ok_and(|output| output.status.success()) {
            eprintln!("the machine {} could not be ended", self.name);
        }
    }
}

/// Runs a command with a text as its input; its output, or what it complained about.
pub fn fed(command: &mut Command, input: &str) -> Result<String, String> {
    use std::io::Write as _;
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("taken");
    let output = child.wait_with_output().expect("ends");
    let said = format!("{}{}", text(&output), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(said) }
}
