//! Kubeconfig files: read, merged, and one context chosen, with errors that name the place and show no content.

use std::io::{self, ErrorKind};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::{AuthInfo, Cluster, ExecInteractiveMode, Kubeconfig, KubeconfigError};
use secrecy::ExposeSecret as _;

use super::config::{ConfigError, Setting, certificates, check_private_key, host_url, set_identity};
use super::proxy;
use crate::yaml::{self, Unfit};

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
pub(super) fn read_files(setting: Setting, paths: &[PathBuf]) -> Result<(Kubeconfig, String), ConfigError> {
    let error = |problem: String| ConfigError::new(setting, problem);
    let mut merged: Option<Kubeconfig> = None;
    let mut missing = Vec::new();
    for path in paths {
        let shown = path.display();
        match read_file(path) {
            Ok(next) => {
                merged = Some(match merged {
                    Some(before) => before
                        .merge(next)
                        .map_err(|e| error(format!("The kubeconfig {shown} does not fit the others: {e}.")))?,
                    None => next,
                });
            }
            Err(Unreadable::File(cause)) if cause.kind() == ErrorKind::NotFound => {
                missing.push(shown.to_string());
            }
            Err(Unreadable::File(cause)) => {
                return Err(error(format!("The kubeconfig {shown} cannot be read: {cause}.")));
            }
            Err(other) => return Err(error(other.describe(&format!("The kubeconfig {shown}")))),
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
    merged(text).map_err(|error| ConfigError::new(Setting::Kubeconfig, error.describe("The text in `kubeconfig`")))
}

/// Why a kubeconfig cannot be had.
#[derive(Debug)]
enum Unreadable {
    File(io::Error),
    Yaml(Unfit),
    /// Its documents do not fit each other.
    Documents(KubeconfigError),
}

impl Unreadable {
    /// The YAML may hold a token: only the place is told.
    fn describe(&self, subject: &str) -> String {
        match self {
            Self::File(cause) => format!("{subject} cannot be read: {cause}."),
            Self::Yaml(Unfit { place: Some((line, column)) }) => {
                format!("{subject} is not YAML of a kubeconfig (line {line}, column {column}).")
            }
            Self::Yaml(Unfit { place: None }) => format!("{subject} is not YAML of a kubeconfig."),
            Self::Documents(error) => format!("{subject} cannot be used: {error}."),
        }
    }
}

/// Reads a file. Does what [`Kubeconfig::read_from`] does, whose YAML reader is a costly one (see [`yaml`]).
fn read_file(path: &Path) -> Result<Kubeconfig, Unreadable> {
    let bytes = std::fs::read(path).map_err(Unreadable::File)?;
    let mut kubeconfig = merged(&text_of(bytes).map_err(Unreadable::File)?)?;
    let Some(folder) = path.parent() else { return Ok(kubeconfig) };
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        start_at(folder, &mut cluster.certificate_authority);
    }
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        start_at(folder, &mut user.client_certificate);
        start_at(folder, &mut user.client_key);
        start_at(folder, &mut user.token_file);
        // As in kubectl, a command without a separator is looked up in `PATH`.
        if let Some(exec) = &mut user.exec
            && exec.command.as_ref().is_some_and(|command| command.contains(MAIN_SEPARATOR))
        {
            start_at(folder, &mut exec.command);
        }
    }
    Ok(kubeconfig)
}

/// The documents of a text in one; the first to say something wins.
fn merged(text: &str) -> Result<Kubeconfig, Unreadable> {
    let documents = yaml::documents(text).map_err(Unreadable::Yaml)?;
    documents.into_iter().try_fold(Kubeconfig::default(), Kubeconfig::merge).map_err(Unreadable::Documents)
}

/// UTF-8, or UTF-16 with a byte order mark, as editors on Windows write it.
fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    let invalid = |encoding: &str| io::Error::new(ErrorKind::InvalidData, format!("Invalid {encoding}"));
    let utf16 = |from: fn([u8; 2]) -> u16, encoding: &str| {
        let (units, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = units.iter().skip(1).map(|unit| from(*unit)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty()).ok_or_else(|| invalid(encoding))
    };
    match bytes.as_slice() {
        [0xFF, 0xFE, ..] => utf16(u16::from_le_bytes, "UTF-16 LE"),
        [0xFE, 0xFF, ..] => utf16(u16::from_be_bytes, "UTF-16 BE"),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).map_err(|_| invalid("UTF-8 BOM")),
        _ => String::from_utf8(bytes).map_err(|_| invalid("UTF-8")),
    }
}

