//! From the provider block to what the objects share.

use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::settings::{Target, target};
use super::validate::validate;
use crate::configured::{Cluster, Configured, Settings};
use crate::kamaji::metadata::{Ignored, KeyRules, MetadataRules};
use crate::management_cluster::config::{ConfigError, Variables, load};
use crate::management_cluster::{MAX_IN_FLIGHT, ManagementCluster};

/// Takes a provider block. What names no usable cluster is an error; a cluster that is down is not.
pub(super) fn configure(configured: &Configured, config: &Value, variables: &Variables<'_>) -> Diagnostics {
    // What was unknown at validation is known now.
    let mistakes = validate(config);
    if mistakes.has_errors() {
        return mistakes;
    }
    let offline = config.get("offline").as_bool().unwrap_or(false);
    let refused = |error: &ConfigError| Cluster::Refused(Box::new(unusable(config, error)));
    let cluster = match target(config, variables) {
        Ok(Target::Unknown(names)) => Cluster::Unknown(names),
        Ok(Target::None(looked_at)) => Cluster::Refused(Box::new(no_target(&looked_at))),
        Ok(Target::Cluster(credentials)) => match load(&credentials, variables) {
            Ok(cluster) => Cluster::Ready(ManagementCluster::new(cluster, in_flight(config))),
            Err(error) => refused(&error),
        },
        Err(error) => refused(&error),
    };
    let diagnostics = match &cluster {
        Cluster::Refused(diagnostic) if !offline => (**diagnostic).clone().into(),
        _ => Diagnostics::new(),
    };
    let field_manager = config.str_at("field_manager").map(str::to_owned);
    let settings = Settings {
        offline,
        field_manager,
        without_dry_run: config.str_at("plan_check") == Some("schema"),
        check_overlaps: config.get("check_overlaps").as_bool().unwrap_or(false),
        metadata: metadata(config),
        ssh: crate::ssh::Settings::of(config.get("ssh")),
    };
    configured.replace(cluster, settings);
    diagnostics
}

/// Unknown is the default: what comes out of a plan does not hang on it.
fn in_flight(config: &Value) -> usize {
    let limit = config.get("max_in_flight").as_i64();
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX_IN_FLIGHT)
}

fn metadata(config: &Value) -> MetadataRules {
    let rules = |defaults, ignored| KeyRules {
        defaults: config.get(defaults).clone(),
        ignored: Ignored::of(config.get(ignored)),
    };
    MetadataRules {
        labels: rules("default_labels", "ignore_labels"),
        annotations: rules("default_annotations", "ignore_annotations"),
    }
}

fn no_target(looked_at: &[String]) -> Diagnostic {
    Diagnostic::error(
        "No management cluster configured",
        format!(
            "The provider needs to know the cluster in which Kamaji runs, and guesses none (neither $KUBECONFIG nor \
             ~/.kube/config is read by itself). None of these is set:\n  - {}\n\nName one, for example:\n\n  provider \"kamaji\" {{\n    \
             config_path = \"~/.kube/config\"\n  }}",
            looked_at.join("\n  - ")
        ),
    )
}

/// At the attribute if the block has it; otherwise the text names the variable.
fn unusable(config: &Value, error: &ConfigError) -> Diagnostic {
    let summary = "Management cluster configuration not usable";
    let name = error.setting.name();
    match error.setting.variable() {
        Some(variable) if !config.get(name).is_set() => Diagnostic::error(
            summary,
            format!(
                "{}\n\n`{name}` is not in the provider block: it comes from {variable} in the environment.",
                error.problem
            ),
        ),
        _ => Diagnostic::error(summary, error.problem.clone()).at(Path::of(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::schema::SCHEMA;

    #[test]
    fn no_source_is_an_error_that_lists_them() {
        let configured = Configured::default();
        let diagnostics = configure(&configured, &SCHEMA.null_object(), &|_| None);
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
        assert!(configure(&configured, &block, &|_| None).is_empty());
        assert!(configured.offline_reason().is_some() && configured.cluster().is_err());
    }

    #[test]
    fn a_missing_kubeconfig_is_an_error_at_its_attribute() {
        let mut block = SCHEMA.null_object();
        block.set("config_path", "/does/not/exist".into());
        let diagnostics = configure(&Configured::default(), &block, &|_| None);
        let error = diagnostics.iter().next().expect("an error");
        assert_eq!(error.path, Path::of("config_path"));
        assert!(error.detail.contains("/does/not/exist"), "{}", error.detail);
    }

    #[test]
    fn an_error_of_a_variable_names_it_and_blames_no_attribute() {
        let variables = |name: &str| (name == "KUBE_CONFIG_PATH").then(|| "/does/not/exist".to_owned());
        let diagnostics = configure(&Configured::default(), &SCHEMA.null_object(), &variables);
        let error = diagnostics.iter().next().expect("an error");
        assert!(error.path.is_root() && error.detail.contains("KUBE_CONFIG_PATH"), "{error:?}");
    }

    #[test]
    fn what_is_unknown_lets_a_plan_go_on_and_refuses_requests_by_name() {
        let configured = Configured::default();
        let mut block = SCHEMA.null_object();
        block.set("host", Value::Unknown);
        assert!(configure(&configured, &block, &|_| None).is_empty());
        assert!(configured.offline_reason().is_some());
        let refusal = configured.cluster().err().expect("no cluster");
        assert!(refusal.detail.contains("host"), "{}", refusal.detail);
    }

    #[test]
    fn an_empty_host_is_no_way_to_the_cluster_of_the_environment() {
        let mut block = SCHEMA.null_object();
        block.set("host", "".into());
        let variables = |name: &str| (name == "KUBE_HOST").then(|| "https://other:6443".to_owned());
        let diagnostics = configure(&Configured::default(), &block, &variables);
        assert_eq!(diagnostics.iter().next().map(|found| found.path.clone()), Some(Path::of("host")));
    }

    #[tokio::test]
    async fn a_cluster_that_is_down_is_no_error() {
        let configured = Configured::default();
        let mut block = SCHEMA.null_object();
        block.set("host", "https://127.0.0.1:1".into());
        assert!(configure(&configured, &block, &|_| None).is_empty());
        assert_eq!(configured.cluster().expect("a cluster").host(), "127.0.0.1:1");
    }
}
