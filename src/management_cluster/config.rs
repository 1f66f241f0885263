//! Where the API server is and who we are there: from named settings to a [`kube::Config`].
//!
//! There is no implicit target: neither `$KUBECONFIG` nor `~/.kube/config` is read, so that a forgotten setting never
//! changes another cluster. The settings and their variables are those of the hashicorp/kubernetes provider.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};

use super::kubeconfig;
use super::proxy;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Who asks.
pub const USER_AGENT: &str = concat!("terraform-provider-kamaji/", env!("CARGO_PKG_VERSION"));

/// A setting that names a cluster or the credentials for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// The path of a kubeconfig.
    ConfigPath,
    /// The paths of several kubeconfigs.
    ConfigPaths,
    /// The context in a kubeconfig.
    ConfigContext,
    /// The text of a kubeconfig.
    Kubeconfig,
    /// The URL of the API server.
    Host,
    /// A bearer token.
    Token,
    /// A client certificate, PEM.
    ClientCertificate,
    /// Its private key, PEM.
    ClientKey,
    /// The CA of the API server, PEM.
    ClusterCaCertificate,
    /// A credential plugin.
    Exec,
    /// Whom to act as.
    Impersonate,
    /// Takes any certificate of the API server.
    Insecure,
    /// The name that the API server's certificate must hold.
    TlsServerName,
    /// The proxy before the API server.
    ProxyUrl,
    /// The service account of the pod that Terraform runs in.
    InCluster,
}

impl Setting {
    /// Its name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigPath => "config_path",
            Self::ConfigPaths => "config_paths",
            Self::ConfigContext => "config_context",
            Self::Kubeconfig => "kubeconfig",
            Self::Host => "host",
            Self::Token => "token",
            Self::ClientCertificate => "client_certificate",
            Self::ClientKey => "client_key",
            Self::ClusterCaCertificate => "cluster_ca_certificate",
            Self::Exec => "exec",
            Self::Impersonate => "impersonate",
            Self::Insecure => "insecure",
            Self::TlsServerName => "tls_server_name",
            Self::ProxyUrl => "proxy_url",
            Self::InCluster => "in_cluster",
        }
    }

    /// The environment variable that stands in for it.
    pub const fn variable(self) -> Option<&'static str> {
        match self {
            Self::ConfigPath => Some("KUBE_CONFIG_PATH"),
            Self::ConfigPaths => Some("KUBE_CONFIG_PATHS"),
            Self::ConfigContext => Some("KUBE_CTX"),
            Self::Host => Some("KUBE_HOST"),
            Self::Token => Some("KUBE_TOKEN"),
            Self::ClientCertificate => Some("KUBE_CLIENT_CERT_DATA"),
            Self::ClientKey => Some("KUBE_CLIENT_KEY_DATA"),
            Self::ClusterCaCertificate => Some("KUBE_CLUSTER_CA_CERT_DATA"),
            Self::Insecure => Some("KUBE_INSECURE"),
            Self::TlsServerName => Some("KUBE_TLS_SERVER_NAME"),
            Self::ProxyUrl => Some("KUBE_PROXY_URL"),
            Self::Kubeconfig | Self::InCluster | Self::Exec | Self::Impersonate => None,
        }
    }
}

/// Where the cluster is described.
#[derive(Clone, Debug)]
pub enum Source {
    /// Kubeconfig files; the first to say something wins. Of several, missing ones are passed over, as in kubectl.
    Files {
        /// The setting that names them.
        setting: Setting,
        /// Their paths; `~` is the home directory.
        paths: Vec<PathBuf>,
        /// The context; [`None`] for the current one.
        context: Option<String>,
    },
    /// The text of a kubeconfig.
    Text {
        /// YAML.
        kubeconfig: SecretString,
        /// The context; [`None`] for the current one.
        context: Option<String>,
    },
    /// The URL of the API server.
    Host(String),
    /// The pod's service account.
    InCluster,
}

/// A program that gives credentials.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// `client.authentication.k8s.io/v1` or `…/v1beta1`.
    pub api_version: String,
    /// A name in `PATH`, or a path.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment variables of its own.
    pub env: BTreeMap<String, SecretString>,
}

/// Whom to act as.
#[derive(Clone, Debug)]
pub struct Impersonated {
    /// The user's name.
    pub user: String,
    /// The user's UID.
    pub uid: Option<String>,
    /// The user's groups.
    pub groups: Vec<String>,
    /// Other attributes of the user.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// A source, and what overrides or completes it. A token, a client certificate or a plugin replaces the user of a kubeconfig.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Where the cluster is described.
    pub source: Source,
    /// A bearer token.
    pub token: Option<SecretString>,
    /// A client certificate, PEM.
    pub client_certificate: Option<String>,
    /// Its private key, PEM.
    pub client_key: Option<SecretString>,
    /// The CA of the API server, PEM.
    pub cluster_ca_certificate: Option<String>,
    /// A credential plugin.
    pub exec: Option<Plugin>,
    /// Whom to act as.
    pub impersonate: Option<Impersonated>,
    /// Takes any certificate of the API server.
    pub insecure: Option<bool>,
    /// The name that the API server's certificate must hold.
    pub tls_server_name: Option<String>,
    /// The proxy before the API server.
    pub proxy_url: Option<String>,
}

