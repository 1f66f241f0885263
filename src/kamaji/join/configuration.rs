//! kubeadm's JoinConfiguration for a worker, in the version that the kubeadm on the machine reads.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tfplugin::schema::Problem;

use super::JoinInput;
use crate::kamaji::version::KubernetesVersion;

/// Goes into each payload. Raised whenever the same input gives other bytes, so that a difference is explained.
pub const TEMPLATE_VERSION: u32 = 1;

/// The version of kubeadm's configuration: v1beta4 from 1.31, before that v1beta3, which is deprecated then and refused
/// by 1.37.
fn api_version(kubeadm: &KubernetesVersion) -> &'static str {
    if kubeadm.release() >= (1, 31) { "kubeadm.k8s.io/v1beta4" } else { "kubeadm.k8s.io/v1beta3" }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JoinConfiguration<'a> {
    api_version: &'a str,
    kind: &'a str,
    discovery: Discovery<'a>,
    node_registration: NodeRegistration<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Discovery<'a> {
    bootstrap_token: TokenDiscovery<'a>,
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
struct NodeRegistration<'a> {
    #[serde(skip_serializing_if = "KubeletArgs::is_empty")]
    kubelet_extra_args: KubeletArgs<'a>,
    taints: Vec<Taint<'a>>,
}

/// A list in v1beta4, a map before.
#[derive(Serialize)]
#[serde(untagged)]
enum KubeletArgs<'a> {
    List(Vec<KubeletArg<'a>>),
    Map(BTreeMap<&'a str, &'a str>),
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
    value: &'a str,
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
    /// The YAML cannot be written, which no input leads to.
    pub fn join_configuration(&self) -> Result<SecretString, Problem> {
        let token = self.token.token();
        let node = &self.node;
        let labels: Vec<String> = node.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let labels = labels.join(",");
        let arguments = (!labels.is_empty()).then_some(("node-labels", labels.as_str())).into_iter();
        let api_version = api_version(&self.kubernetes_version);
        let configuration = JoinConfiguration {
            api_version,
            kind: "JoinConfiguration",
            discovery: Discovery {
                bootstrap_token: TokenDiscovery {
                    token: token.expose_secret(),
                    api_server_endpoint: self.endpoint.to_string(),
                    ca_cert_hashes: &self.ca_pins,
                },
            },
            node_registration: NodeRegistration {
                kubelet_extra_args: if api_version.ends_with("v1beta4") {
                    KubeletArgs::List(arguments.map(|(name, value)| KubeletArg { name, value }).collect())
                } else {
                    KubeletArgs::Map(arguments.collect())
                },
                taints: node
                    .taints
                    .iter()
                    .map(|taint| Taint { key: &taint.key, value: &taint.value, effect: taint.effect.to_string() })
                    .collect(),
            },
        };
        let yaml = yaml(&configuration)?;
        Ok(format!("# terraform-provider-kamaji: worker join, template {TEMPLATE_VERSION}\n{yaml}").into())
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

    use super::super::node::{self, NodeSettings};
    use super::super::tests::{plain, with_settings};
    use super::*;

    fn read(input: &JoinInput) -> Value {
        serde_saphyr::from_str(input.join_configuration().unwrap().expose_secret()).unwrap()
    }

    #[test]
    fn the_configuration_is_what_kubeadm_reads() {
        let pin = &plain().ca_pins[0];
        let wanted = format!(
            "# terraform-provider-kamaji: worker join, template 1\n\
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

    proptest::proptest! {
        #[test]
        fn any_text_stays_as_it_is(text in "\\PC{0,60}", odd in "[ \\n\\t'\"\\\\:#{}\\[\\]&*!|>%@`~a0-9]{0,20}") {
            let taints = [&text, &odd].map(|text| node::Taint {
                key: "a".to_owned(),
                value: format!("x{text}"),
                effect: node::Effect::NoSchedule,
            });
            let read = read(&JoinInput { node: NodeSettings { taints: taints.into(), ..NodeSettings::default() }, ..plain() });
            let values = &read["nodeRegistration"]["taints"];
            proptest::prop_assert_eq!(&values[0]["value"], &Value::from(format!("x{text}")));
            proptest::prop_assert_eq!(&values[1]["value"], &Value::from(format!("x{odd}")));
        }
    }
}
