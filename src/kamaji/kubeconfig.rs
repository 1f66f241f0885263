//! Kubeconfigs of tenants: taken apart for outputs and clients, and built.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, Context, Kubeconfig as Document, NamedAuthInfo, NamedCluster, NamedContext};
use secrecy::{ExposeSecret, SecretString};
use tfplugin::schema::Problem;

use super::network::Endpoint;
use crate::yaml;

/// One cluster and one user, with everything embedded. Debug output shows no secret.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    /// The name of the cluster; Kamaji takes that of the control plane.
    pub cluster: String,
    /// The name of the user, `kubernetes-admin`.
    pub user: String,
    /// The server, `https://host:port`.
    pub server: String,
    /// CA bundle, PEM.
    pub ca_pem: String,
    /// Client certificate, PEM.
    pub client_certificate_pem: Option<String>,
    /// Key of the client certificate, PEM.
    pub client_key_pem: Option<SecretString>,
    /// Bearer token.
    pub token: Option<SecretString>,
}

/// A problem with a kubeconfig. Parsers' own messages may quote the text, so they are left out.
fn broken(what: impl Into<String>) -> Problem {
    Problem::new("Kubeconfig cannot be used", format!("The kubeconfig {}.", what.into()))
}

/// How to get a kubeconfig without files.
const EMBED: &str = "Embed it: `kubectl config view --raw --minify --flatten` does";

/// Whether the credentials of a user are in the kubeconfig itself.
fn check_embedded(user: &AuthInfo) -> Result<(), Problem> {
    let embedded = user.token.is_some() || user.client_certificate_data.is_some();
    if embedded || user.token_file.is_none() && user.client_certificate.is_none() && user.exec.is_none() {
        return Ok(());
    }
    Err(broken(match user.exec {
        Some(_) => {
            "has its credentials from a command (exec), which is not run here. Use one with a token or a client \
                    certificate"
                .to_owned()
        }
        None => format!("has its credentials in a file, which is not read here. {EMBED}"),
    }))
}

fn decoded(field: &str, base64: &str) -> Result<String, Problem> {
    // kubectl takes line breaks inside the base64 as well.
    let compact: String = base64.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(compact).map_err(|_| broken(format!("has a {field} that is not base64")))?;
    String::from_utf8(bytes).map_err(|_| broken(format!("has a {field} that is not text")))
}

impl Kubeconfig {
    /// Reads a kubeconfig: the current context, or the only one.
    ///
    /// # Errors
    /// Not a kubeconfig; no server or CA; credentials in files or from a command, which another machine cannot use.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let invalid = || broken("is not valid YAML of a kubeconfig");
        let documents = yaml::documents(text).map_err(|_| invalid())?;
        let document: Document =
            documents.into_iter().try_fold(Document::default(), Document::merge).map_err(|_| invalid())?;
        let wanted = document.current_context.as_deref().filter(|name| !name.is_empty());
        let context = match (wanted, document.contexts.as_slice()) {
            (Some(name), contexts) => contexts.iter().find(|context| context.name == name),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let context = context.and_then(|named| named.context.as_ref());
        let context = context.ok_or_else(|| broken("has no context that could be the current one"))?;
        let cluster = document.clusters.iter().find(|named| named.name == context.cluster);
        let cluster = cluster.and_then(|named| named.cluster.as_ref());
        let cluster = cluster.ok_or_else(|| broken(format!("lacks the cluster {:?}", context.cluster)))?;
        let server =
            cluster.server.clone().filter(|server| !server.is_empty()).ok_or_else(|| broken("has no server"))?;
        let ca = cluster.certificate_authority_data.as_deref().filter(|data| !data.is_empty());
        let ca = ca.ok_or_else(|| match &cluster.certificate_authority {
            Some(_) => broken(format!("has its CA in a file, which is not read here. {EMBED}")),
            None => broken("has no certificate-authority-data"),
        })?;
        let user = context.user.clone().unwrap_or_default();
        let credentials = document.auth_infos.iter().find(|named| named.name == user);
        let credentials = credentials.and_then(|named| named.auth_info.clone()).unwrap_or_default();
        check_embedded(&credentials)?;
        Ok(Self {
            cluster: context.cluster.clone(),
            user,
            server,
            ca_pem: decoded("certificate-authority-data", ca)?,
            client_certificate_pem: credentials
                .client_certificate_data
                .as_deref()
                .filter(|data| !data.is_empty())
                .map(|data| decoded("client-certificate-data", data))
                .transpose()?,
            client_key_pem: credentials
                .client_key_data
                .as_ref()
                .map(ExposeSecret::expose_secret)
                .filter(|data| !data.is_empty())
                .map(|data| decoded("client-key-data", data).map(SecretString::from))
                .transpose()?,
            token: credentials.token.filter(|token| !token.expose_secret().is_empty()),
        })
    }

