//! What a machine needs to become a worker of a tenant: the command, the kubeadm configuration and the user data.

pub mod configuration;
pub mod node;
pub mod user_data;

use serde_json::Value;
use tfplugin::schema::Problem;

use secrecy::{ExposeSecret, SecretString};

use super::bootstrap_token::BootstrapToken;
use super::network::Endpoint;
use super::tenant_control_plane::{Status, View};
use super::version::KubernetesVersion;
use node::NodeSettings;

/// Everything that goes into a payload. The same input gives the same bytes.
#[derive(Clone, Debug)]
pub struct JoinInput {
    /// Where the tenant's API is reached. After the first contact kubeadm goes on with the server in the tenant's
    /// `cluster-info`, which Kamaji writes; so it has to be that one.
    pub endpoint: Endpoint,
    /// The credential.
    pub token: BootstrapToken,
    /// One `sha256:…` per CA of the tenant.
    pub ca_pins: Vec<String>,
    /// The version of kubeadm and kubelet on the machine; decides how its configuration is written.
    pub kubernetes_version: KubernetesVersion,
    /// How the node registers.
    pub node: NodeSettings,
}

impl JoinInput {
    /// The `kubeadm join` command; [`None`] if there are labels or taints, for which kubeadm has no flags.
    pub fn join_command(&self) -> Option<SecretString> {
        if self.node != NodeSettings::default() {
            return None;
        }
        let mut words = vec!["kubeadm".to_owned(), "join".to_owned(), shell_word(&self.endpoint.to_string())];
        words.extend(["--token".to_owned(), self.token.token().expose_secret().to_owned()]);
        for pin in &self.ca_pins {
            words.extend(["--discovery-token-ca-cert-hash".to_owned(), shell_word(pin)]);
        }
        Some(words.join(" ").into())
    }
}

/// One word for a POSIX shell.
fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.,:/=@%+".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Why no machine can join the tenant in the state that it is in, however long one waits; [`None`] if nothing speaks
/// against it.
pub fn obstacle(tenant_control_plane: &Value) -> Option<Problem> {
    let view = View::new(tenant_control_plane);
    let blocked =
        |kind: &str| view.at("/spec/writePermissions").and_then(|flags| flags.get(kind)?.as_bool()) == Some(true);
    let why = if view.deleting() {
        "it is being deleted"
    } else if view.wanted_replicas() == 0 || view.status() == Some(Status::Sleeping) {
        "it is scaled to zero, so that its API does not run. Set control_plane.deployment.replicas"
    } else if blocked("blockCreation") {
        "write_permissions.block_creation is set, which keeps nodes and their certificate requests out"
    } else if blocked("blockUpdate") {
        "write_permissions.block_update is set, which keeps the tenant from signing new tokens"
    } else {
        return None;
    };
    Some(Problem::new(
        "No worker can join the tenant",
        format!("No worker can join {}/{}: {why}.", view.namespace(), view.name()),
    ))
}

/// Whether kubelets of this version stop at the configuration that the tenant hands out. Kamaji writes all defaults of the
/// Kubernetes release that it is built with into the ConfigMap `kubelet-config`; two of them are behind feature gates
/// that are off before 1.35.
///
/// # Errors
/// The worker is older and one of the fields is there.
pub fn check_kubelet_config(worker: &KubernetesVersion, kubelet_config_yaml: &str) -> Result<(), Problem> {
    const GUARDED: &[&str] = &["maxContainerRestartPeriod:", "imagePullCredentialsVerificationPolicy:"];
    if worker.release() >= (1, 35) || !GUARDED.iter().any(|field| kubelet_config_yaml.contains(field)) {
        return Ok(());
    }
    Err(Problem::new(
        "Kubelet will refuse the tenant's configuration",
        format!(
            "A kubelet of version {worker} stops at two fields of the tenant's kubelet-config, which need feature gates that \
             are off before v1.35. Either remove /crashLoopBackOff and /imagePullCredentialsVerificationPolicy with \
             kubernetes.kubelet.configuration_json_patches of the tenant, or give the worker the kubelet argument \
             feature-gates=KubeletCrashLoopBackOffMax=true,KubeletEnsureSecretPulledImages=true."
        ),
    ))
}