impl Credentials {
    /// A source by itself.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            token: None,
            client_certificate: None,
            client_key: None,
            cluster_ca_certificate: None,
            exec: None,
            impersonate: None,
            insecure: None,
            tls_server_name: None,
            proxy_url: None,
        }
    }
}

/// A configuration that cannot be used. The text names file, context and entry, and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ConfigError {
    /// The setting at fault.
    pub setting: Setting,
    /// What is wrong and what to do.
    pub problem: String,
}

impl ConfigError {
    pub(super) fn new(setting: Setting, problem: impl Into<String>) -> Self {
        Self { setting, problem: problem.into() }
    }
}

/// Reads an environment variable.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Makes a client configuration. Reads files; makes no connection and starts no credential plugin.
pub fn load(credentials: &Credentials, variables: &Variables<'_>) -> Result<kube::Config, ConfigError> {
    let mut config = match &credentials.source {
        Source::Files { setting, paths, context } => {
            let paths: Vec<PathBuf> = paths.iter().map(|path| expand_home(path, variables)).collect();
            let (kubeconfig, origin) = kubeconfig::read_files(*setting, &paths)?;
            kubeconfig::config_of(kubeconfig, context.as_deref(), &origin, *setting)?
        }
        Source::Text { kubeconfig, context } => {
            let origin = "the text in `kubeconfig`";
            let kubeconfig = kubeconfig::read_text(kubeconfig.expose_secret())?;
            kubeconfig::config_of(kubeconfig, context.as_deref(), origin, Setting::Kubeconfig)?
        }
        Source::Host(url) => kube::Config::new(host_url(url)?),
        Source::InCluster => kube::Config::incluster().map_err(|error| {
            let problem = format!(
                "The service account of a pod is not there: {error}. `in_cluster` only works where Terraform itself runs \
                 in a pod of the management cluster; elsewhere name a kubeconfig or a host."
            );
            ConfigError::new(Setting::InCluster, problem)
        })?,
    };
    override_with(&mut config, credentials, variables)?;
    set_proxy(&mut config, credentials.proxy_url.as_deref(), variables)?;
    config.headers.push((http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT)));
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Each request has a limit of its own; watches last.
    config.read_timeout = None;
    config.default_retry = false;
    Ok(config)
}

/// `https://mgmt.example:6443`, with or without a path (Rancher has one).
pub fn host_url(text: &str) -> Result<Uri, ConfigError> {
    let error = |why: &str| {
        let problem =
            format!("{text:?} is not the URL of an API server: {why}. Write it like https://mgmt.example:6443.");
        ConfigError::new(Setting::Host, problem)
    };
    let url: Uri = text.trim().parse().map_err(|_| error("it cannot be read"))?;
    match url.scheme_str() {
        Some("https" | "http") => {}
        Some(_) => return Err(error("the scheme must be https (or http)")),
        None => return Err(error("the scheme is missing")),
    }
    match url.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            // The text itself would show the password.
            Err(ConfigError::new(
                Setting::Host,
                "The URL holds a user or password. Use `token` or a client certificate.",
            ))
        }
        Some(authority) if !authority.host().is_empty() => {
            if url.query().is_some() {
                Err(error("it has a query"))
            } else {
                Ok(url)
            }
        }
        _ => Err(error("the host is missing")),
    }
}

/// The certificates of a PEM text, DER. `what` names the text in the error.
pub fn certificates(setting: Setting, what: &str, pem: &[u8]) -> Result<Vec<Vec<u8>>, ConfigError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).map(|der| der.map(|der| der.to_vec())).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => {
            let problem = format!(
                "{what} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----). If it is base64 of a PEM text, \
                 as in a kubeconfig, decode it with base64decode()."
            );
            Err(ConfigError::new(setting, problem))
        }
    }
}

/// Checks that a PEM text holds a private key in a form that rustls reads.
pub fn check_private_key(setting: Setting, what: &str, pem: &[u8]) -> Result<(), ConfigError> {
    PrivateKeyDer::from_pem_slice(pem).map(drop).map_err(|_| {
        let problem = format!(
            "{what} holds no private key in PEM form (PKCS#8, PKCS#1 or SEC1, not encrypted). If it is base64 of a PEM \
             text, as in a kubeconfig, decode it with base64decode()."
        );
        ConfigError::new(setting, problem)
    })
}

pub(super) fn set_identity(user: &mut AuthInfo, certificate: &[u8], key: &[u8]) {
    user.client_certificate_data = Some(BASE64.encode(certificate));
    user.client_key_data = Some(BASE64.encode(key).into());
    user.client_certificate = None;
    user.client_key = None;
}

