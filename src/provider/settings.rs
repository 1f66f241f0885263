//! From the provider block and the environment to the credentials for a cluster.

use std::collections::BTreeMap;

use secrecy::SecretString;
use tfplugin::Value;

use super::validate::SOURCES;
use crate::management_cluster::config::{ConfigError, Credentials, Impersonated, Plugin, Setting, Source, Variables};

/// Arguments that say nothing about the cluster: with these unknown it can be asked all the same.
const NOT_ABOUT_IT: [&str; 6] =
    ["default_labels", "default_annotations", "ignore_labels", "ignore_annotations", "max_in_flight", "ssh"];

/// What a configuration asks for.
#[derive(Debug)]
pub(super) enum Target {
    /// These arguments, which decide about the cluster or what is done there, are not known before apply.
    Unknown(Vec<&'static str>),
    /// No source names a cluster; the texts of all that were looked at.
    None(Vec<String>),
    /// This one.
    Cluster(Box<Credentials>),
}

/// Puts the provider block and the environment together.
///
/// The block wins. A source that it names makes the environment's sources irrelevant; other settings fall back to their
/// variables one by one, as in the hashicorp/kubernetes provider. Two sources in the environment are an error: which
/// cluster is changed must not hang on an order of precedence.
pub(super) fn target(config: &Value, variables: &Variables<'_>) -> Result<Target, ConfigError> {
    let decides = |name: &&str| !NOT_ABOUT_IT.contains(name);
    let names = super::schema::SCHEMA.attributes.iter().map(|a| a.name).filter(decides);
    let unknown: Vec<&'static str> = names.filter(|name| !config.get(name).is_wholly_known()).collect();
    if !unknown.is_empty() {
        return Ok(Target::Unknown(unknown));
    }
    let settings = Settings { config, variables };
    let source = match settings.source_in_block() {
        Some(source) => source,
        None => match settings.source_in_environment()? {
            Some(source) => source,
            None => return Ok(Target::None(looked_at())),
        },
    };
    let in_cluster = matches!(source, Source::InCluster);
    // The variables that go with a host or a kubeconfig say nothing about the pod's service account.
    let text = |setting| if in_cluster { settings.in_block(setting) } else { settings.text(setting) };
    Ok(Target::Cluster(Box::new(Credentials {
        token: text(Setting::Token).map(SecretString::from),
        client_certificate: text(Setting::ClientCertificate),
        client_key: text(Setting::ClientKey).map(SecretString::from),
        cluster_ca_certificate: text(Setting::ClusterCaCertificate),
        exec: plugin(config.get(Setting::Exec.name())),
        impersonate: impersonated(config.get(Setting::Impersonate.name())),
        insecure: if in_cluster { config.get("insecure").as_bool() } else { settings.insecure()? },
        tls_server_name: text(Setting::TlsServerName),
        proxy_url: settings.text(Setting::ProxyUrl),
        source,
    })))
}

struct Settings<'a> {
    config: &'a Value,
    variables: &'a Variables<'a>,
}

