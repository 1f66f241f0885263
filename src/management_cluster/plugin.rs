//! Credential plugins: programs that print an `ExecCredential` (`client.authentication.k8s.io`).
//!
//! kube starts a plugin three times for one client, waits for it without a limit, and keeps a certificate that has expired.
//! So it is started here, once for each login, and kube gets what it gave.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use kube::config::{AuthInfo, ExecConfig};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

/// How long a plugin may take: some ask a cloud, none can ask a person.
const LIMIT: Duration = Duration::from_secs(60);

/// What a plugin gave.
pub(super) struct Credential {
    status: Status,
    /// From when on it is of no use.
    pub(super) expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ExecCredential {
    kind: String,
    #[serde(rename = "apiVersion")]
    api_version: String,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Credential {
    /// Makes it the user's.
    pub(super) fn put_into(self, user: &mut AuthInfo) {
        let Status { token, client_certificate_data, client_key_data, .. } = self.status;
        user.token = token.map(SecretString::from);
        user.client_certificate_data = client_certificate_data.map(|pem| BASE64.encode(pem));
        user.client_key_data = client_key_data.map(|pem| BASE64.encode(pem).into());
    }
}

/// Starts a plugin, without a terminal and with its stderr nowhere. The future may be dropped: the plugin is killed then.
///
/// # Errors
/// What went wrong, without what the plugin printed, which may be a secret.
pub(super) async fn run(exec: &ExecConfig) -> Result<Credential, String> {
    let program = exec.command.as_deref().unwrap_or_default();
    let name = format!("the credential plugin {program:?}");
    let mut command = Command::new(program);
    command.args(exec.args.iter().flatten());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    let mut spec = json!({"interactive": false});
    if exec.provide_cluster_info {
        spec["cluster"] = serde_json::to_value(&exec.cluster).unwrap_or_default();
    }
    let api_version = exec.api_version.clone().unwrap_or_default();
    let info = json!({"apiVersion": api_version, "kind": "ExecCredential", "spec": spec});
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .map_err(|_| format!("{name} did not end within {} s; run it in a terminal to see why", LIMIT.as_secs()))?
        .map_err(|error| match exec.install_hint.as_deref().map(str::trim).filter(|hint| !hint.is_empty()) {
            Some(hint) => format!("{name} cannot be started: {error}. {hint}"),
            None => format!("{name} cannot be started: {error}"),
        })?;
    if !output.status.success() {
        return Err(format!("{name} failed ({}); run it in a terminal to see why", output.status));
    }
    read(&output.stdout, &api_version).map_err(|problem| format!("{name} {problem}"))
}

/// Reads what a plugin printed; the problem completes "the plugin …".
fn read(printed: &[u8], api_version: &str) -> Result<Credential, String> {
    let said: ExecCredential =
        serde_json::from_slice(printed).map_err(|_| "printed no ExecCredential in JSON".to_owned())?;
    if said.kind != "ExecCredential" {
        return Err("printed an object of another kind than ExecCredential".to_owned());
    }
    if said.api_version != api_version {
        return Err(format!(
            "printed an ExecCredential of another version than {api_version:?}; set `apiVersion` (`api_version`) to what it \
             gives"
        ));
    }
    let status = said.status.ok_or("printed an ExecCredential without a status")?;
    if status.client_certificate_data.is_some() != status.client_key_data.is_some() {
        return Err("gave a client certificate without its key, or a key without its certificate".to_owned());
    }
    if status.token.is_none() && status.client_certificate_data.is_none() {
        return Err("gave neither a token nor a client certificate".to_owned());
    }
    let expires = status.expiration_timestamp.as_deref().map(str::parse).transpose();
    let expires = expires.map_err(|_| "gave an expirationTimestamp that is no time".to_owned())?;
    Ok(Credential { status, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    fn printed(status: &serde_json::Value) -> String {
        json!({"kind": "ExecCredential", "apiVersion": V1, "status": status}).to_string()
    }

    #[test]
    fn a_token_and_its_end_are_read() {
        let text = printed(&json!({"token": "t", "expirationTimestamp": "2030-01-02T03:04:05Z", "other": 1}));
        let credential = read(text.as_bytes(), V1).expect("good");
        assert_eq!(credential.expires, "2030-01-02T03:04:05Z".parse().ok());
        let mut user = AuthInfo::default();
        credential.put_into(&mut user);
        assert!(user.token.is_some() && user.client_certificate_data.is_none());
    }

    #[test]
    fn a_certificate_reaches_kube_in_base64() {
        let text = printed(&json!({"clientCertificateData": "PEM", "clientKeyData": "KEY"}));
        let mut user = AuthInfo::default();
        read(text.as_bytes(), V1).expect("good").put_into(&mut user);
        assert_eq!(user.client_certificate_data.as_deref(), Some("UEVN"));
    }

    #[rstest::rstest]
    #[case::no_json("s3cret".to_owned(), "no ExecCredential in JSON")]
    #[case::another_kind(json!({"kind": "s3cret", "apiVersion": V1}).to_string(), "another kind")]
    #[case::another_version(json!({"kind": "ExecCredential", "apiVersion": "s3cret"}).to_string(), "api_version")]
    #[case::no_status(json!({"kind": "ExecCredential", "apiVersion": V1}).to_string(), "without a status")]
    #[case::empty(printed(&json!({})), "neither a token nor")]
    #[case::half(printed(&json!({"token": "s3cret", "clientKeyData": "s3cret"})), "without its certificate")]
    #[case::no_time(printed(&json!({"token": "s3cret", "expirationTimestamp": "s3cret"})), "no time")]
    fn what_is_no_credential_is_said_and_not_shown(#[case] printed: String, #[case] part: &str) {
        let problem = read(printed.as_bytes(), V1).err().expect("refused");
        assert!(problem.contains(part) && !problem.contains("s3cret"), "{problem}");
    }

    fn of(command: &str, arguments: &[&str]) -> ExecConfig {
        serde_json::from_value(json!({
            "apiVersion": V1, "command": command, "args": arguments, "installHint": "Get it from the shop.",
        }))
        .expect("a configuration")
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_a_plugin_prints_when_it_fails_is_not_shown() {
        let failing = of("sh", &["-c", "echo s3cret; echo s3cret >&2; exit 3"]);
        let problem = run(&failing).await.err().expect("failed");
        assert!(problem.contains("exit status: 3") && problem.contains("\"sh\""), "{problem}");
        assert!(!problem.contains("s3cret"), "{problem}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_plugin_is_told_that_nobody_can_be_asked() {
        let script = "printf '%s' \"$KUBERNETES_EXEC_INFO\" | grep -q '\"interactive\":false' && read -r line || \
                      printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\
                      \"status\":{\"token\":\"t\"}}'";
        assert!(run(&of("sh", &["-c", script])).await.is_ok());
    }

    #[tokio::test]
    async fn a_plugin_that_is_not_there_brings_its_hint() {
        let problem = run(&of("/no/plugin", &[])).await.err().expect("failed");
        assert!(problem.contains("/no/plugin") && problem.contains("Get it from the shop."), "{problem}");
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn a_plugin_that_hangs_is_ended() {
        let problem = run(&of("sh", &["-c", "exec sleep 1000"])).await.err().expect("ended");
        assert!(problem.contains("within 60 s"), "{problem}");
    }
}
