//! kubeadm's JoinConfiguration for a worker, in the version that the kubeadm on the machine reads.

use std::borrow::Cow;
use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tfplugin::schema::Problem;

use super::settings::V1BETA4;
use super::user_data::{DISCOVERY_PATH, PATCHES_PATH};
use super::{Discovery, JoinInput};
use crate::kamaji::version::KubernetesVersion;

/// Goes into each payload. Raised whenever the same input gives other bytes, so that a difference is explained.
pub const TEMPLATE_VERSION: u32 = 3;

/// The version of kubeadm's configuration: v1beta4 from 1.31, before that v1beta3, which is deprecated then and refused
/// by 1.37.
pub fn api_version(kubeadm: &KubernetesVersion) -> &'static str {
    if kubeadm.release() >= V1BETA4 { "kubeadm.k8s.io/v1beta4" } else { "kubeadm.k8s.io/v1beta3" }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JoinConfiguration<'a> {
    api_version: &'a str,
    kind: &'a str,
    discovery: DiscoverySection<'a>,
    node_registration: NodeRegistration<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patches: Option<Patches<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    skip_phases: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    timeouts: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiscoverySection<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bootstrap_token: Option<TokenDiscovery<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileDiscovery<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_bootstrap_token: Option<&'a str>,
    /// v1beta3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenDiscovery<'a> {
    token: &'a str,
    api_server_endpoint: String,
    ca_cert_hashes: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileDiscovery<'a> {
    kube_config_path: &'a str,
}

#[derive(Serialize)]
struct Patches<'a> {
    directory: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeRegistration<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cri_socket: Option<&'a str>,
    #[serde(skip_serializing_if = "KubeletArgs::is_empty")]
    kubelet_extra_args: KubeletArgs<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ignore_preflight_errors: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    image_pull_policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_pull_serial: Option<bool>,
    taints: Vec<Taint<'a>>,
}

/// A list in v1beta4, a map before.
#[derive(Serialize)]
#[serde(untagged)]
enum KubeletArgs<'a> {
    List(Vec<KubeletArg<'a>>),
    Map(BTreeMap<&'a str, Cow<'a, str>>),
}

impl KubeletArgs<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Map(map) => map.is_empty(),
        }
    }
}

#[derive(Serialize)]
struct KubeletArg<'a> {
    name: &'a str,
    value: Cow<'a, str>,
}

#[derive(Serialize)]
struct Taint<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    value: &'a str,
    effect: String,
}

impl JoinInput {
    /// The YAML to give to `kubeadm join --config`. Every string is quoted: kubeadm reads YAML 1.1, in which `yes` and
    /// `1e3` are no strings.
    ///
    /// # Errors
    /// Something is set that kubeadm of this version cannot be told; or the YAML cannot be written, which no input leads
    /// to.
    pub fn join_configuration(&self) -> Result<SecretString, Problem> {
        if let Some((path, problem)) = self.settings.problems_with(&self.kubernetes_version).into_iter().next() {
            return Err(Problem::new(problem.summary, format!("{path}: {}", problem.detail)));
        }
        let token = self.token.token();
        let yaml = yaml(&self.document(token.expose_secret()))?;
        Ok(format!("# terraform-provider-kamaji: worker join, template {TEMPLATE_VERSION}\n{yaml}").into())
    }

