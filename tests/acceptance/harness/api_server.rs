//! An API server of the newest Kubernetes, alone: what it has are Kamaji's definitions, without Kamaji and without nodes.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;

use super::cluster::{Cluster, cluster, run, text};
use super::{left_out, wait_for};

/// A running API server. It ends with its drop, and with this process, however that ends.
pub struct ApiServer {
    /// Its kubectl is used.
    cluster: &'static Cluster,
    process: Child,
    dir: TempDir,
    /// The folder of `KAMAJI_CRDS`: the definitions of several releases, a folder each.
    definitions: PathBuf,
}

impl ApiServer {
    /// Starts one, if there are definitions to install; otherwise says what is left out.
    pub fn start_for(what: &str) -> Option<Self> {
        let Some(definitions) = std::env::var_os("KAMAJI_CRDS") else {
            left_out(&format!("since KAMAJI_CRDS names no folder with definitions of Kamaji: {what}"));
            return None;
        };
        let dir = TempDir::with_prefix("kamaji-api-server-").expect("a temporary directory");
        let mut command = Command::new(cluster().program());
        command.args(["api-server", "run"]).arg(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the cluster program starts");
        let mut path = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut path).expect("readable");
        let server = Self { cluster: cluster(), process, dir, definitions: definitions.into() };
        assert!(!path.is_empty(), "the API server did not start; its report is above");
        Some(server)
    }

    /// Path of the kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// Installs the definitions of a release of Kamaji, over those of an older one, and waits until they take a manifest that
    /// is nothing for the older one.
    pub fn install(&self, release: &str, manifest: &Json) {
        let apply = ["apply", "--server-side", "--force-conflicts", "-f"];
        run(self.kubectl().args(apply).arg(self.definitions.join(release)));
        let file = self.dir.path().join("manifest.json");
        std::fs::write(&file, manifest.to_string()).expect("written");
        wait_for("the definitions are in force", Duration::from_secs(30), || {
            let asked = self.kubectl().args(apply).arg(&file).arg("--dry-run=server").output();
            asked.ok().filter(|output| output.status.success())
        });
    }

    /// Runs kubectl; panics if it fails.
    pub fn kubectl_run(&self, arguments: &[&str]) -> String {
        text(&run(self.kubectl().args(arguments)))
    }

    fn kubectl(&self) -> Command {
        self.cluster.kubectl_with(&self.kubeconfig())
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        // The end of its input is its signal; then its directory is nobody's.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