#[cfg(test)]
pub(in crate::kamaji) mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::node::{Effect, Taint};
    use super::*;
    use crate::kamaji::certificate::tests::EC_PIN;

    pub fn plain() -> JoinInput {
        JoinInput {
            endpoint: "10.0.0.1:6443".parse().unwrap(),
            token: "abcdef.0123456789abcdef".parse().unwrap(),
            ca_pins: vec![EC_PIN.to_owned()],
            kubernetes_version: "v1.32.4".parse().unwrap(),
            node: NodeSettings::default(),
        }
    }

    pub fn with_settings() -> JoinInput {
        let node = NodeSettings {
            labels: [("example.com/pool", "a"), ("zone", "b")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            taints: vec![
                Taint { key: "dedicated".to_owned(), value: "db".to_owned(), effect: Effect::NoSchedule },
                Taint { key: "gpu".to_owned(), value: String::new(), effect: Effect::NoExecute },
            ],
        };
        JoinInput { node, ..plain() }
    }

    #[test]
    fn the_command_is_kubeadms() {
        let command = plain().join_command().unwrap();
        let wanted = format!(
            "kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash {EC_PIN}"
        );
        assert_eq!(command.expose_secret(), wanted);
    }

    #[test]
    fn the_command_has_a_flag_per_ca_and_quotes_what_a_shell_would_change() {
        let input = JoinInput {
            endpoint: "[fd00::1]:6443".parse().unwrap(),
            ca_pins: vec![EC_PIN.to_owned(), EC_PIN.to_owned()],
            ..plain()
        };
        let command = input.join_command().unwrap().expose_secret().to_owned();
        assert!(command.starts_with("kubeadm join '[fd00::1]:6443' "), "{command}");
        assert_eq!(command.matches("--discovery-token-ca-cert-hash").count(), 2);
    }

    #[test]
    fn there_is_no_command_where_kubeadm_has_no_flag() {
        assert!(with_settings().join_command().is_none());
    }

    #[rstest]
    #[case("a b", "'a b'")]
    #[case("it's", "'it'\\''s'")]
    #[case("", "''")]
    #[case("$(x)", "'$(x)'")]
    fn a_shell_reads_a_word_as_it_is(#[case] text: &str, #[case] word: &str) {
        assert_eq!(shell_word(text), word);
    }

    #[test]
    fn the_token_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", plain()).contains("0123456789abcdef"));
    }

    #[rstest]
    #[case::free(json!({"spec": {}}), None)]
    #[case::asleep(json!({"spec": {"controlPlane": {"deployment": {"replicas": 0}}}}), Some("scaled to zero"))]
    #[case::no_creation(json!({"spec": {"writePermissions": {"blockCreation": true}}}), Some("block_creation"))]
    #[case::no_update(json!({"spec": {"writePermissions": {"blockUpdate": true}}}), Some("block_update"))]
    #[case::no_deletion(json!({"spec": {"writePermissions": {"blockDeletion": true}}}), None)]
    #[case::deleting(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), Some("being deleted"))]
    fn a_tenant_that_takes_no_nodes_is_named(#[case] tenant: Value, #[case] words: Option<&str>) {
        let found = obstacle(&tenant);
        assert_eq!(found.is_some(), words.is_some());
        assert!(found.is_none_or(|found| found.detail.contains(words.unwrap_or_default())));
    }

    #[rstest]
    #[case("v1.30.2", "maxPods: 110", true)]
    #[case("v1.34.9", "crashLoopBackOff:\n  maxContainerRestartPeriod: 5m", false)]
    #[case("v1.34.9", "imagePullCredentialsVerificationPolicy: NeverVerifyPreloadedImages", false)]
    #[case("v1.35.0", "imagePullCredentialsVerificationPolicy: NeverVerifyPreloadedImages", true)]
    fn an_older_kubelet_stops_at_newer_configuration(#[case] worker: &str, #[case] config: &str, #[case] good: bool) {
        assert_eq!(check_kubelet_config(&worker.parse().unwrap(), config).is_ok(), good);
    }
}