impl Settings<'_> {
    fn in_block(&self, setting: Setting) -> Option<String> {
        self.config.str_at(setting.name()).map(str::to_owned)
    }

    fn in_environment(&self, setting: Setting) -> Option<String> {
        setting.variable().and_then(self.variables).filter(|text| !text.trim().is_empty())
    }

    fn text(&self, setting: Setting) -> Option<String> {
        self.in_block(setting).or_else(|| self.in_environment(setting))
    }

    fn files<P: Into<std::path::PathBuf>>(&self, setting: Setting, paths: impl IntoIterator<Item = P>) -> Source {
        let paths = paths.into_iter().map(Into::into).collect();
        Source::Files { setting, paths, context: self.text(Setting::ConfigContext) }
    }

    fn source_in_block(&self) -> Option<Source> {
        if let Some(text) = self.in_block(Setting::Kubeconfig) {
            return Some(Source::Text { kubeconfig: text.into(), context: self.text(Setting::ConfigContext) });
        }
        if let Some(path) = self.in_block(Setting::ConfigPath) {
            return Some(self.files(Setting::ConfigPath, [path]));
        }
        if let Some(paths) = self.config.get(Setting::ConfigPaths.name()).as_list().filter(|paths| !paths.is_empty()) {
            return Some(self.files(Setting::ConfigPaths, paths.iter().filter_map(Value::as_str)));
        }
        if let Some(url) = self.in_block(Setting::Host) {
            return Some(Source::Host(url));
        }
        (self.config.get(Setting::InCluster.name()).as_bool() == Some(true)).then_some(Source::InCluster)
    }

    fn source_in_environment(&self) -> Result<Option<Source>, ConfigError> {
        let path = self.in_environment(Setting::ConfigPath);
        let paths = self.in_environment(Setting::ConfigPaths);
        let host = self.in_environment(Setting::Host);
        let named = path.as_ref().map(|_| Setting::ConfigPath).or(paths.as_ref().map(|_| Setting::ConfigPaths));
        if let Some(kubeconfig) = named.and_then(Setting::variable)
            && host.is_some()
        {
            let problem = format!(
                "KUBE_HOST and {kubeconfig} both name a cluster. Unset one of them, or name the cluster in the provider \
                 block, which wins over both."
            );
            return Err(ConfigError { setting: Setting::Host, problem });
        }
        if let Some(path) = path {
            return Ok(Some(self.files(Setting::ConfigPath, [path])));
        }
        if let Some(paths) = paths {
            let paths = std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty());
            return Ok(Some(self.files(Setting::ConfigPaths, paths)));
        }
        Ok(host.map(Source::Host))
    }

    fn insecure(&self) -> Result<Option<bool>, ConfigError> {
        if let Some(value) = self.config.get(Setting::Insecure.name()).as_bool() {
            return Ok(Some(value));
        }
        // The spellings of Go's strconv.ParseBool, which read this variable so far.
        match self.in_environment(Setting::Insecure).as_deref() {
            None => Ok(None),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(Some(true)),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(Some(false)),
            Some(other) => {
                let problem = format!("KUBE_INSECURE is {other:?}. It must be true or false.");
                Err(ConfigError { setting: Setting::Insecure, problem })
            }
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_list().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn plugin(exec: &Value) -> Option<Plugin> {
    let env = exec.get("env").as_object().into_iter().flatten();
    Some(Plugin {
        api_version: exec.str_at("api_version")?.to_owned(),
        command: exec.str_at("command")?.to_owned(),
        args: texts(exec.get("args")),
        env: env.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.into()))).collect(),
    })
}

fn impersonated(impersonate: &Value) -> Option<Impersonated> {
    let extra: BTreeMap<_, _> = impersonate
        .get("extra")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, values)| (key.clone(), texts(values)))
        .collect();
    Some(Impersonated {
        user: impersonate.str_at("user")?.to_owned(),
        uid: impersonate.str_at("uid").map(str::to_owned),
        groups: texts(impersonate.get("groups")),
        extra,
    })
}