fn override_with(
    config: &mut kube::Config,
    credentials: &Credentials,
    variables: &Variables<'_>,
) -> Result<(), ConfigError> {
    if credentials.token.is_some() || credentials.client_certificate.is_some() || credentials.exec.is_some() {
        // Impersonation is no identity: it stays.
        let old = std::mem::take(&mut config.auth_info);
        config.auth_info.impersonate = old.impersonate;
        config.auth_info.impersonate_uid = old.impersonate_uid;
        config.auth_info.impersonate_groups = old.impersonate_groups;
        config.auth_info.impersonate_user_extra = old.impersonate_user_extra;
    }
    if let Some(token) = &credentials.token {
        let clean = token.expose_secret().trim();
        if clean.is_empty() || HeaderValue::from_str(clean).is_err() {
            let problem =
                "The token is empty or holds characters that no token has. Is it a file's path, or two lines?";
            return Err(ConfigError::new(Setting::Token, problem));
        }
        config.auth_info.token = Some(clean.into());
    }
    match (&credentials.client_certificate, &credentials.client_key) {
        (Some(certificate), Some(key)) => {
            certificates(Setting::ClientCertificate, "`client_certificate`", certificate.as_bytes())?;
            check_private_key(Setting::ClientKey, "`client_key`", key.expose_secret().as_bytes())?;
            set_identity(&mut config.auth_info, certificate.as_bytes(), key.expose_secret().as_bytes());
        }
        (None, None) => {}
        (Some(_), None) => {
            let problem = "`client_certificate` needs its private key in `client_key` (or KUBE_CLIENT_KEY_DATA).";
            return Err(ConfigError::new(Setting::ClientCertificate, problem));
        }
        (None, Some(_)) => {
            let problem = "`client_key` needs its certificate in `client_certificate` (or KUBE_CLIENT_CERT_DATA).";
            return Err(ConfigError::new(Setting::ClientKey, problem));
        }
    }
    if let Some(plugin) = &credentials.exec {
        config.auth_info.exec = Some(exec_of(plugin, variables));
    }
    if let Some(Impersonated { user, uid, groups, extra }) = &credentials.impersonate {
        config.auth_info.impersonate = Some(user.clone());
        config.auth_info.impersonate_uid.clone_from(uid);
        config.auth_info.impersonate_groups = (!groups.is_empty()).then(|| groups.clone());
        let extra = extra.iter().map(|(key, values)| (key.clone(), values.clone()));
        config.auth_info.impersonate_user_extra =
            Some(extra.collect()).filter(|extra: &HashMap<_, _>| !extra.is_empty());
    }
    if let Some(ca) = &credentials.cluster_ca_certificate {
        let setting = Setting::ClusterCaCertificate;
        config.root_cert = Some(certificates(setting, "`cluster_ca_certificate`", ca.as_bytes())?);
        config.root_cert_file = None;
    }
    if let Some(insecure) = credentials.insecure {
        config.accept_invalid_certs = insecure;
    }
    if let Some(name) = &credentials.tls_server_name {
        config.tls_server_name = Some(name.clone());
    }
    Ok(())
}

/// The plugin in the words of a kubeconfig. Without a terminal: stdin and stderr are Terraform's.
fn exec_of(plugin: &Plugin, variables: &Variables<'_>) -> ExecConfig {
    let Plugin { api_version, command, args, env } = plugin;
    let variable = |(name, value): (&String, &SecretString)| {
        HashMap::from([("name".to_owned(), name.clone()), ("value".to_owned(), value.expose_secret().to_owned())])
    };
    ExecConfig {
        api_version: Some(api_version.clone()),
        command: Some(expand_home(Path::new(command), variables).to_string_lossy().into_owned()),
        args: Some(args.clone()),
        env: Some(env.iter().map(variable).collect()),
        drop_env: None,
        install_hint: None,
        interactive_mode: Some(ExecInteractiveMode::Never),
        provide_cluster_info: false,
        cluster: None,
        other: BTreeMap::new(),
    }
}

fn set_proxy(
    config: &mut kube::Config,
    configured: Option<&str>,
    variables: &Variables<'_>,
) -> Result<(), ConfigError> {
    let error = |error: proxy::ProxyError| ConfigError::new(Setting::ProxyUrl, format!("{error}."));
    if let Some(url) = configured {
        config.proxy_url = Some(proxy::proxy_url("`proxy_url`", url).map_err(error)?);
    } else if config.proxy_url.is_none() {
        config.proxy_url = proxy::from_environment(&config.cluster_url, variables).map_err(error)?;
    }
    Ok(())
}

/// `~` and `~/…`; `~name` is not known here and stays.
pub(crate) fn expand_home(path: &Path, variables: &Variables<'_>) -> PathBuf {
    let home = || variables("HOME").or_else(|| variables("USERPROFILE")).filter(|home| !home.is_empty());
    match path.strip_prefix("~") {
        Ok(rest) => home().map_or_else(|| path.to_owned(), |home| Path::new(&home).join(rest)),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
