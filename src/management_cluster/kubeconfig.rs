//! Kubeconfig files: read, merged, and one context chosen, with errors that name the place and show no content.

use std::io::ErrorKind;
use std::path::PathBuf;

use kube::config::{AuthInfo, Cluster, Kubeconfig, KubeconfigError};

use super::config::{ConfigError, Setting};

/// What a context leads to.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Its name.
    pub(super) context: String,
    /// Where the API server is.
    pub(super) cluster: Cluster,
    /// Who we are.
    pub(super) user: AuthInfo,
}

/// Reads files and merges them; the first to say something wins. Also returns how to name them in messages.
pub(super) fn read_files(paths: &[PathBuf]) -> Result<(Kubeconfig, String), ConfigError> {
    let error = |problem: String| ConfigError::new(Setting::ConfigPath, problem);
    let mut merged: Option<Kubeconfig> = None;
    let mut missing = Vec::new();
    for path in paths {
        let shown = path.display();
        match Kubeconfig::read_from(path) {
            Ok(next) => {
                merged = Some(match merged {
                    Some(before) => before
                        .merge(next)
                        .map_err(|e| error(format!("The kubeconfig {shown} does not fit the others: {e}.")))?,
                    None => next,
                });
            }
            Err(KubeconfigError::ReadConfig(cause, _)) if cause.kind() == ErrorKind::NotFound => {
                missing.push(shown.to_string());
            }
            Err(KubeconfigError::ReadConfig(cause, _)) => {
                return Err(error(format!("The kubeconfig {shown} cannot be read: {cause}.")));
            }
            Err(other) => return Err(error(unreadable(&format!("The kubeconfig {shown}"), &other))),
        }
    }
    match merged {
        Some(merged) => {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            Ok((merged, names.join(", ")))
        }
        None => {
            let problem = format!(
                "There is no kubeconfig at {}. A relative path starts at the directory in which Terraform runs.",
                missing.join(", ")
            );
            Err(error(problem))
        }
    }
}

/// Reads the text of a kubeconfig.
pub(super) fn read_text(text: &str) -> Result<Kubeconfig, ConfigError> {
    Kubeconfig::from_yaml(text)
        .map_err(|error| ConfigError::new(Setting::Kubeconfig, unreadable("The text in `kubeconfig`", &error)))
}

/// The YAML parser's own text quotes the lines around the error, which may hold a token: only the place is told.
fn unreadable(subject: &str, error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(yaml) => {
            let place = yaml
                .location()
                .map(|location| format!(" (line {}, column {})", location.line(), location.column()))
                .unwrap_or_default();
            format!("{subject} is not YAML of a kubeconfig{place}.")
        }
        other => format!("{subject} cannot be used: {other}."),
    }
}

/// Follows a context (or the current one) to its cluster and user.
pub(super) fn choose(
    kubeconfig: Kubeconfig,
    context: Option<&str>,
    origin: &str,
    setting: Setting,
) -> Result<Chosen, ConfigError> {
    let known = names(kubeconfig.contexts.iter().map(|context| context.name.as_str()));
    let (name, at) = match (context, kubeconfig.current_context.filter(|name| !name.is_empty())) {
        (Some(name), _) => (name.to_owned(), Setting::ConfigContext),
        (None, Some(name)) => (name, setting),
        (None, None) => {
            let problem = format!("{origin} sets no current-context. Name one in `config_context`; there are {known}.");
            return Err(ConfigError::new(setting, problem));
        }
    };
    let Some(chosen) = kubeconfig.contexts.into_iter().find(|context| context.name == name).and_then(|c| c.context)
    else {
        return Err(ConfigError::new(at, format!("{origin} has no context {name:?}; there are {known}.")));
    };
    let cluster = kubeconfig.clusters.into_iter().find(|c| c.name == chosen.cluster).and_then(|c| c.cluster);
    let Some(cluster) = cluster else {
        let problem =
            format!("Context {name:?} of {origin} names the cluster {:?}, which is not there.", chosen.cluster);
        return Err(ConfigError::new(setting, problem));
    };
    // As in kubectl, a user that is not there is nobody.
    let user = chosen.user.and_then(|user| {
        kubeconfig.auth_infos.into_iter().find(|named| named.name == user).and_then(|named| named.auth_info)
    });
    Ok(Chosen { context: name, cluster, user: user.unwrap_or_default() })
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<String> = all.map(|name| format!("{name:?}")).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