/// Each source that was looked at and named nothing.
fn looked_at() -> Vec<String> {
    let in_block = SOURCES.iter().map(|setting| format!("`{}` in the provider block", setting.name()));
    let in_environment = [Setting::ConfigPath, Setting::ConfigPaths, Setting::Host].map(Setting::variable);
    in_block.chain(in_environment.into_iter().flatten().map(|name| format!("{name} in the environment"))).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::provider::schema::SCHEMA;

    fn resolve(edits: &[(&str, Value)], environment: &[(&str, &str)]) -> Result<Target, ConfigError> {
        let mut block = SCHEMA.null_object();
        for (name, value) in edits {
            block.set(name, value.clone());
        }
        target(&block, &|name| environment.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned()))
    }

    fn cluster(edits: &[(&str, Value)], environment: &[(&str, &str)]) -> Credentials {
        match resolve(edits, environment) {
            Ok(Target::Cluster(credentials)) => *credentials,
            other => panic!("no cluster: {other:?}"),
        }
    }

    #[test]
    fn nothing_is_guessed() {
        let environment = [("KUBECONFIG", "/somewhere"), ("HOME", "/root"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
        let Ok(Target::None(looked_at)) = resolve(&[], &environment) else { panic!("a target out of nowhere") };
        assert!(looked_at.iter().any(|line| line.contains("KUBE_CONFIG_PATH")), "{looked_at:?}");
    }

    #[test]
    fn a_source_in_the_block_wins_over_all_in_the_environment() {
        let environment = [("KUBE_CONFIG_PATH", "/env"), ("KUBE_HOST", "https://env")];
        let credentials = cluster(&[("host", "https://b".into())], &environment);
        assert!(matches!(credentials.source, Source::Host(host) if host == "https://b"));
    }

    #[test]
    fn settings_fall_back_to_their_variables_one_by_one() {
        let environment =
            [("KUBE_TOKEN", "env"), ("KUBE_CTX", "ctx"), ("KUBE_INSECURE", "True"), ("KUBE_PROXY_URL", "p:1")];
        let credentials = cluster(&[("config_path", "/a".into()), ("token", "block".into())], &environment);
        assert_eq!(credentials.token.as_ref().map(|token| token.expose_secret()), Some("block"));
        assert_eq!(credentials.insecure, Some(true));
        assert_eq!(credentials.proxy_url.as_deref(), Some("p:1"));
        assert!(matches!(credentials.source, Source::Files { context: Some(context), .. } if context == "ctx"));
    }

    #[test]
    fn several_paths_are_a_list_as_in_kubectl() {
        let credentials = cluster(&[], &[("KUBE_CONFIG_PATHS", "/a::/b")]);
        let Source::Files { paths, .. } = credentials.source else { panic!("no files") };
        assert_eq!(paths, [std::path::Path::new("/a"), std::path::Path::new("/b")]);
        let credentials = cluster(&[], &[("KUBE_CONFIG_PATHS", "/a:/b"), ("KUBE_CONFIG_PATH", "/c")]);
        assert!(matches!(credentials.source, Source::Files { paths, .. } if paths.len() == 1));
    }

    #[test]
    fn paths_of_the_block_are_merged_in_their_order() {
        let paths = Value::strings(["/a", "~/b"]);
        let credentials = cluster(&[("config_paths", paths)], &[("KUBE_HOST", "https://env"), ("KUBE_CTX", "c")]);
        let Source::Files { setting, paths, context } = credentials.source else { panic!("no files") };
        assert_eq!((setting, context.as_deref()), (Setting::ConfigPaths, Some("c")));
        assert_eq!(paths, [std::path::Path::new("/a"), std::path::Path::new("~/b")]);
    }

    #[test]
    fn a_plugin_and_whom_to_act_as_are_taken_from_the_block() {
        let exec = Value::object([
            ("api_version", "client.authentication.k8s.io/v1".into()),
            ("command", "aws".into()),
            ("args", Value::strings(["eks", "get-token"])),
            ("env", Value::object([("AWS_PROFILE", Value::from("mgmt"))])),
        ]);
        let impersonate = Value::object([
            ("user", "ci".into()),
            ("groups", Value::strings(["platform"])),
            ("extra", Value::object([("scopes", Value::strings(["view"]))])),
        ]);
        let edits = [("host", "https://b".into()), ("exec", exec), ("impersonate", impersonate)];
        let credentials = cluster(&edits, &[]);
        let plugin = credentials.exec.expect("a plugin");
        assert_eq!(
            (plugin.command.as_str(), plugin.args.as_slice()),
            ("aws", ["eks".to_owned(), "get-token".into()].as_slice())
        );
        assert_eq!(plugin.env["AWS_PROFILE"].expose_secret(), "mgmt");
        let somebody = credentials.impersonate.expect("somebody");
        assert_eq!((somebody.user.as_str(), somebody.groups, somebody.uid), ("ci", vec!["platform".to_owned()], None));
        assert_eq!(somebody.extra["scopes"], ["view"]);
        let edits = [("host", "https://b".into()), ("exec", Value::object([("env", Value::Unknown)]))];
        assert!(matches!(resolve(&edits, &[]), Ok(Target::Unknown(names)) if names == ["exec"]));
    }

    #[rstest::rstest]
    #[case("KUBE_CONFIG_PATH")]
    #[case("KUBE_CONFIG_PATHS")]
    fn two_sources_in_the_environment_are_refused(#[case] variable: &str) {
        let error = resolve(&[], &[("KUBE_HOST", "https://b"), (variable, "/a")]).expect_err("ambiguous");
        assert!(error.problem.contains("KUBE_HOST") && error.problem.contains(variable), "{error}");
    }

    #[test]
    fn a_service_account_takes_nothing_from_the_environment() {
        let environment = [("KUBE_TOKEN", "t"), ("KUBE_CLUSTER_CA_CERT_DATA", "c"), ("KUBE_INSECURE", "true")];
        let credentials = cluster(&[("in_cluster", true.into())], &environment);
        assert!(credentials.token.is_none() && credentials.cluster_ca_certificate.is_none());
        assert_eq!(credentials.insecure, None);
    }

    #[test]
    fn an_insecure_that_is_no_bool_is_refused() {
        assert!(resolve(&[("host", "https://b".into())], &[("KUBE_INSECURE", "yes")]).is_err());
    }

    #[test]
    fn what_is_unknown_is_named() {
        let edits = [("host", Value::Unknown), ("field_manager", Value::Unknown)];
        let Ok(Target::Unknown(names)) = resolve(&edits, &[]) else { panic!("a target from unknown values") };
        assert_eq!(names, ["host", "field_manager"]);
        let edits = [("host", "https://b".into()), ("default_labels", Value::Unknown)];
        assert!(matches!(resolve(&edits, &[]), Ok(Target::Cluster(_))));
    }
}
