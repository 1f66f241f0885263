//! Kubeconfigs and named settings, good and bad.

use std::fs;

use tempfile::TempDir;

use kube::config::ExecInteractiveMode;

use super::*;

/// A certificate and its key, PEM.
fn identity() -> (String, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let parameters = rcgen::CertificateParams::new(vec!["me".to_owned()]).expect("parameters");
    let pem = |tag: &str, der: &[u8]| format!("-----BEGIN {tag}-----\n{}\n-----END {tag}-----\n", BASE64.encode(der));
    let certificate = parameters.self_signed(&key).expect("a certificate");
    (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()))
}

fn none(_: &str) -> Option<String> {
    None
}

/// A kubeconfig of one context `mgmt`; `cluster` and `user` are lines of YAML without indentation.
fn kubeconfig(cluster: &[&str], user: &[&str]) -> String {
    let lines = |lines: &[&str]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: mgmt\ncontexts:\n- name: mgmt\n  context: {{cluster: c, user: u}}\n\
         clusters:\n- name: c\n  cluster:\n{}users:\n- name: u\n  user:\n{}",
        lines(cluster),
        lines(user)
    )
}

const SERVER: &str = "server: https://mgmt.test:6443";

fn from_text(text: &str, context: Option<&str>) -> Result<kube::Config, ConfigError> {
    let source = Source::Text { kubeconfig: text.into(), context: context.map(str::to_owned) };
    load(&Credentials::new(source), &none)
}

fn from_files(paths: &[&Path], context: Option<&str>) -> Result<kube::Config, ConfigError> {
    let paths = paths.iter().map(|path| path.to_path_buf()).collect();
    load(
        &Credentials::new(Source::Files { setting: Setting::ConfigPath, paths, context: context.map(str::to_owned) }),
        &none,
    )
}

/// The problem, which must be at this setting and hold these words and no secret.
#[track_caller]
fn refused(outcome: Result<kube::Config, ConfigError>, setting: Setting, words: &[&str]) {
    let error = outcome.expect_err("refused");
    assert_eq!(error.setting, setting, "{error}");
    for word in words {
        assert!(error.problem.contains(word), "{word} is missing in: {error}");
    }
    assert!(!error.problem.contains("s3cret"), "{error}");
}

#[test]
fn a_kubeconfig_gives_server_ca_and_user() {
    let (certificate, key) = identity();
    let (ca, _) = identity();
    let lines = [
        format!("certificate-authority-data: {}", BASE64.encode(&ca)),
        format!("client-certificate-data: {}", BASE64.encode(&certificate)),
        format!("client-key-data: {}", BASE64.encode(&key)),
    ];
    let text = kubeconfig(&[SERVER, &lines[0], "tls-server-name: other"], &[&lines[1], &lines[2]]);
    let config = from_text(&text, None).expect("usable");
    assert_eq!(config.cluster_url, "https://mgmt.test:6443/");
    assert_eq!(config.root_cert.as_ref().map(Vec::len), Some(1));
    assert_eq!(config.tls_server_name.as_deref(), Some("other"));
    assert!(config.auth_info.client_key_data.is_some());
    assert!(!config.default_retry && config.read_timeout.is_none());
    assert_eq!(config.connect_timeout, Some(Duration::from_secs(10)));
    let agent = config.headers.iter().find(|(name, _)| name == http::header::USER_AGENT).map(|(_, value)| value);
    assert!(agent.is_some_and(|agent| agent.as_bytes().starts_with(b"terraform-provider-kamaji/")));
}

#[tokio::test]
async fn a_client_can_be_made_of_what_is_accepted() {
    let (certificate, key) = identity();
    let credentials = Credentials {
        client_certificate: Some(certificate.clone()),
        client_key: Some(key.into()),
        cluster_ca_certificate: Some(certificate),
        ..Credentials::new(Source::Host("https://mgmt.test:6443".into()))
    };
    kube::Client::try_from(load(&credentials, &none).expect("usable")).expect("a client");
}

#[test]
fn paths_in_a_file_start_at_the_file() {
    let folder = TempDir::new().expect("a folder");
    let (ca, _) = identity();
    fs::write(folder.path().join("ca.pem"), ca).expect("written");
    let path = folder.path().join("config");
    fs::write(&path, kubeconfig(&[SERVER, "certificate-authority: ca.pem"], &["token: t"])).expect("written");
    assert_eq!(from_files(&[&path], None).expect("usable").root_cert.map(|certs| certs.len()), Some(1));

    let home = folder.path().display().to_string();
    let source = Source::Files { setting: Setting::ConfigPath, paths: vec!["~/config".into()], context: None };
    let variables = |name: &str| (name == "HOME").then(|| home.clone());
    load(&Credentials::new(source), &variables).expect("usable");
}