/// Makes a relative path start at the folder of the kubeconfig.
fn start_at(folder: &Path, entry: &mut Option<String>) {
    let path = entry.as_ref().map(Path::new).filter(|path| path.is_relative());
    if let Some(absolute) = path.and_then(|path| folder.join(path).to_str().map(str::to_owned)) {
        *entry = Some(absolute);
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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    const FULL: &str = "kind: Config\napiVersion: v1\ncurrent-context: mgmt\ncontexts:\n- name: mgmt\n  context: {cluster: 1, user: \
                        0777}\nclusters:\n- name: 1\n  cluster: {server: 'https://ä.test', certificate-authority: pki/ca.pem}\n- name: \
                        absolute\n  cluster: {certificate-authority: /pki/ca.pem}\n- name: none\nusers:\n- name: 0777\n  user:\n    token: \
                        123456\n    client-certificate: ../crt\n    client-key: ./key\n    tokenFile: token\n    exec: {command: bin/aws, \
                        args: [1, true]}\n- name: two\n  user: {tokenFile: '', exec: {command: aws}}\n---\n# the second\nusers:\n- name: \
                        0777\n  user: {token: later}\n- name: three\n  user: {exec: {command: /bin/aws}}\ncurrent-context: later\n";

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[rstest]
    #[case::plain(FULL.into())]
    #[case::mark([b"\xEF\xBB\xBF", FULL.as_bytes()].concat())]
    #[case::little(utf16(FULL, u16::to_le_bytes))]
    #[case::big(utf16(FULL, u16::to_be_bytes))]
    #[case::line_ends(FULL.replace('\n', "\r\n").into())]
    #[case::empty(Vec::new())]
    #[case::only_a_mark(b"\xFF\xFE".to_vec())]
    fn a_file_is_read_as_kube_reads_it(#[case] content: Vec<u8>) {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("config");
        std::fs::write(&path, content).expect("written");
        let kubes = Kubeconfig::read_from(&path).expect("read by kube");
        assert_eq!(json!(read_file(&path).expect("read")), json!(kubes));
    }

    #[test]
    fn unquoted_numbers_are_names_and_tokens() {
        let read = read_text(FULL).expect("read");
        assert_eq!(read.clusters[0].name, "1");
        let user = read.auth_infos[0].auth_info.as_ref().expect("a user");
        assert_eq!((read.auth_infos[0].name.as_str(), read.auth_infos.len()), ("0777", 3));
        assert_eq!(user.token.as_ref().map(|token| token.expose_secret()), Some("123456"));
        assert_eq!(json!(read), json!(Kubeconfig::from_yaml(FULL).expect("read by kube")));
    }

    #[rstest]
    #[case::utf8(b"kind: \xFF", "Invalid UTF-8")]
    #[case::after_a_mark(b"\xEF\xBB\xBF\xFF", "Invalid UTF-8 BOM")]
    #[case::half_a_character(b"\xFF\xFE\x00", "Invalid UTF-16 LE")]
    #[case::half_a_pair(b"\xFE\xFF\xD8\x00", "Invalid UTF-16 BE")]
    fn a_file_that_is_no_text_is_told(#[case] content: &[u8], #[case] words: &str) {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("config");
        std::fs::write(&path, content).expect("written");
        let problem = read_files(Setting::ConfigPath, &[path]).expect_err("refused").problem;
        assert!(problem.contains(words), "{problem}");
    }

    #[rstest]
    #[case::kinds("kind: Config\n---\nkind: s3cret\n", "cannot be used")]
    #[case::list("- token: s3cret", "(line 1, column 1)")]
    #[case::word("token: ok\nusers:\n- name: u\n  user:\n    token: [s3cret]\n", "(line 5, column 12)")]
    #[case::boolean("clusters:\n- name: c\n  cluster: {insecure-skip-tls-verify: s3cret}\n", "(line 3, column 39)")]
    #[case::plugin("users:\n- name: u\n  user: {exec: {interactiveMode: s3cret}}\n", "(line 3, column 34)")]
    #[case::no_name("users:\n- user: {token: s3cret}\n", "(line 2, column 3)")]
    #[case::twice("kind: s3cret\nkind: s3cret\n", "(line 2, column 1)")]
    #[case::syntax("kind: [s3cret\n", "(line ")]
    fn what_is_wrong_is_told_by_its_place_and_not_quoted(#[case] text: &str, #[case] words: &str) {
        let problem = read_text(text).expect_err("refused").problem;
        assert!(problem.contains(words) && !problem.contains("s3cret"), "{problem}");
    }
}