    fn document<'a>(&'a self, token: &'a str) -> JoinConfiguration<'a> {
        let settings = &self.settings;
        let api_version = api_version(&self.kubernetes_version);
        let newer = self.kubernetes_version.release() >= V1BETA4;
        let by_file = self.discovery == Discovery::File;
        let timeouts = &settings.timeouts;
        let named = [
            ("discovery", &timeouts.discovery),
            ("tlsBootstrap", &timeouts.tls_bootstrap),
            ("kubeletHealthCheck", &timeouts.kubelet_health_check),
            ("kubernetesAPICall", &timeouts.kubernetes_api_call),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        JoinConfiguration {
            api_version,
            kind: "JoinConfiguration",
            discovery: DiscoverySection {
                bootstrap_token: (!by_file).then(|| TokenDiscovery {
                    token,
                    api_server_endpoint: self.endpoint.to_string(),
                    ca_cert_hashes: &self.ca_pins,
                }),
                file: by_file.then_some(FileDiscovery { kube_config_path: DISCOVERY_PATH }),
                tls_bootstrap_token: by_file.then_some(token),
                timeout: timeouts.discovery.as_deref().filter(|_| !newer),
            },
            node_registration: NodeRegistration {
                name: settings.node_name.as_deref(),
                cri_socket: settings.cri_socket.as_deref(),
                kubelet_extra_args: self.kubelet_arguments(newer),
                ignore_preflight_errors: &settings.ignore_preflight_errors,
                image_pull_policy: settings.image_pull_policy.as_deref(),
                image_pull_serial: settings.image_pull_serial,
                taints: settings
                    .taints
                    .iter()
                    .map(|taint| Taint { key: &taint.key, value: &taint.value, effect: taint.effect.to_string() })
                    .collect(),
            },
            patches: (!settings.patches.is_empty()).then_some(Patches { directory: PATCHES_PATH }),
            skip_phases: &settings.skip_phases,
            timeouts: if newer { named.collect() } else { BTreeMap::new() },
        }
    }

    fn kubelet_arguments(&self, newer: bool) -> KubeletArgs<'_> {
        let labels: Vec<String> = self.node_labels().iter().map(|(key, value)| format!("{key}={value}")).collect();
        let labels = (!labels.is_empty()).then(|| ("node-labels", Cow::Owned(labels.join(","))));
        let own = self.settings.kubelet_extra_args.iter();
        let own = own.map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str())));
        let arguments = labels.into_iter().chain(own);
        if newer {
            KubeletArgs::List(arguments.map(|(name, value)| KubeletArg { name, value }).collect())
        } else {
            KubeletArgs::Map(arguments.collect())
        }
    }
}