    /// Host and port of the server.
    ///
    /// # Errors
    /// The server is not an https URL.
    pub fn endpoint(&self) -> Result<Endpoint, Problem> {
        Endpoint::from_url(&self.server)
    }

    /// True if it says who the caller is.
    pub fn has_credentials(&self) -> bool {
        self.token.is_some() || (self.client_certificate_pem.is_some() && self.client_key_pem.is_some())
    }

    /// The YAML. The same values give the same text.
    ///
    /// # Errors
    /// The text cannot be written, which no value here leads to.
    pub fn render(&self) -> Result<SecretString, Problem> {
        let encoded = |text: &str| STANDARD.encode(text);
        let context =
            if self.user.is_empty() { self.cluster.clone() } else { format!("{}@{}", self.user, self.cluster) };
        let credentials = AuthInfo {
            client_certificate_data: self.client_certificate_pem.as_deref().map(encoded),
            client_key_data: self.client_key_pem.as_ref().map(|key| encoded(key.expose_secret()).into()),
            token: self.token.clone(),
            ..AuthInfo::default()
        };
        let user = (!self.user.is_empty()).then(|| self.user.clone());
        let document = Document {
            api_version: Some("v1".to_owned()),
            kind: Some("Config".to_owned()),
            current_context: Some(context.clone()),
            clusters: vec![NamedCluster {
                name: self.cluster.clone(),
                cluster: Some(Cluster {
                    server: Some(self.server.clone()),
                    certificate_authority_data: Some(encoded(&self.ca_pem)),
                    ..Cluster::default()
                }),
                ..NamedCluster::default()
            }],
            contexts: vec![NamedContext {
                name: context,
                context: Some(Context { cluster: self.cluster.clone(), user: user.clone(), ..Context::default() }),
                ..NamedContext::default()
            }],
            auth_infos: user
                .map(|name| NamedAuthInfo { name, auth_info: Some(credentials), ..NamedAuthInfo::default() })
                .into_iter()
                .collect(),
            ..Document::default()
        };
        let options = serde_saphyr::ser_options! { quote_all: true };
        let yaml = serde_saphyr::to_string_with_options(&document, options);
        yaml.map(SecretString::from).map_err(|_| broken("cannot be written as YAML"))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::kamaji::certificate::tests::EC_CA;

    fn admin() -> Kubeconfig {
        Kubeconfig {
            cluster: "t1".to_owned(),
            user: "kubernetes-admin".to_owned(),
            server: "https://10.0.0.1:6443".to_owned(),
            ca_pem: EC_CA.to_owned(),
            client_certificate_pem: Some("certificate".to_owned()),
            client_key_pem: Some("planted-key".to_owned().into()),
            token: None,
        }
    }

    #[test]
    fn what_is_built_reads_back() {
        let read = Kubeconfig::parse(admin().render().unwrap().expose_secret()).unwrap();
        assert_eq!((read.cluster.as_str(), read.user.as_str()), ("t1", "kubernetes-admin"));
        assert_eq!(read.endpoint().unwrap().to_string(), "10.0.0.1:6443");
        assert_eq!(read.ca_pem, EC_CA);
        assert_eq!(read.client_key_pem.as_ref().unwrap().expose_secret(), "planted-key");
        assert!(read.has_credentials());
    }

    #[test]
    fn a_kubeconfig_without_user_has_no_credentials() {
        let anonymous =
            Kubeconfig { user: String::new(), client_certificate_pem: None, client_key_pem: None, ..admin() };
        let yaml = anonymous.render().unwrap();
        assert!(!Kubeconfig::parse(yaml.expose_secret()).unwrap().has_credentials());
    }

    #[test]
    fn odd_names_and_tokens_stay_as_they_are() {
        for odd in ["yes", "1e3", "a: b", "it's", "\\", "#x", "null", "~", "0123"] {
            let built = Kubeconfig { cluster: odd.to_owned(), token: Some(odd.to_owned().into()), ..admin() };
            let read = Kubeconfig::parse(built.render().unwrap().expose_secret()).unwrap();
            assert_eq!((read.cluster.as_str(), read.token.unwrap().expose_secret()), (odd, odd));
        }
    }

    #[test]
    fn a_kubeconfig_as_kubeadm_writes_it_is_read() {
        let yaml = format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {}\n    server: https://t1.example.com\n  \
             name: t1\ncontexts:\n- context:\n    cluster: t1\n    user: kubernetes-super-admin\n  name: \
             kubernetes-super-admin@t1\ncurrent-context: kubernetes-super-admin@t1\nkind: Config\npreferences: {{}}\nusers:\n- \
             name: kubernetes-super-admin\n  user:\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n",
            STANDARD.encode(EC_CA)
        );
        let read = Kubeconfig::parse(&yaml).unwrap();
        assert_eq!(read.endpoint().unwrap().port, 443);
        assert_eq!(read.client_certificate_pem.as_deref(), Some("cert"));
    }

