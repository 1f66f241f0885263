//! What a machine needs to become a worker of a tenant: the command, the kubeadm configuration and the user data.

pub mod attributes;
pub mod configuration;
pub mod installer;
pub mod kubeconfigs;
pub mod node;
pub mod rules;
pub mod settings;
pub mod user_data;
pub mod warnings;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tfplugin::schema::Problem;

use super::bootstrap_token::BootstrapToken;
use super::network::Endpoint;
use super::tenant_control_plane::{Status, View};
use super::version::KubernetesVersion;
use settings::MachineSettings;

/// The label that a node and the Secret of a token carry: the join that they come from. It stays when the token changes.
pub const JOIN_ID_LABEL: &str = "terraform.kamaji.clastix.io/join-id";

/// Everything that goes into a payload. The same input gives the same bytes.
#[derive(Clone, Debug)]
pub struct JoinInput {
    /// Where the tenant's API is reached. With discovery by token kubeadm goes on with the server in the tenant's
    /// `cluster-info`, which Kamaji writes; so it has to be that one then.
    pub endpoint: Endpoint,
    /// The credential.
    pub token: BootstrapToken,
    /// How the machine recognises the tenant.
    pub discovery: Discovery,
    /// Certificates of the tenant's CA, PEM.
    pub ca_pem: String,
    /// One `sha256:…` per CA of the tenant.
    pub ca_pins: Vec<String>,
    /// The name of the tenant, for kubeconfigs.
    pub cluster_name: String,
    /// Addresses of the tenant's DNS, and its domain; for machines without kubeadm.
    pub cluster_dns: Vec<String>,
    /// See `cluster_dns`.
    pub cluster_domain: String,
    /// The version of kubeadm and kubelet on the machine; decides how its configuration is written.
    pub kubernetes_version: KubernetesVersion,
    /// The value of [`JOIN_ID_LABEL`] on the node; [`None`] for no such label.
    pub join_id: Option<String>,
    /// What is set of the machine.
    pub settings: MachineSettings,
}

/// How a machine recognises the tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// By the token's signature and the pin of the CA, at the address that Kamaji writes into `cluster-info`.
    #[default]
    Token,
    /// By a kubeconfig with the CA in it, at the address in it.
    File,
}

impl Discovery {
    /// Their names in a configuration.
    pub const WORDS: &'static [&'static str] = &["token", "file"];

    /// By its name in a configuration; what is no name is the default.
    pub fn named(word: Option<&str>) -> Self {
        if word == Some("file") { Self::File } else { Self::Token }
    }
}

impl JoinInput {
    /// The labels of the node: those that are configured, and where it comes from.
    fn node_labels(&self) -> Vec<(&str, &str)> {
        let own = self.settings.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        own.chain(self.join_id.as_deref().map(|id| (JOIN_ID_LABEL, id))).collect()
    }

    /// The `kubeadm join` command; [`None`] where kubeadm has no flags for what is set. The node of this command does not
    /// carry [`JOIN_ID_LABEL`].
    pub fn join_command(&self) -> Option<SecretString> {
        if !self.settings.fits_flags() || self.discovery == Discovery::File {
            return None;
        }
        Some(join_command(&self.endpoint, &self.token, &self.ca_pins, &self.settings))
    }
}

/// The `kubeadm join` command with a pin per CA, and of the settings what kubeadm has flags for.
pub fn join_command(
    endpoint: &Endpoint,
    token: &BootstrapToken,
    ca_pins: &[String],
    settings: &MachineSettings,
) -> SecretString {
    let mut words = vec!["kubeadm".to_owned(), "join".to_owned(), shell_word(&endpoint.to_string())];
    words.extend(["--token".to_owned(), token.token().expose_secret().to_owned()]);
    for pin in ca_pins {
        words.extend(["--discovery-token-ca-cert-hash".to_owned(), shell_word(pin)]);
    }
    let ignored = settings.ignore_preflight_errors.join(",");
    let flags = [
        ("--node-name", settings.node_name.as_deref()),
        ("--cri-socket", settings.cri_socket.as_deref()),
        ("--ignore-preflight-errors", Some(ignored.as_str()).filter(|ignored| !ignored.is_empty())),
    ];
    for (flag, value) in flags.into_iter().filter_map(|(flag, value)| Some((flag, value?))) {
        words.extend([flag.to_owned(), shell_word(value)]);
    }
    words.join(" ").into()
}