/// YAML with every string quoted.
pub(super) fn yaml(document: &impl Serialize) -> Result<String, Problem> {
    let options = serde_saphyr::ser_options! { quote_all: true };
    serde_saphyr::to_string_with_options(document, options)
        .map_err(|_| Problem::new("Join payload cannot be written", "The payload cannot be written as YAML."))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::node;
    use super::super::settings::{MachineSettings, Timeouts};
    use super::super::tests::{plain, with_settings};
    use super::*;

    fn read(input: &JoinInput) -> Value {
        serde_saphyr::from_str(input.join_configuration().unwrap().expose_secret()).unwrap()
    }

    #[test]
    fn the_configuration_is_what_kubeadm_reads() {
        let pin = &plain().ca_pins[0];
        let wanted = format!(
            "# terraform-provider-kamaji: worker join, template 3\n\
             apiVersion: 'kubeadm.k8s.io/v1beta4'\n\
             kind: 'JoinConfiguration'\n\
             discovery:\n  \
               bootstrapToken:\n    \
                 token: 'abcdef.0123456789abcdef'\n    \
                 apiServerEndpoint: '10.0.0.1:6443'\n    \
                 caCertHashes:\n    \
                 - '{pin}'\n\
             nodeRegistration:\n  \
               taints: []\n"
        );
        assert_eq!(plain().join_configuration().unwrap().expose_secret(), wanted);
    }

    #[rstest]
    #[case("v1.30.14", "kubeadm.k8s.io/v1beta3", json!({"node-labels": "example.com/pool=a,zone=b"}))]
    #[case("v1.31.0", "kubeadm.k8s.io/v1beta4", json!([{"name": "node-labels", "value": "example.com/pool=a,zone=b"}]))]
    fn kubelet_arguments_have_the_form_of_the_version(
        #[case] version: &str,
        #[case] api_version: &str,
        #[case] arguments: Value,
    ) {
        let input = JoinInput { kubernetes_version: version.parse().unwrap(), ..with_settings() };
        let read = read(&input);
        assert_eq!(read["apiVersion"], api_version);
        assert_eq!(
            read["nodeRegistration"],
            json!({
                "kubeletExtraArgs": arguments,
                "taints": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}, {"key": "gpu", "effect": "NoExecute"}],
            })
        );
    }

    fn everything() -> MachineSettings {
        MachineSettings {
            node_name: Some("a".to_owned()),
            kubelet_extra_args: vec![("max-pods".to_owned(), "5".to_owned())],
            cri_socket: Some("unix:///run/x.sock".to_owned()),
            ignore_preflight_errors: vec!["Swap".to_owned()],
            image_pull_policy: Some("Never".to_owned()),
            skip_phases: vec!["preflight".to_owned()],
            patches: [("kubeletconfiguration.yaml".to_owned(), "maxPods: 5".to_owned())].into(),
            timeouts: Timeouts { discovery: Some("1m".to_owned()), ..Timeouts::default() },
            ..MachineSettings::default()
        }
    }

    #[test]
    fn every_setting_has_its_place() {
        let input = JoinInput { settings: everything(), join_id: Some("j1".to_owned()), ..plain() };
        let document = read(&input);
        let expected = json!({
            "name": "a", "criSocket": "unix:///run/x.sock", "ignorePreflightErrors": ["Swap"], "imagePullPolicy": "Never",
            "kubeletExtraArgs": [
                {"name": "node-labels", "value": "terraform.kamaji.clastix.io/join-id=j1"},
                {"name": "max-pods", "value": "5"},
            ],
            "taints": [],
        });
        assert_eq!(document["nodeRegistration"], expected);
        assert_eq!(document["patches"], json!({"directory": "/etc/kubernetes/kubeadm-join-patches"}));
        assert_eq!(document["skipPhases"], json!(["preflight"]));
        assert_eq!(document["timeouts"], json!({"discovery": "1m"}));
        let older = read(&JoinInput { kubernetes_version: "v1.30.0".parse().unwrap(), ..input });
        assert_eq!(older["discovery"]["timeout"], "1m");
        assert_eq!(older.get("timeouts"), None);
    }

    #[test]
    fn a_file_is_discovered_with_the_token_for_the_certificate_alone() {
        let document = read(&JoinInput { discovery: Discovery::File, ..plain() });
        let expected = json!({
            "file": {"kubeConfigPath": "/etc/kubernetes/kubeadm-discovery.conf"},
            "tlsBootstrapToken": "abcdef.0123456789abcdef",
        });
        assert_eq!(document["discovery"], expected);
    }

    #[test]
    fn what_kubeadm_does_not_read_is_refused_with_its_attribute() {
        let settings = MachineSettings { image_pull_serial: Some(true), ..MachineSettings::default() };
        let input = JoinInput { settings, kubernetes_version: "v1.30.0".parse().unwrap(), ..plain() };
        let problem = input.join_configuration().unwrap_err();
        assert!(problem.detail.starts_with("image_pull_serial: "), "{}", problem.detail);
    }

    proptest::proptest! {
        #[test]
        fn any_text_stays_as_it_is(text in "\\PC{0,60}", odd in "[ \\n\\t'\"\\\\:#{}\\[\\]&*!|>%@`~a0-9]{0,20}") {
            let taints = [&text, &odd].map(|text| node::Taint {
                key: "a".to_owned(),
                value: format!("x{text}"),
                effect: node::Effect::NoSchedule,
            });
            let settings = MachineSettings { taints: taints.into(), ..MachineSettings::default() };
            let read = read(&JoinInput { settings, ..plain() });
            let values = &read["nodeRegistration"]["taints"];
            proptest::prop_assert_eq!(&values[0]["value"], &Value::from(format!("x{text}")));
            proptest::prop_assert_eq!(&values[1]["value"], &Value::from(format!("x{odd}")));
        }
    }
}
