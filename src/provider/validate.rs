//! Rules of the provider block that need no cluster. Anything may be unknown; what the environment adds is not seen here.

use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::kamaji::metadata::Ignored;
use crate::management_cluster::config::{ConfigError, Setting, certificates, check_private_key, host_url};
use crate::management_cluster::proxy::proxy_url;
use crate::ssh;

/// The settings that name a cluster; of these the block may have one.
pub(super) const SOURCES: [Setting; 5] =
    [Setting::ConfigPath, Setting::ConfigPaths, Setting::Kubeconfig, Setting::Host, Setting::InCluster];

/// The settings that are read from text.
const TEXTS: [Setting; 10] = [
    Setting::ConfigPath,
    Setting::ConfigContext,
    Setting::Kubeconfig,
    Setting::Host,
    Setting::Token,
    Setting::ClientCertificate,
    Setting::ClientKey,
    Setting::ClusterCaCertificate,
    Setting::TlsServerName,
    Setting::ProxyUrl,
];

/// What the pod's service account decides by itself.
const NOT_IN_CLUSTER: [Setting; 6] = [
    Setting::ConfigContext,
    Setting::Token,
    Setting::ClientCertificate,
    Setting::ClientKey,
    Setting::Exec,
    Setting::ClusterCaCertificate,
];

/// Checks a provider block.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    for setting in TEXTS {
        if let Some(text) = config.str_at(setting.name()) {
            found.extend(check_text(setting, text).err().map(|problem| at(setting, problem)));
        }
    }
    found.extend(ignored_defaults(config));
    found.extend(ssh::schema::validate(config.get("ssh")));
    found.extend(combinations(config).into_iter().map(|(setting, problem)| at(setting, problem)));
    found
}

fn at(setting: Setting, problem: Problem) -> Diagnostic {
    Diagnostic::error(problem.summary, problem.detail).at(Path::of(setting.name()))
}

/// The rules of one setting.
fn check_text(setting: Setting, text: &str) -> Result<(), Problem> {
    let name = setting.name();
    if text.trim().is_empty() {
        // An empty host that a module hands through must not fall back to a cluster from the environment.
        let detail = format!("{name} is empty. Leave it out or set it to null if it is not wanted.");
        return Err(Problem::new("Empty provider argument", detail));
    }
    let titled = |summary: &'static str| move |error: ConfigError| Problem::new(summary, error.problem);
    let subject = format!("`{name}`");
    match setting {
        Setting::Host => host_url(text).map(drop).map_err(titled("Not the URL of an API server")),
        Setting::ClientCertificate | Setting::ClusterCaCertificate => {
            certificates(setting, &subject, text.as_bytes()).map(drop).map_err(titled("Not a certificate in PEM"))
        }
        Setting::ClientKey => {
            check_private_key(setting, &subject, text.as_bytes()).map_err(titled("Not a private key in PEM"))
        }
        Setting::ProxyUrl => proxy_url(&subject, text)
            .map(drop)
            .map_err(|error| Problem::new("Not the URL of a proxy", format!("{error}."))),
        _ => Ok(()),
    }
}

/// A default that is ignored would never be set.
fn ignored_defaults(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    for (defaults, ignore) in [("default_labels", "ignore_labels"), ("default_annotations", "ignore_annotations")] {
        let ignored = Ignored::of(config.get(ignore));
        let keys = config.get(defaults).as_object().into_iter().flatten().map(|(key, _)| key);
        for key in keys.filter(|key| ignored.matches(key)) {
            let detail =
                format!("{key:?} is in {defaults}, and {ignore} leaves it alone. Remove it from one of the two.");
            found.push(Diagnostic::error("Default is ignored", detail).at(Path::of(defaults).key(key.clone())));
        }
    }
    found
}

