//! Kubeconfig files: read, merged, and one context chosen, with errors that name the place and show no content.

use std::io::ErrorKind;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::{AuthInfo, Cluster, ExecInteractiveMode, Kubeconfig, KubeconfigError};
use secrecy::ExposeSecret as _;

use super::config::{ConfigError, Setting, certificates, check_private_key, host_url, set_identity};
use super::proxy;

/// What a context leads to.
#[derive(Debug)]
struct Chosen {
    /// Its name.
    context: String,
    /// Where the API server is.
    cluster: Cluster,
    /// Who we are.
    user: AuthInfo,
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

/// The configuration of a context (or the current one).
pub(super) fn config_of(
    kubeconfig: Kubeconfig,
    context: Option<&str>,
    origin: &str,
    setting: Setting,
) -> Result<kube::Config, ConfigError> {
    let Chosen { context, cluster, user } = choose(kubeconfig, context, origin, setting)?;
    let place = format!("{origin}, context {context:?}");
    let server = cluster.server.clone().unwrap_or_default();
    let url = host_url(&server).map_err(|error| {
        ConfigError::new(setting, format!("The cluster of {place} has no usable `server`. {}", error.problem))
    })?;
    let mut config = kube::Config::new(url);
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name.clone().filter(|name| !name.is_empty());
    if let Some(proxy) = cluster.proxy_url.as_deref().filter(|url| !url.trim().is_empty()) {
        let named = format!("`proxy-url` of {place}");
        let proxy = proxy::proxy_url(&named, proxy).map_err(|e| ConfigError::new(setting, format!("{e}.")))?;
        config.proxy_url = Some(proxy);
    }
    let ca = Entry { setting, place: &place, name: "certificate-authority" };
    if let Some(pem) =
        ca.read(cluster.certificate_authority_data.as_deref(), cluster.certificate_authority.as_deref())?
    {
        config.root_cert = Some(certificates(setting, &ca.to_string(), &pem)?);
    }
    config.auth_info = user_of(user, &cluster, &place, setting)?;
    Ok(config)
}

/// The user of a context, its files read and its credential plugin made non-interactive: the terminal is Terraform's.
fn user_of(mut user: AuthInfo, cluster: &Cluster, place: &str, setting: Setting) -> Result<AuthInfo, ConfigError> {
    let certificate = Entry { setting, place, name: "client-certificate" };
    let key = Entry { setting, place, name: "client-key" };
    let pem = certificate.read(user.client_certificate_data.as_deref(), user.client_certificate.as_deref())?;
    let key_data = user.client_key_data.as_ref().map(|data| data.expose_secret());
    let key_pem = key.read(key_data, user.client_key.as_deref())?;
    match (pem, key_pem) {
        (Some(pem), Some(key_pem)) => {
            certificates(setting, &certificate.to_string(), &pem)?;
            check_private_key(setting, &key.to_string(), &key_pem)?;
            set_identity(&mut user, &pem, &key_pem);
        }
        (None, None) => {}
        (Some(_), None) => {
            return Err(ConfigError::new(setting, format!("{key} is missing beside the client-certificate.")));
        }
        (None, Some(_)) => {
            return Err(ConfigError::new(setting, format!("{certificate} is missing beside the client-key.")));
        }
    }
    if let Some(file) = user.token_file.as_deref().filter(|_| user.token.is_none())
        && let Err(error) = std::fs::metadata(file)
    {
        return Err(ConfigError::new(setting, format!("The `tokenFile` {file} of {place} cannot be read: {error}.")));
    }
    if let Some(exec) = &mut user.exec {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
        if exec.provide_cluster_info {
            exec.cluster = cluster.try_into().ok();
        }
    }
    Ok(user)
}

/// An entry of a kubeconfig that is base64 in place or the path of a file.
struct Entry<'a> {
    setting: Setting,
    place: &'a str,
    name: &'a str,
}

impl std::fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of {}", self.name, self.place)
    }
}

impl Entry<'_> {
    fn read(&self, data: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>, ConfigError> {
        if let Some(data) = data.filter(|data| !data.is_empty()) {
            let compact: String = data.split_whitespace().collect();
            let decoded = BASE64.decode(compact).map_err(|_| {
                ConfigError::new(self.setting, format!("`{}-data` of {} is not base64.", self.name, self.place))
            })?;
            return Ok(Some(decoded));
        }
        let Some(file) = file.filter(|file| !file.is_empty()) else { return Ok(None) };
        let read = std::fs::read(file);
        read.map(Some).map_err(|error| {
            ConfigError::new(self.setting, format!("The file {file} in {self} cannot be read: {error}."))
        })
    }
}

/// Follows a context (or the current one) to its cluster and user.
fn choose(
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