/// One word for a POSIX shell.
pub fn shell_word(text: &str) -> String {
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

/// A field of a kubelet's configuration that Kamaji writes, and that some kubelets stop at.
struct GuardedField {
    /// The key in the YAML.
    key: &'static str,
    /// JSON pointer to what has to go with it.
    pointer: &'static str,
    /// The feature gate without which it may not be set.
    gate: &'static str,
    /// The first release that knows the field. Older kubelets ignore what they do not know.
    since: (u64, u64),
}

const GUARDED: &[GuardedField] = &[
    GuardedField {
        key: "maxContainerRestartPeriod:",
        pointer: "/crashLoopBackOff",
        gate: "KubeletCrashLoopBackOffMax",
        since: (1, 32),
    },
    GuardedField {
        key: "imagePullCredentialsVerificationPolicy:",
        pointer: "/imagePullCredentialsVerificationPolicy",
        gate: "KubeletEnsureSecretPulledImages",
        since: (1, 33),
    },
];

/// The first release in which those gates are on by default.
const OPEN: (u64, u64) = (1, 35);

/// Whether kubelets of this version, with these arguments, stop at the configuration that the tenant hands out. Kamaji
/// writes all defaults of the Kubernetes release that it is built with into the ConfigMap `kubelet-config`; two of them are
/// behind feature gates that came with 1.32 and 1.33 and are off before 1.35.
///
/// # Errors
/// The worker knows one of the fields that are there, and not that it may be set.
pub fn check_kubelet_config(
    worker: &KubernetesVersion,
    kubelet_config_yaml: &str,
    settings: &MachineSettings,
) -> Result<(), Problem> {
    let refused = GUARDED.iter().filter(|field| {
        (field.since..OPEN).contains(&worker.release())
            && kubelet_config_yaml.contains(field.key)
            && !settings.opens_kubelet_gate(field.gate)
    });
    let refused: Vec<&GuardedField> = refused.collect();
    if refused.is_empty() {
        return Ok(());
    }
    let pointers: Vec<&str> = refused.iter().map(|field| field.pointer).collect();
    let gates: Vec<String> = refused.iter().map(|field| format!("{}=true", field.gate)).collect();
    Err(Problem::new(
        "Kubelet will refuse the tenant's configuration",
        format!(
            "A kubelet of version {worker} stops at fields of the tenant's kubelet-config which need feature gates that are off \
             before v1.35. Either remove {} with kubernetes.kubelet.configuration_json_patches of the tenant, or give the \
             worker the kubelet argument feature-gates={}.",
            pointers.join(" and "),
            gates.join(","),
        ),
    ))
}

#[cfg(test)]
pub(in crate::kamaji) mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::node::{Effect, Taint};
    use super::*;
    use crate::kamaji::certificate::tests::{EC_CA, EC_PIN};

    pub fn plain() -> JoinInput {
        JoinInput {
            endpoint: "10.0.0.1:6443".parse().unwrap(),
            token: "abcdef.0123456789abcdef".parse().unwrap(),
            discovery: Discovery::Token,
            ca_pem: EC_CA.to_owned(),
            ca_pins: vec![EC_PIN.to_owned()],
            cluster_name: "blue".to_owned(),
            cluster_dns: vec!["10.96.0.10".to_owned()],
            cluster_domain: "cluster.local".to_owned(),
            kubernetes_version: "v1.32.4".parse().unwrap(),
            join_id: None,
            settings: MachineSettings::default(),
        }
    }

    pub fn with_settings() -> JoinInput {
        let settings = MachineSettings {
            labels: [("example.com/pool", "a"), ("zone", "b")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            taints: vec![
                Taint { key: "dedicated".to_owned(), value: "db".to_owned(), effect: Effect::NoSchedule },
                Taint { key: "gpu".to_owned(), value: String::new(), effect: Effect::NoExecute },
            ],
            ..MachineSettings::default()
        };
        JoinInput { settings, ..plain() }
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
        assert!(JoinInput { discovery: Discovery::File, ..plain() }.join_command().is_none());
    }

    #[test]
    fn the_command_says_what_kubeadm_has_flags_for() {
        let settings = MachineSettings {
            node_name: Some("a".to_owned()),
            ignore_preflight_errors: vec!["Swap".to_owned(), "Hostname".to_owned()],
            ..MachineSettings::default()
        };
        let command = JoinInput { settings, ..plain() }.join_command().unwrap().expose_secret().to_owned();
        assert!(command.ends_with(" --node-name a --ignore-preflight-errors Swap,Hostname"), "{command}");
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

    const RESTARTS: &str = "crashLoopBackOff:\n  maxContainerRestartPeriod: 5m";
    const PULLS: &str = "imagePullCredentialsVerificationPolicy: NeverVerifyPreloadedImages";

    #[rstest]
    #[case::nothing_new("v1.34.9", "maxPods: 110", &[])]
    #[case::unknown_to_it("v1.31.14", RESTARTS, &[])]
    #[case::unknown_to_it("v1.32.4", PULLS, &[])]
    #[case::known("v1.32.0", RESTARTS, &["/crashLoopBackOff with", "feature-gates=KubeletCrashLoopBackOffMax=true."])]
    #[case::known("v1.33.0", PULLS, &["remove /imagePull", "feature-gates=KubeletEnsureSecretPulledImages=true."])]
    #[case::permitted("v1.35.0", PULLS, &[])]
    #[case::permitted("v1.35.0", RESTARTS, &[])]
    fn some_older_kubelets_stop_at_newer_configuration(
        #[case] worker: &str,
        #[case] config: &str,
        #[case] words: &[&str],
    ) {
        let checked = check_kubelet_config(&worker.parse().unwrap(), config, &MachineSettings::default());
        assert_eq!(checked.is_ok(), words.is_empty());
        let detail = checked.err().map_or_else(String::new, |problem| problem.detail);
        assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    }

    #[rstest]
    #[case::none("", Some("KubeletCrashLoopBackOffMax=true,KubeletEnsureSecretPulledImages=true."))]
    #[case::one("A=false,KubeletCrashLoopBackOffMax=true", Some("=KubeletEnsureSecretPulledImages=true."))]
    #[case::both("KubeletEnsureSecretPulledImages=true,KubeletCrashLoopBackOffMax=true", None)]
    fn gates_that_a_worker_opens_are_not_asked_for(#[case] gates: &str, #[case] wanted: Option<&str>) {
        let kubelet_extra_args = vec![("feature-gates".to_owned(), gates.to_owned())];
        let settings = MachineSettings { kubelet_extra_args, ..MachineSettings::default() };
        let config = format!("{RESTARTS}\n{PULLS}\n");
        let problem = check_kubelet_config(&"v1.34.9".parse().unwrap(), &config, &settings).err();
        assert_eq!(problem.is_some(), wanted.is_some());
        assert!(problem.is_none_or(|problem| problem.detail.ends_with(wanted.unwrap_or_default())));
    }
}