    #[rstest]
    #[case::not_yaml("{", "not valid YAML")]
    #[case::empty("", "no context")]
    #[case::no_ca(
        "{contexts: [{name: a, context: {cluster: b}}], clusters: [{name: b, cluster: {server: 'https://b'}}]}",
        "no certificate-authority-data"
    )]
    #[case::ca_file(
        "{contexts: [{name: a, context: {cluster: b}}], clusters: [{name: b, cluster: {server: 'https://b', \
         certificate-authority: ca.crt}}]}",
        "has its CA in a file"
    )]
    #[case::credentials_of_a_command(
        "{contexts: [{name: a, context: {cluster: b, user: u}}], clusters: [{name: b, cluster: {server: 'https://b', \
         certificate-authority-data: Yg==}}], users: [{name: u, user: {exec: {command: aws}}}]}",
        "has its credentials from a command"
    )]
    #[case::credentials_in_a_file(
        "{contexts: [{name: a, context: {cluster: b, user: u}}], clusters: [{name: b, cluster: {server: 'https://b', \
         certificate-authority-data: Yg==}}], users: [{name: u, user: {tokenFile: /token}}]}",
        "has its credentials in a file"
    )]
    #[case::no_cluster("{contexts: [{name: a, context: {cluster: b}}]}", "lacks the cluster \"b\"")]
    #[case::bad_base64(
        "{contexts: [{name: a, context: {cluster: b}}], clusters: [{name: b, cluster: {server: 'https://b', \
         certificate-authority-data: '%'}}]}",
        "not base64"
    )]
    fn a_broken_kubeconfig_is_named(#[case] yaml: &str, #[case] words: &str) {
        let problem = Kubeconfig::parse(yaml).unwrap_err();
        assert!(problem.detail.contains(words), "{}", problem.detail);
    }

    #[test]
    fn no_secret_shows_in_debug_output_or_errors() {
        let shown = format!("{:?}", Kubeconfig { token: Some("planted-token".to_owned().into()), ..admin() });
        assert!(!shown.contains("planted"), "{shown}");
        let problem = Kubeconfig::parse("users:\n- user: {token: planted-token\n  - x").unwrap_err();
        assert!(!problem.detail.contains("planted"), "{}", problem.detail);
    }
}
