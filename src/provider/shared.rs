//! What the provider block sets, for all objects of the provider.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::schema::FIELD_MANAGER;
use super::settings::{Target, target};
use crate::management_cluster::config::{ConfigError, Variables, load};
use crate::management_cluster::{ManagementCluster, ObjectRef};

/// The configuration of the provider. [`Configured::configure`] replaces it as a whole: a process that a developer
/// reattaches to is configured again for each command.
#[derive(Default)]
pub struct Configured(RwLock<State>);

#[derive(Default)]
struct State {
    cluster: Cluster,
    offline: bool,
    field_manager: Option<String>,
    said: BTreeSet<&'static str>,
}

#[derive(Default)]
enum Cluster {
    /// `ConfigureProvider` was not called.
    #[default]
    NotConfigured,
    /// Not known before apply.
    Unknown,
    /// Cannot be used, for this reason.
    Refused(Box<Diagnostic>),
    /// Ready to be asked; nothing has been sent yet.
    Ready(ManagementCluster),
}

impl Configured {
    /// Takes a provider block. What names no usable cluster is an error; a cluster that is down is not.
    pub fn configure(&self, config: &Value, variables: &Variables<'_>) -> Diagnostics {
        let offline = config.get("offline").as_bool().unwrap_or(false);
        let cluster = match target(config, variables) {
            Target::Unknown => Cluster::Unknown,
            Target::None(tried) => Cluster::Refused(Box::new(no_target(&tried))),
            Target::Cluster(credentials) => match load(&credentials, variables) {
                Ok(config) => Cluster::Ready(ManagementCluster::new(config)),
                Err(error) => Cluster::Refused(Box::new(unusable(config, &error))),
            },
        };
        let diagnostics = match &cluster {
            Cluster::Refused(diagnostic) if !offline => (**diagnostic).clone().into(),
            _ => Diagnostics::new(),
        };
        let field_manager = config.str_at("field_manager").map(str::to_owned);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            State { cluster, offline, field_manager, said: BTreeSet::new() };
        diagnostics
    }

    /// The management cluster.
    pub fn cluster(&self) -> Result<ManagementCluster, Diagnostic> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if state.offline {
            return Err(Diagnostic::error(
                "Provider is offline",
                "The provider block has `offline = true`, so the management cluster is not asked. Remove it to apply.",
            ));
        }
        match &state.cluster {
            Cluster::Ready(cluster) => Ok(cluster.clone()),
            Cluster::Refused(diagnostic) => Err((**diagnostic).clone()),
            Cluster::Unknown => Err(Diagnostic::error(
                "Management cluster not known yet",
                "An argument of the provider block is known only after apply. Apply what it comes from first \
                 (`-target`), or configure the provider with values that are known at plan.",
            )),
            Cluster::NotConfigured => Err(Diagnostic::error(
                "Provider is not configured",
                "Terraform has not configured the provider. This is a bug in the provider or in Terraform; please report it.",
            )),
        }
    }

    /// Why plans go on without the cluster; [`None`] if it is there to be asked.
    pub fn offline_reason(&self) -> Option<&'static str> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match state.cluster {
            _ if state.offline => Some("The provider block has `offline = true`."),
            Cluster::Unknown => Some("An argument of the provider block is known only after apply."),
            _ => None,
        }
    }

    /// Our field manager.
    pub fn field_manager(&self) -> String {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.field_manager.clone().unwrap_or_else(|| FIELD_MANAGER.to_owned())
    }

    /// A diagnostic that is worth saying once a run, however many objects it concerns.
    pub fn once(&self, what: &'static str, diagnostic: Diagnostic) -> Diagnostics {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if state.said.insert(what) { diagnostic.into() } else { Diagnostics::new() }
    }

    /// A nonce for the create of an object: not to be guessed, and another one each time.
    pub fn nonce(&self, object: &ObjectRef) -> String {
        let random = std::array::from_fn::<u64, 2, _>(|_| fastrand::u64(..));
        crate::kamaji::certificate::sha256_hex(format!("{object} {random:?}").as_bytes()).chars().take(32).collect()
    }
}

fn no_target(tried: &[String]) -> Diagnostic {
    Diagnostic::error(
        "No management cluster configured",
        format!(
            "The provider needs to know the cluster in which Kamaji runs, and guesses none (neither $KUBECONFIG nor \
             ~/.kube/config is read by itself). Looked at:\n  - {}\n\nName one, for example:\n\n  provider \"kamaji\" {{\n    \
             config_path = \"~/.kube/config\"\n  }}",
            tried.join("\n  - ")
        ),
    )
}

/// At the attribute, if the block has it; otherwise the text names the variable.
fn unusable(config: &Value, error: &ConfigError) -> Diagnostic {
    let name = error.setting.name();
    let origin = match error.setting.variable() {
        Some(variable) if !config.get(name).is_set() => format!(" ({name} comes from {variable} in the environment.)"),
        _ => String::new(),
    };
    Diagnostic::error("Management cluster configuration not usable", format!("{}{origin}", error.problem))
        .at(Path::of(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::schema::SCHEMA;

    #[test]
    fn no_source_is_an_error_that_lists_them() {
        let configured = Configured::default();
        let diagnostics = configured.configure(&SCHEMA.null_object(), &|_| None);
        let text = &diagnostics.iter().next().expect("an error").detail;
        for name in
            ["config_path", "KUBE_CONFIG_PATH", "kubeconfig", "host", "KUBE_HOST", "in_cluster", "KUBE_CONFIG_PATHS"]
        {
            assert!(text.contains(name), "{name} is missing in {text}");
        }
        assert!(configured.cluster().is_err());
    }

    #[test]
    fn offline_needs_no_source_and_refuses_requests() {
        let configured = Configured::default();
        let mut block = SCHEMA.null_object();
        block.set("offline", true.into());
        assert!(configured.configure(&block, &|_| None).is_empty());
        assert!(configured.offline_reason().is_some() && configured.cluster().is_err());
    }

    #[test]
    fn a_missing_kubeconfig_is_an_error_at_its_attribute() {
        let mut block = SCHEMA.null_object();
        block.set("config_path", "/does/not/exist".into());
        let diagnostics = Configured::default().configure(&block, &|_| None);
        let error = diagnostics.iter().next().expect("an error");
        assert_eq!(error.path, Path::of("config_path"));
        assert!(error.detail.contains("/does/not/exist"), "{}", error.detail);
    }

    #[test]
    fn what_was_said_is_said_once_a_configuration() {
        let configured = Configured::default();
        let warning = || Diagnostic::warning("a", "b");
        assert!(!configured.once("x", warning()).is_empty());
        assert!(configured.once("x", warning()).is_empty());
        let _ = configured.configure(&SCHEMA.null_object(), &|_| None);
        assert!(!configured.once("x", warning()).is_empty());
    }
}