/// The rules across settings.
fn combinations(config: &Value) -> Vec<(Setting, Problem)> {
    let value = |setting: Setting| config.get(setting.name());
    let given = |setting: Setting| value(setting).is_set() && value(setting).as_bool() != Some(false);
    let mut found = Vec::new();

    let sources: Vec<Setting> = SOURCES.into_iter().filter(|setting| given(*setting)).collect();
    if let [first, others @ ..] = &sources[..] {
        for other in others {
            let detail = format!("{} and {} both name a cluster. Keep one of them.", first.name(), other.name());
            found.push((*other, Problem::new("Two sources for one cluster", detail)));
        }
    }
    if given(Setting::InCluster) {
        for setting in NOT_IN_CLUSTER.into_iter().filter(|setting| given(*setting)) {
            let detail = format!(
                "in_cluster uses the pod's service account; {} has no place beside it. Remove one of the two.",
                setting.name()
            );
            found.push((setting, Problem::new("Argument conflicts with in_cluster", detail)));
        }
    } else if given(Setting::Host) && given(Setting::ConfigContext) {
        let detail =
            "config_context chooses a context of a kubeconfig, and host stands for itself. Remove one of the two.";
        found.push((Setting::ConfigContext, Problem::new("Context without a kubeconfig", detail)));
    }
    for identity in [Setting::Token, Setting::ClientCertificate] {
        if given(Setting::Exec) && given(identity) && !given(Setting::InCluster) {
            let detail = format!("exec gives the credentials, and so does {}. Keep one of them.", identity.name());
            found.push((Setting::Exec, Problem::new("Two sources of credentials", detail)));
        }
    }
    let paths = value(Setting::ConfigPaths);
    if paths.as_list().is_some_and(<[Value]>::is_empty) {
        // As an empty host, it must not fall back to a cluster from the environment.
        let detail = "config_paths is empty. Leave it out or set it to null if it is not wanted.";
        found.push((Setting::ConfigPaths, Problem::new("Empty provider argument", detail)));
    }
    if given(Setting::Insecure) && given(Setting::ClusterCaCertificate) {
        let detail =
            "insecure = true accepts any certificate, so cluster_ca_certificate has no effect. Keep one of them.";
        found.push((Setting::Insecure, Problem::new("CA is not used", detail)));
    }
    found
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

    fn ssh(name: &str, text: &str) -> Value {
        Value::object([(name, Value::from(text))])
    }

    fn mistakes(edits: &[(&str, Value)]) -> Vec<String> {
        validate(&block(edits)).iter().map(|found| found.path.to_string()).collect()
    }

    #[rstest::rstest]
    #[case::two_sources(&[("config_path", "a".into()), ("host", "https://b".into())], &["host"])]
    #[case::three_sources(&[("config_path", "a".into()), ("kubeconfig", "b".into()), ("in_cluster", true.into())],
        &["kubeconfig", "in_cluster"])]
    #[case::no_scheme(&[("host", "b:6443".into())], &["host"])]
    #[case::another_scheme(&[("host", "ftp://b".into())], &["host"])]
    #[case::a_password_in_the_host(&[("host", "https://u:p@b".into())], &["host"])]
    #[case::base64_instead_of_pem(&[("cluster_ca_certificate", "LS0tLS1CRUdJTg==".into())], &["cluster_ca_certificate"])]
    #[case::a_key_as_certificate(&[("client_certificate", "-----BEGIN EC PRIVATE KEY-----".into())], &["client_certificate"])]
    #[case::no_proxy(&[("proxy_url", "ftp://p".into())], &["proxy_url"])]
    #[case::empty(&[("host", "".into()), ("token", " ".into())], &["host", "token"])]
    #[case::token_in_cluster(&[("in_cluster", true.into()), ("token", "t".into())], &["token"])]
    #[case::context_of_a_host(&[("host", "https://b".into()), ("config_context", "c".into())], &["config_context"])]
    #[case::an_ignored_default(
        &[("default_labels", Value::object([("team", Value::from("a"))])), ("ignore_labels", Value::strings(["^te"]))],
        &["default_labels[\"team\"]"]
    )]
    #[case::a_public_key(&[("ssh", ssh("private_key", "ssh-ed25519 AAAA"))], &["ssh.private_key"])]
    #[case::a_passphrase_for_nothing(&[("ssh", ssh("private_key_passphrase", "x"))], &["ssh.private_key_passphrase"])]
    #[case::known_hosts_twice(
        &[("ssh", Value::object([("known_hosts", Value::from("a")), ("known_hosts_file", "b".into())]))],
        &["ssh.known_hosts_file"]
    )]
    #[case::two_forms_of_a_path(&[("config_path", "a".into()), ("config_paths", Value::strings(["b"]))], &["config_paths"])]
    #[case::no_paths(&[("config_paths", Value::strings([""; 0]))], &["config_paths"])]
    #[case::a_plugin_and_a_token(
        &[("host", "https://b".into()), ("token", "t".into()), ("exec", Value::object([("command", Value::from("aws"))]))],
        &["exec"]
    )]
    #[case::a_plugin_in_cluster(
        &[("in_cluster", true.into()), ("exec", Value::object([("command", Value::from("aws"))]))],
        &["exec"]
    )]
    #[case::insecure_with_a_ca(&[("insecure", true.into()), ("cluster_ca_certificate", Value::Unknown)], &[])]
    fn mistakes_are_found_at_their_attribute(#[case] edits: &[(&str, Value)], #[case] paths: &[&str]) {
        assert_eq!(mistakes(edits), paths);
    }

    #[rstest::rstest]
    #[case::nothing(&[])]
    #[case::a_file(&[("config_path", "~/.kube/config".into()), ("config_context", "mgmt".into())])]
    #[case::a_host_with_a_path(&[("host", "https://rancher/k8s/clusters/c-1".into()), ("token", "t".into())])]
    #[case::an_ephemeral_key(&[("host", "https://b".into()), ("ssh", Value::object([("private_key", Value::Unknown)]))])]
    #[case::an_agent(&[("host", "https://b".into()), ("ssh", Value::object([("agent", Value::from(true))]))])]
    #[case::not_in_a_cluster(&[("in_cluster", false.into()), ("host", "https://b".into()), ("token", "t".into())])]
    #[case::a_token_over_a_kubeconfig(&[("config_path", "a".into()), ("token", "t".into())])]
    #[case::a_token_for_a_host_from_the_environment(&[("token", "t".into())])]
    #[case::unknown(&[("host", Value::Unknown), ("token", Value::Unknown), ("in_cluster", Value::Unknown)])]
    #[case::one_known_beside_an_unknown(&[("config_path", "a".into()), ("host", Value::Unknown)])]
    fn what_may_be_right_is_accepted(#[case] edits: &[(&str, Value)]) {
        assert_eq!(mistakes(edits), [""; 0]);
    }

    #[test]
    fn no_secret_is_quoted() {
        let edits: [(&str, Value); 3] = [
            ("client_key", "s3cret".into()),
            ("host", "https://me:s3cret@b".into()),
            ("proxy_url", "x://s3cret".into()),
        ];
        for found in validate(&block(&edits)) {
            assert!(!found.detail.contains("s3cret"), "{}", found.detail);
            assert!(found.summary.split_whitespace().count() <= 8, "{}", found.summary);
        }
    }
}
