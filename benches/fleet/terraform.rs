//! Terraform in a directory of its own, with a fleet of tenants.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::api_server::ApiServer;
use crate::plugin::{self, NOTES};

pub struct Terraform {
    program: PathBuf,
    directory: TempDir,
}

/// What one command took.
pub struct Run {
    pub wall: Duration,
    pub requests: usize,
    /// Of Terraform itself.
    pub terraform: Duration,
    /// Of the provider.
    pub cpu: Duration,
    pub memory: usize,
}

/// Where Terraform is.
pub fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("TERRAFORM_BIN") {
        return Some(program.into());
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join("terraform")).find(|path| path.is_file())
}

impl Terraform {
    pub fn new(program: &Path, api: &ApiServer, size: usize) -> Self {
        let directory = TempDir::with_prefix("kamaji-bench-").unwrap();
        let path = directory.path();
        for folder in ["plugins", "notes"] {
            fs::create_dir(path.join(folder)).unwrap();
        }
        let myself = std::env::current_exe().unwrap();
        std::os::unix::fs::symlink(myself, path.join("plugins/terraform-provider-kamaji")).unwrap();
        let settings = format!(
            "disable_checkpoint = true\nprovider_installation {{\n  dev_overrides {{\n    {:?} = {:?}\n  }}\n}}\n",
            terraform_provider_kamaji::provider::ADDRESS,
            path.join("plugins")
        );
        fs::write(path.join("terraform.rc"), settings).unwrap();
        fs::write(path.join("main.tf"), configuration(api, size)).unwrap();
        Self { program: program.to_owned(), directory }
    }

    pub fn apply(&self) {
        self.run(&["apply", "-auto-approve", "-no-color", "-input=false"]);
    }

    /// A plan, which must be empty.
    pub fn plan(&self, api: &ApiServer) -> Run {
        self.measured(api, &[])
    }

    pub fn plan_without_refresh(&self, api: &ApiServer) -> Run {
        self.measured(api, &["-refresh=false"])
    }

    /// The size of the state: the file, and without the white space in it.
    pub fn state_bytes(&self) -> (usize, usize) {
        let text = fs::read(self.directory.path().join("terraform.tfstate")).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&text).unwrap();
        (text.len(), state.to_string().len())
    }

    fn measured(&self, api: &ApiServer, options: &[&str]) -> Run {
        plugin::usage(&self.notes());
        let (before, spent) = (api.requests(), plugin::cpu_of_children());
        let begin = Instant::now();
        self.run(&[&["plan", "-detailed-exitcode", "-no-color", "-input=false"], options].concat());
        let wall = begin.elapsed();
        let usage = plugin::usage(&self.notes());
        let terraform = (plugin::cpu_of_children() - spent).saturating_sub(usage.cpu);
        Run { wall, requests: api.requests() - before, terraform, cpu: usage.cpu, memory: usage.memory }
    }

    fn notes(&self) -> PathBuf {
        self.directory.path().join("notes")
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KUBE") || name.starts_with("TF_")) {
            command.env_remove(name);
        }
        command.env("TF_CLI_CONFIG_FILE", self.directory.path().join("terraform.rc")).env(NOTES, self.notes());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(3000).collect::<String>();
        assert!(output.status.success(), "{arguments:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    }
}

/// A plan of as many `terraform_data`, which Terraform has inside: faster is no provider.
pub fn floor(program: &Path, size: usize) -> Duration {
    let directory = TempDir::with_prefix("kamaji-bench-").unwrap();
    let text = format!(
        "resource \"terraform_data\" \"floor\" {{\n  count = {size}\n  input = {{ name = format(\"tenant-%04d\", \
         count.index) }}\n}}\n"
    );
    fs::write(directory.path().join("main.tf"), text).unwrap();
    fs::write(directory.path().join("terraform.rc"), "disable_checkpoint = true\n").unwrap();
    fs::create_dir(directory.path().join("notes")).unwrap();
    let terraform = Terraform { program: program.to_owned(), directory };
    terraform.run(&["init", "-no-color", "-input=false"]);
    terraform.apply();
    let begin = Instant::now();
    terraform.run(&["plan", "-detailed-exitcode", "-no-color", "-input=false"]);
    begin.elapsed()
}

/// An ordinary tenant, many times.
fn configuration(api: &ApiServer, size: usize) -> String {
    format!(
        r#"
terraform {{
  required_providers {{
    kamaji = {{ source = "{address}" }}
  }}
}}

provider "kamaji" {{
  host                   = "{url}"
  token                  = "bench"
  cluster_ca_certificate = <<-PEM
{ca}
  PEM
}}

resource "kamaji_tenant_control_plane" "fleet" {{
  count = {size}

  name      = format("tenant-%04d", count.index)
  namespace = "fleet-{size}"
  labels    = {{ team = "platform", env = "prod" }}
  wait_for  = "accepted"

  kubernetes      = {{ version = "v1.30.2" }}
  control_plane   = {{ service = {{ service_type = "LoadBalancer" }}, deployment = {{ replicas = 2 }} }}
  network_profile = {{ port = 6443, cert_sans = [format("tenant-%04d.tenants.internal", count.index)] }}
  addons          = {{ core_dns = {{}}, kube_proxy = {{}}, konnectivity = {{}} }}
}}
"#,
        // In full: OpenTofu completes a short one with its own registry.
        address = terraform_provider_kamaji::provider::ADDRESS,
        url = api.url,
        ca = api.ca,
    )
}
