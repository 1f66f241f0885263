//! From the provider block and the environment to the credentials for a cluster.

use secrecy::SecretString;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::management_cluster::config::{CONFIG_PATHS_VARIABLE, Credentials, Setting, Source, Variables};

/// What a configuration asks for.
pub(super) enum Target {
    /// Something that names the cluster is not known before apply.
    Unknown,
    /// No source names a cluster; the texts of all that were tried.
    None(Vec<String>),
    /// This one.
    Cluster(Box<Credentials>),
}

const SOURCES: [Setting; 4] = [Setting::Kubeconfig, Setting::ConfigPath, Setting::Host, Setting::InCluster];

/// Rules across the attributes of the provider block; anything may be unknown.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let mut error = |attribute: &str, summary: &str, detail: String| {
        found.push(Diagnostic::error(summary, detail).at(Path::of(attribute)));
    };
    let given: Vec<&str> = SOURCES
        .iter()
        .map(|setting| setting.name())
        .filter(|name| config.get(name).is_set() && config.get(name).as_bool() != Some(false))
        .collect();
    if let [first, others @ ..] = &given[..] {
        for other in others {
            error(
                other,
                "Two sources for one cluster",
                format!("{first} and {other} both name the cluster. Keep one of them."),
            );
        }
    }
    if let Some(host) =
        config.str_at("host").filter(|host| !host.starts_with("https://") && !host.starts_with("http://"))
    {
        error("host", "Host without scheme", format!("{host:?} is no URL. Write \"https://{host}\"."));
    }
    for (one, other) in [("client_certificate", "client_key"), ("client_key", "client_certificate")] {
        if config.get(one).is_set() && config.get(other).is_null() {
            error(one, "Half of a client certificate", format!("{one} needs {other} beside it."));
        }
    }
    for name in ["client_certificate", "client_key", "cluster_ca_certificate"] {
        if config.str_at(name).is_some_and(|text| !text.contains("-----BEGIN ")) {
            error(
                name,
                "Not PEM",
                format!(
                    "{name} holds no PEM (\"-----BEGIN …\"). Base64 from a kubeconfig has to be decoded first: `base64decode(…)`."
                ),
            );
        }
    }
    if config.get("insecure").as_bool() == Some(true) && config.get("cluster_ca_certificate").is_set() {
        error(
            "insecure",
            "CA is not used",
            "insecure = true accepts any certificate, so cluster_ca_certificate has no effect. Keep one of them."
                .to_owned(),
        );
    }
    found
}

/// Puts the provider block and the environment together; the block wins.
pub(super) fn target(config: &Value, variables: &Variables<'_>) -> Target {
    let unknown = SOURCES
        .into_iter()
        .chain([
            Setting::ConfigContext,
            Setting::Token,
            Setting::ClientCertificate,
            Setting::ClientKey,
            Setting::ClusterCaCertificate,
            Setting::Insecure,
            Setting::TlsServerName,
        ])
        .any(|setting| config.get(setting.name()).is_unknown());
    if unknown {
        return Target::Unknown;
    }
    let from_variable = |setting: Setting| setting.variable().and_then(variables).filter(|text| !text.is_empty());
    let text = |setting: Setting| config.str_at(setting.name()).map(str::to_owned).or_else(|| from_variable(setting));
    let context = text(Setting::ConfigContext);
    let configured = |setting: Setting| config.str_at(setting.name()).map(str::to_owned);
    let files = |paths: Vec<String>| Source::Files {
        paths: paths.into_iter().map(Into::into).collect(),
        context: context.clone(),
    };
    // What the block names wins over every variable.
    let source = configured(Setting::Kubeconfig)
        .map(|text| Source::Text { kubeconfig: SecretString::from(text), context: context.clone() })
        .or_else(|| configured(Setting::ConfigPath).map(|path| files(vec![path])))
        .or_else(|| configured(Setting::Host).map(Source::Host))
        .or_else(|| (config.get("in_cluster").as_bool() == Some(true)).then_some(Source::InCluster))
        .or_else(|| from_variable(Setting::ConfigPath).map(|path| files(vec![path])))
        .or_else(|| {
            let all = variables(CONFIG_PATHS_VARIABLE).filter(|paths| !paths.is_empty())?;
            Some(files(std::env::split_paths(&all).map(|path| path.to_string_lossy().into_owned()).collect()))
        })
        .or_else(|| from_variable(Setting::Host).map(Source::Host));
    let Some(source) = source else { return Target::None(tried()) };
    let flag = config
        .get("insecure")
        .as_bool()
        .or_else(|| from_variable(Setting::Insecure).map(|text| text == "true" || text == "1"));
    Target::Cluster(Box::new(Credentials {
        token: text(Setting::Token).map(SecretString::from),
        client_certificate: text(Setting::ClientCertificate),
        client_key: text(Setting::ClientKey).map(SecretString::from),
        cluster_ca_certificate: text(Setting::ClusterCaCertificate),
        insecure: flag,
        tls_server_name: text(Setting::TlsServerName),
        proxy_url: from_variable(Setting::ProxyUrl),
        ..Credentials::new(source)
    }))
}

/// Each source that was looked at and named nothing.
fn tried() -> Vec<String> {
    let mut tried: Vec<String> = SOURCES
        .iter()
        .map(|setting| match setting.variable() {
            Some(variable) => {
                format!("`{}` in the provider block and {variable} in the environment: not set", setting.name())
            }
            None => format!("`{}` in the provider block: not set", setting.name()),
        })
        .collect();
    tried.push(format!("{CONFIG_PATHS_VARIABLE} in the environment: not set"));
    tried
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::schema::SCHEMA;

    fn block(edits: &[(&str, Value)]) -> Value {
        let mut block = SCHEMA.null_object();
        for (name, value) in edits {
            block.set(name, value.clone());
        }
        block
    }

    #[rstest::rstest]
    #[case::two_sources(&[("config_path", "a".into()), ("host", "https://b".into())], "host")]
    #[case::no_scheme(&[("host", "b:6443".into())], "host")]
    #[case::half_a_pair(&[("client_certificate", "-----BEGIN CERTIFICATE-----".into())], "client_certificate")]
    #[case::base64(&[("cluster_ca_certificate", "LS0tLS1".into())], "cluster_ca_certificate")]
    fn mistakes_are_found_at_their_attribute(#[case] edits: &[(&str, Value)], #[case] path: &str) {
        let paths: Vec<String> = validate(&block(edits)).iter().map(|d| d.path.to_string()).collect();
        assert_eq!(paths, [path]);
    }

    #[test]
    fn nothing_is_guessed() {
        let variables = |name: &str| (name == "KUBECONFIG" || name == "HOME").then(|| "/somewhere".to_owned());
        let Target::None(tried) = target(&block(&[]), &variables) else { panic!("a target out of nowhere") };
        assert!(tried.iter().any(|line| line.contains("KUBE_CONFIG_PATH")), "{tried:?}");
    }

    #[test]
    fn the_block_wins_over_the_environment() {
        let variables = |name: &str| (name == "KUBE_CONFIG_PATH").then(|| "/env".to_owned());
        let Target::Cluster(credentials) = target(&block(&[("host", "https://b".into())]), &variables) else {
            panic!("no target")
        };
        assert!(matches!(credentials.source, Source::Host(host) if host == "https://b"));
    }

    #[test]
    fn an_unknown_source_is_no_target_yet() {
        assert!(matches!(target(&block(&[("host", Value::Unknown)]), &|_| None), Target::Unknown));
    }
}