#[test]
fn several_files_are_merged_and_missing_ones_passed_over() {
    let folder = TempDir::new().expect("a folder");
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    fs::write(&one, "contexts:\n- name: other\n  context: {cluster: c}\ncurrent-context: other\n").expect("written");
    fs::write(&two, kubeconfig(&[SERVER], &["token: t"])).expect("written");
    let missing = folder.path().join("missing");
    let config = from_files(&[&missing, &one, &two], None).expect("usable");
    assert_eq!(config.cluster_url.host(), Some("mgmt.test"));
    assert!(config.auth_info.token.is_none(), "the context `other` has no user");
    assert!(from_files(&[&one, &two], Some("mgmt")).expect("usable").auth_info.token.is_some());
    refused(from_files(&[&missing], None), Setting::ConfigPath, &["missing"]);
}

#[test]
fn a_kubeconfig_that_leads_nowhere_says_where_it_ends() {
    let text = kubeconfig(&[SERVER], &["token: s3cret"]);
    refused(from_text(&text, Some("prod")), Setting::ConfigContext, &["\"prod\"", "\"mgmt\""]);
    let no_current = text.replace("current-context: mgmt\n", "");
    refused(from_text(&no_current, None), Setting::Kubeconfig, &["current-context", "\"mgmt\""]);
    let no_cluster = text.replace("- name: c\n", "- name: d\n");
    refused(from_text(&no_cluster, None), Setting::Kubeconfig, &["\"mgmt\"", "cluster \"c\""]);
    refused(from_text(&kubeconfig(&["server: mgmt"], &[]), None), Setting::Kubeconfig, &["server", "scheme"]);
    refused(from_text("", None), Setting::Kubeconfig, &["current-context"]);
}

#[test]
fn broken_yaml_is_told_by_its_line_and_not_quoted() {
    let text = kubeconfig(&[SERVER], &["token: s3cret", "tokenFile: [s3cret"]);
    refused(from_text(&text, None), Setting::Kubeconfig, &["line", "YAML"]);
    refused(from_text("clusters: s3cret", None), Setting::Kubeconfig, &["line 1"]);
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("config");
    fs::write(&path, text).expect("written");
    refused(from_files(&[&path], None), Setting::ConfigPath, &[&path.display().to_string(), "line"]);
}

#[test]
fn entries_that_cannot_be_used_are_named_with_their_context() {
    let pem = BASE64.encode("s3cret");
    let (data, not_base64) = (format!("certificate-authority-data: {pem}"), "certificate-authority-data: s3cret!");
    let setting = Setting::Kubeconfig;
    let with = |cluster: &[&str], user: &[&str]| from_text(&kubeconfig(cluster, user), None);
    refused(with(&[SERVER, &data], &[]), setting, &["certificate-authority", "mgmt", "PEM"]);
    refused(with(&[SERVER, not_base64], &[]), setting, &["certificate-authority-data", "base64"]);
    refused(with(&[SERVER, "certificate-authority: /no/ca"], &[]), setting, &["/no/ca", "mgmt"]);
    refused(with(&[SERVER, "proxy-url: ftp://me:s3cret@p"], &[]), setting, &["proxy-url", "mgmt"]);
    refused(with(&[SERVER], &["tokenFile: /no/token"]), setting, &["tokenFile", "/no/token"]);
    let (certificate, _) = identity();
    let certificate = format!("client-certificate-data: {}", BASE64.encode(certificate));
    refused(with(&[SERVER], &[&certificate]), setting, &["client-key"]);
    let key = format!("client-key-data: {pem}");
    refused(with(&[SERVER], &[&certificate, &key]), setting, &["client-key", "private key"]);
}

#[test]
fn a_credential_plugin_never_gets_the_terminal() {
    let exec = [
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, interactiveMode: Always,",
        "  provideClusterInfo: true}",
    ];
    let config = from_text(&kubeconfig(&[SERVER], &exec), None).expect("usable");
    let exec = config.auth_info.exec.expect("a plugin");
    assert_eq!(exec.interactive_mode, Some(ExecInteractiveMode::Never));
    assert!(exec.cluster.is_some());
}

