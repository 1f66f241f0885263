//! Terraform in a directory of its own, with the provider that was just built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value as Json;
use tempfile::TempDir;

use super::cluster::{cluster, run};
use super::features::Feature;
use super::left_out;
use super::running::{Outcome, Running};

/// Other providers, and the variables with their programs. There is no registry to take them from, so the environment names
/// them.
const OTHERS: [(&str, &str); 2] = [
    ("KUBERNETES_PROVIDER", "registry.terraform.io/hashicorp/kubernetes"),
    ("KUBECTL_PROVIDER", "registry.terraform.io/gavinbunney/kubectl"),
];

fn program_of(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// A working directory: configuration, state, logs.
pub struct Terraform {
    dir: Option<TempDir>,
    log_level: &'static str,
    environment: Vec<(&'static str, String)>,
}

/// The arguments of a destroy.
pub const DESTROY: [&str; 3] = ["destroy", "-json", "-auto-approve"];

impl Terraform {
    /// An empty directory.
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("kamaji-acceptance-").expect("a temporary directory");
        let plugins = dir.path().join("plugins");
        let programs = dir.path().join("programs");
        let link = |program: &str, folder: &Path, name: &str| {
            fs::create_dir(folder).expect("created");
            std::os::unix::fs::symlink(program, folder.join(name)).expect("linked");
        };
        link(env!("CARGO_BIN_EXE_terraform-provider-kamaji"), &plugins, "terraform-provider-kamaji");
        // For provisioners.
        link(cluster().kubectl_program(), &programs, "kubectl");
        // OpenTofu reads the same short source address as one of its own registry.
        let mut overrides = String::new();
        let mut add = |address: &str, folder: &Path| {
            let opentofu = address.replace("registry.terraform.io", "registry.opentofu.org");
            let folder = folder.display();
            overrides.push_str(&format!("    {address:?} = \"{folder}\"\n    {opentofu:?} = \"{folder}\"\n"));
        };
        add(terraform_provider_kamaji::provider::ADDRESS, &plugins);
        for (variable, address) in OTHERS {
            if let Some(folder) = program_of(variable).as_deref().and_then(Path::parent) {
                add(address, folder);
            }
        }
        let settings =
            format!("disable_checkpoint = true\nprovider_installation {{\n  dev_overrides {{\n{overrides}  }}\n}}\n");
        fs::write(dir.path().join("terraform.rc"), settings).expect("written");
        Self { dir: Some(dir), log_level: "DEBUG", environment: Vec::new() }
    }

    /// True if the program that runs knows the feature. Otherwise says what is left out.
    pub fn knows_for(&self, feature: Feature, what: &str) -> bool {
        let (name, minor) = self.program();
        let knows = feature.since(name).is_some_and(|since| since <= minor);
        if !knows {
            left_out(&format!("since {name} 1.{minor} has no {}: {what}", feature.name()));
        }
        knows
    }

    /// True if there is a `kubernetes` provider to use.
    pub fn has_kubernetes(&self) -> bool {
        program_of("KUBERNETES_PROVIDER").is_some()
    }

    /// True if this variable names the program of a provider. Otherwise says what is left out.
    pub fn has_provider_for(&self, variable: &str, what: &str) -> bool {
        let there = program_of(variable).is_some();
        if !there {
            left_out(&format!("since {variable} names no program: {what}"));
        }
        there
    }

    /// The program that runs, and its minor version: `("Terraform", 14)`.
    fn program(&self) -> (&'static str, u32) {
        static PROGRAM: OnceLock<(String, u32)> = OnceLock::new();
        let (name, minor) = PROGRAM.get_or_init(|| {
            // `Terraform v1.14.0`, or `OpenTofu v1.12.0`.
            let said = self.run(&["version"]).succeeds().stdout;
            let (name, version) = said.lines().next().and_then(|line| line.split_once(" v1.")).expect("a version");
            let minor = version.split('.').next().and_then(|minor| minor.parse().ok()).expect("a minor version");
            (name.to_owned(), minor)
        });
        (name, *minor)
    }

    /// From now on Terraform and the provider log everything.
    pub fn log_everything(&mut self) {
        self.log_level = "TRACE";
    }

    /// Sets an environment variable for all commands from now on.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.as_ref().expect("there until the drop").path()
    }

    /// Writes a file of the configuration, replacing what it was.
    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path().join(name), content).expect("written");
    }

    /// Makes `main.tf` the configuration.
    pub fn configure(&self, hcl: &str) {
        self.write("main.tf", hcl);
    }

    /// The Terraform or OpenTofu that runs.
    pub fn binary() -> &'static Path {
        static BINARY: OnceLock<PathBuf> = OnceLock::new();
        BINARY.get_or_init(|| cluster().terraform())
    }

    /// Starts a command without waiting for it.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        self.spawn_program(Self::binary(), arguments)
    }

    /// Starts another program that runs Terraform, in the same way.
    pub fn spawn_program(&self, program: &Path, arguments: &[&str]) -> Running {
        let number = fs::read_dir(self.path()).expect("readable").count();
        let what = Path::new(arguments[0]).file_stem().unwrap_or_default().display();
        let file = |kind: &str| self.path().join(format!("{number:03}-{what}.{kind}"));
        let create = |kind: &str| fs::File::create(file(kind)).expect("created");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.stdout(create("out")).stderr(create("err"));
        for variable in std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("KUBE")) {
            command.env_remove(variable);
        }
        let path = format!("{}:{}", self.path().join("programs").display(), std::env::var("PATH").unwrap_or_default());
        command.env("PATH", path).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("TF_CLI_CONFIG_FILE", self.path().join("terraform.rc"));
        command.env("TF_IN_AUTOMATION", "1").env("TF_LOG", self.log_level).env("TF_LOG_PATH", file("log"));
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Running { child, what: arguments.join(" "), out: file("out"), err: file("err"), log: file("log") }
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.spawn(arguments).wait()
    }

    /// `terraform plan`, kept for [`Terraform::apply_plan`] and [`Terraform::planned`]. Exit code 0: nothing to do, 2: changes.
    pub fn plan(&self) -> Outcome {
        self.plan_with(&[])
    }

    /// The same with more options.
    pub fn plan_with(&self, options: &[&str]) -> Outcome {
        self.run(&[&["plan", "-json", "-detailed-exitcode", "-out=saved.tfplan"], options].concat())
    }

    /// The saved plan as `terraform show -json` has it.
    pub fn planned(&self) -> Json {
        self.show(&["saved.tfplan"])
    }

    /// The state as `terraform show -json` has it.
    pub fn state(&self) -> Json {
        self.show(&[])
    }

    fn show(&self, arguments: &[&str]) -> Json {
        let shown = self.run(&[&["show", "-json"], arguments].concat()).succeeds();
        serde_json::from_str(shown.stdout.trim()).expect("JSON")
    }

    /// The values of a resource in the state; null if it is not there.
    pub fn resource(&self, address: &str) -> Json {
        let state = self.state();
        let all = state["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|resource| resource["address"] == address).unwrap_or_default()
    }

    /// `terraform apply`; see [`Terraform::helped`].
    pub fn apply(&self) -> Outcome {
        let arguments = ["apply", "-json", "-auto-approve"];
        self.helped(self.run(&arguments), &arguments)
    }

    /// `terraform apply` of the saved plan.
    pub fn apply_plan(&self) -> Outcome {
        self.run(&["apply", "-json", "saved.tfplan"])
    }

    /// `terraform destroy`; see [`Terraform::helped`].
    pub fn destroy(&self) -> Outcome {
        self.helped(self.run(&DESTROY), &DESTROY)
    }

    /// The outcome of a command that deletes. Kamaji v1.0.0 sometimes leaves a finalizer behind; then what the error tells
    /// the user to do is done, and `again` is run. What the first one warned of is in the outcome, too.
    pub fn helped(&self, outcome: Outcome, again: &[&str]) -> Outcome {
        let left = outcome.diagnostics.iter().find(|it| it.summary == "Kamaji left a finalizer behind");
        let Some(command) = left.and_then(|left| left.detail.lines().find_map(|line| line.strip_prefix("    kubectl")))
        else {
            return outcome;
        };
        eprintln!("as the error says: kubectl{command}");
        let kubectl = format!("'{}' --kubeconfig='{}'{command}", cluster().kubectl_program(), cluster().kubeconfig());
        run(Command::new("sh").arg("-c").arg(kubectl));
        let mut done = self.run(again);
        done.diagnostics.splice(..0, outcome.diagnostics.into_iter().filter(|it| it.severity == "warning"));
        done
    }

    /// Everything that is on disk: configuration, state, plans, output, logs.
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path()).expect("readable").map(|entry| entry.expect("readable").path());
        entries.filter(|path| path.is_file()).collect()
    }
}

impl Drop for Terraform {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("configuration, state and logs are kept in {}", dir.keep().display());
        }
    }
}

/// The change of a resource in a plan; null if it has none.
pub fn change(plan: &Json, address: &str) -> Json {
    let changes = plan["resource_changes"].as_array().cloned().unwrap_or_default();
    let found = changes.into_iter().find(|change| change["address"] == address).unwrap_or_default();
    found["change"].clone()
}

/// Paths below `value` that are `true`: the unknown ones, in the `after_unknown` of a change.
pub fn unknown(value: &Json, path: &str) -> Vec<String> {
    match value {
        Json::Bool(true) => vec![path.to_owned()],
        Json::Object(members) => {
            members.iter().flat_map(|(name, value)| unknown(value, &format!("{path}.{name}"))).collect()
        }
        Json::Array(items) => {
            items.iter().enumerate().flat_map(|(index, value)| unknown(value, &format!("{path}[{index}]"))).collect()
        }
        _ => Vec::new(),
    }
}
