//! The management cluster: found or started by the program in `tests/acceptance/cluster`, asked through its kubectl.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::Value as Json;

use super::left_out;

/// The status of a tenant that sleeps, for [`Cluster::declares_for`]. Kamaji has learnt it together with pauses.
pub const SLEEPING: &str =
    "/properties/status/properties/kubernetesResources/properties/version/properties/status/enum=Sleeping";
/// The generation that Kamaji has seen, for [`Cluster::declares_for`].
pub const SEEN: &str = "/properties/status/properties/observedGeneration";

/// A running management cluster.
pub struct Cluster {
    program: PathBuf,
    facts: BTreeMap<String, String>,
    ports: Mutex<VecDeque<u16>>,
}

/// The cluster that all tests share. The first call finds or starts it.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    fn start() -> Self {
        let program = program();
        let up = Command::new(&program).arg("up").stdout(Stdio::null()).status().expect("cluster up starts");
        assert!(up.success(), "the cluster did not come up; its report is above");
        let facts = facts(&text(&run(Command::new(&program).arg("env"))));
        let ports = facts["KAMAJI_CLUSTER_FREE_NODEPORTS"].split(' ').map(|port| port.parse().expect("a port"));
        let mut ports: VecDeque<u16> = ports.collect();
        // Another run of tests at the same time begins elsewhere.
        ports.rotate_left(std::process::id() as usize % ports.len());
        Self { program, facts, ports: Mutex::new(ports) }
    }

    /// Path of the program that runs the cluster.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Paths of programs that validate user data: `IGNITION_VALIDATE`, and `CLOUD_INIT` where it can be had. Built the
    /// first time.
    pub fn validators(&self) -> BTreeMap<String, String> {
        facts(&text(&run(Command::new(&self.program).arg("validators"))))
    }

    /// Path of the kubeconfig.
    pub fn kubeconfig(&self) -> &str {
        &self.facts["KUBECONFIG"]
    }

    /// Address under which NodePorts answer.
    pub fn node_address(&self) -> &str {
        &self.facts["KAMAJI_CLUSTER_NODE_ADDRESS"]
    }

    /// A fact of `cluster env` that only the local cluster has.
    pub fn fact(&self, name: &str) -> &str {
        self.facts.get(name).unwrap_or_else(|| panic!("{name}: not a fact of a cluster given by KUBECONFIG"))
    }

    /// True for the cluster that this machine runs: its components can be stopped, machines booted, its etcd entered.
    /// Otherwise says what is left out.
    pub fn is_local_for(&self, what: &str) -> bool {
        let local = self.facts.contains_key("KAMAJI_CLUSTER_STATE");
        if !local {
            left_out(&format!("since the cluster is given by KUBECONFIG: {what}"));
        }
        local
    }

    /// True if the cluster has a CustomResourceDefinition of this name.
    pub fn has_definition(&self, name: &str) -> bool {
        !self
            .kubectl_run(&["get", "customresourcedefinition", name, "--ignore-not-found", "-o", "name"])
            .trim()
            .is_empty()
    }

    /// True if the control planes of this Kamaji have this field: a pointer into the schema of their definition; or this
    /// value: a pointer to an `enum`, `=` and the word. Otherwise says what is left out.
    pub fn declares_for(&self, pointer: &str, what: &str) -> bool {
        let declared = self.declares(pointer);
        if !declared {
            left_out(&format!("since this Kamaji is too old for it: {what}"));
        }
        declared
    }

    /// The opposite: true if they do not have it.
    pub fn lacks_for(&self, pointer: &str, what: &str) -> bool {
        let declared = self.declares(pointer);
        if declared {
            left_out(&format!("since this Kamaji is too new for it: {what}"));
        }
        !declared
    }

    fn declares(&self, pointer: &str) -> bool {
        let name = "tenantcontrolplanes.kamaji.clastix.io";
        let schema = "jsonpath={.spec.versions[0].schema.openAPIV3Schema}";
        let schema = self.kubectl_run(&["get", "customresourcedefinition", name, "-o", schema]);
        let schema: Json = serde_json::from_str(&schema).expect("JSON");
        let (pointer, word) = pointer.split_once('=').map_or((pointer, None), |(pointer, word)| (pointer, Some(word)));
        let is =
            |found: &Json| word.is_none_or(|word| found.as_array().is_some_and(|words| words.contains(&word.into())));
        schema.pointer(pointer).is_some_and(is)
    }

    /// A NodePort that no other test has. [`Cluster::give_back`] frees it.
    pub fn take_port(&self) -> u16 {
        self.ports.lock().expect("unpoisoned").pop_front().expect("a free NodePort; failed tests keep theirs")
    }

    /// Frees a NodePort whose Service is gone.
    pub fn give_back(&self, port: u16) {
        self.ports.lock().expect("unpoisoned").push_back(port);
    }

    /// A kubectl command against the management cluster.
    pub fn kubectl(&self) -> Command {
        self.kubectl_with(Path::new(self.kubeconfig()))
    }

    /// A kubectl command with a kubeconfig of one's own.
    pub fn kubectl_with(&self, kubeconfig: &Path) -> Command {
        let mut command = Command::new(self.kubectl_program());
        command.env_remove("KUBECONFIG").arg(format!("--kubeconfig={}", kubeconfig.display()));
        command.arg("--request-timeout=20s");
        command
    }

    /// Runs kubectl; panics if it fails.
    pub fn kubectl_run(&self, arguments: &[&str]) -> String {
        text(&run(self.kubectl().args(arguments)))
    }

    /// Creates or changes objects as `kubectl apply` does.
    pub fn apply(&self, manifest: &Json) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), manifest.to_string()).expect("written");
        self.kubectl_run(&["apply", "-f", &file.path().to_string_lossy()]);
    }

    /// One object, or [`None`] if it is not there.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Json> {
        let found = self.kubectl_run(&["get", kind, "-n", namespace, name, "--ignore-not-found", "-o", "json"]);
        (!found.trim().is_empty()).then(|| serde_json::from_str(&found).expect("JSON"))
    }

    /// A tenant control plane.
    pub fn tenant(&self, namespace: &str, name: &str) -> Option<Json> {
        self.get("tenantcontrolplanes.kamaji.clastix.io", namespace, name)
    }

    /// `kind/name` of every object of these kinds in a namespace, in one list.
    pub fn list(&self, kinds: &str, namespace: &str) -> Vec<String> {
        let found = self.kubectl_run(&["get", kinds, "-n", namespace, "-o", "json"]);
        let found: Json = serde_json::from_str(&found).expect("JSON");
        let name = |item: &Json| Some(format!("{}/{}", item["kind"].as_str()?, item["metadata"]["name"].as_str()?));
        found["items"].as_array().into_iter().flatten().filter_map(name).collect()
    }

    /// A key of a Secret, decoded.
    pub fn secret(&self, namespace: &str, name: &str, key: &str) -> Option<Vec<u8>> {
        use base64::Engine as _;
        let secret = self.get("secret", namespace, name)?;
        base64::engine::general_purpose::STANDARD.decode(secret["data"][key].as_str()?).ok()
    }

    /// Runs kubectl against the tenant `blue` of a namespace; panics if it fails.
    pub fn in_tenant(&self, namespace: &str, arguments: &[&str]) -> String {
        let output = self.in_tenant_command(namespace, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        text(&output)
    }

    /// The same, whatever comes out.
    pub fn in_tenant_command(&self, namespace: &str, arguments: &[&str]) -> Output {
        let kubeconfig = self.secret(namespace, "blue-admin-kubeconfig", "super-admin.conf").expect("a kubeconfig");
        self.with_kubeconfig(&kubeconfig, arguments)
    }

    /// Runs kubectl with the text of a kubeconfig.
    pub fn with_kubeconfig(&self, kubeconfig: &[u8], arguments: &[&str]) -> Output {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), kubeconfig).expect("written");
        self.kubectl_with(file.path()).args(arguments).output().expect("kubectl starts")
    }

    /// Path of kubectl.
    pub fn kubectl_program(&self) -> &str {
        &self.facts["KAMAJI_CLUSTER_KUBECTL"]
    }

    /// A command of the kubeadm that comes with the local cluster.
    pub fn kubeadm(&self) -> Command {
        Command::new(Path::new(self.kubectl_program()).with_file_name("kubeadm"))
    }

    /// Stops a component of the local cluster until the drop of what is returned, which waits until it is healthy again.
    pub fn stop_component(&'static self, name: &'static str) -> Stopped {
        run(Command::new(&self.program).args(["stop", name]));
        Stopped { cluster: self, name }
    }

    /// A command of the cluster program, for worker machines.
    pub fn worker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("worker").args(arguments);
        command
    }

    /// Path of `terraform`, `tofu`, or an OpenTofu that is built for the purpose.
    pub fn terraform(&self) -> PathBuf {
        match std::env::var_os("TERRAFORM_BIN") {
            Some(path) => path.into(),
            None => text(&run(Command::new(&self.program).arg("tofu"))).trim().into(),
        }
    }
}

/// A component that does not run.
pub struct Stopped {
    cluster: &'static Cluster,
    name: &'static str,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Not `run`: a panic in the drop would hide why the test failed.
        let start = Command::new(&self.cluster.program).args(["start", self.name]).output();
        if !start.is_ok_and(|output| output.status.success()) {
            eprintln!("{} did not start again", self.name);
        }
    }
}

/// The program that runs the cluster. `make` names a built one by `KAMAJI_CLUSTER`; otherwise it is built here.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("KAMAJI_CLUSTER") {
        return path.into();
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance/cluster");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster");
    run(Command::new("go").current_dir(sources).arg("build").arg("-o").arg(&program).arg("."));
    program
}

/// The assignments in a text of `export NAME='value'` lines.
fn facts(text: &str) -> BTreeMap<String, String> {
    let assignment = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    text.lines().filter_map(assignment).collect()
}

/// Runs a command; panics with what it said if it fails.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}

/// What a command printed.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