#[test]
fn a_token_replaces_the_user_of_a_kubeconfig_and_keeps_impersonation() {
    let text = kubeconfig(&[SERVER], &["exec: {apiVersion: v1, command: aws}", "as: somebody"]);
    let source = Source::Text { kubeconfig: text.into(), context: None };
    let credentials = Credentials { token: Some(" t\n".into()), ..Credentials::new(source) };
    let user = load(&credentials, &none).expect("usable").auth_info;
    assert!(user.exec.is_none());
    assert_eq!(user.token.as_ref().map(|token| token.expose_secret()), Some("t"));
    assert_eq!(user.impersonate.as_deref(), Some("somebody"));
}

#[test]
fn a_plugin_of_the_configuration_replaces_the_user_of_a_kubeconfig() {
    let text = kubeconfig(&[SERVER], &["token: s3cret", "as: somebody"]);
    let plugin = Plugin {
        api_version: "client.authentication.k8s.io/v1".into(),
        command: "~/bin/login".into(),
        args: vec!["token".into()],
        env: [("REGION".to_owned(), "eu".into())].into(),
    };
    let source = Source::Text { kubeconfig: text.into(), context: None };
    let credentials = Credentials { exec: Some(plugin), ..Credentials::new(source) };
    let home = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    let user = load(&credentials, &home).expect("usable").auth_info;
    assert!(user.token.is_none());
    assert_eq!(user.impersonate.as_deref(), Some("somebody"));
    let exec = user.exec.expect("a plugin");
    assert_eq!(exec.interactive_mode, Some(ExecInteractiveMode::Never));
    assert_eq!(exec.command.as_deref(), Some("/home/me/bin/login"));
    let variables = exec.env.expect("variables");
    assert_eq!((variables[0]["name"].as_str(), variables[0]["value"].as_str()), ("REGION", "eu"));
}

#[rstest::rstest]
#[case::token(Credentials { token: Some("s3cret\ns3cret".into()), ..host() }, Setting::Token)]
#[case::certificate_alone(Credentials { client_certificate: Some("x".into()), ..host() }, Setting::ClientCertificate)]
#[case::key_alone(Credentials { client_key: Some("s3cret".into()), ..host() }, Setting::ClientKey)]
#[case::ca(Credentials { cluster_ca_certificate: Some("s3cret".into()), ..host() }, Setting::ClusterCaCertificate)]
#[case::proxy(Credentials { proxy_url: Some("ftp://s3cret".into()), ..host() }, Setting::ProxyUrl)]
#[case::host(Credentials::new(Source::Host("https://me:s3cret@mgmt".into())), Setting::Host)]
fn a_setting_that_cannot_be_used_is_the_one_at_fault(#[case] credentials: Credentials, #[case] setting: Setting) {
    refused(load(&credentials, &none), setting, &[]);
}

fn host() -> Credentials {
    Credentials::new(Source::Host("https://mgmt.test:6443".into()))
}

#[rstest::rstest]
#[case("https://mgmt.test:6443", true)]
#[case("https://[fd00::1]:6443", true)]
#[case("https://rancher.test/k8s/clusters/c-1", true)]
#[case("http://127.0.0.1:8001", true)]
#[case("mgmt.test:6443", false)]
#[case("mgmt.test", false)]
#[case("ftp://mgmt.test", false)]
#[case("https://", false)]
#[case("https://mgmt.test?x=1", false)]
#[case("https://mg mt", false)]
fn a_host_is_a_url(#[case] text: &str, #[case] good: bool) {
    assert_eq!(host_url(text).is_ok(), good);
}

#[test]
fn the_proxy_of_the_environment_is_the_last_choice() {
    let variables = |name: &str| (name == "HTTPS_PROXY").then(|| "http://env:1".to_owned());
    let proxy = |credentials: &Credentials| {
        load(credentials, &variables).expect("usable").proxy_url.map(|proxy| proxy.to_string())
    };
    assert_eq!(proxy(&host()).as_deref(), Some("http://env:1/"));
    let text = kubeconfig(&[SERVER, "proxy-url: socks5://file:2"], &[]);
    let source = Credentials::new(Source::Text { kubeconfig: text.into(), context: None });
    assert_eq!(proxy(&source).as_deref(), Some("socks5://file:2/"));
    let set = Credentials { proxy_url: Some("set:3".into()), ..source };
    assert_eq!(proxy(&set).as_deref(), Some("http://set:3/"));
}
