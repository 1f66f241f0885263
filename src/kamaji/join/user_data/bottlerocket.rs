//! Settings for Bottlerocket, whose kubelet bootstraps without kubeadm.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use super::super::JoinInput;

impl JoinInput {
    /// The TOML; [`None`] if something is set that Bottlerocket has no setting for.
    pub fn user_data_bottlerocket(&self) -> Option<SecretString> {
        if !self.settings.fits_bottlerocket() {
            return None;
        }
        let mut toml = self.title();
        let mut table = |name: &str, entries: &[(&str, String)]| {
            if !entries.is_empty() {
                let _ = writeln!(toml, "[settings.{name}]");
                for (key, value) in entries {
                    let _ = writeln!(toml, "{key} = {value}");
                }
            }
        };
        let mut kubernetes = vec![
            ("api-server", text(&self.endpoint.url())),
            ("authentication-mode", text("tls")),
            ("bootstrap-token", text(self.token.token().expose_secret())),
            ("cluster-certificate", text(&STANDARD.encode(&self.ca_pem))),
            ("cluster-domain", text(&self.cluster_domain)),
            ("cluster-name", text(&self.cluster_name)),
        ];
        match self.cluster_dns.as_slice() {
            [] => {}
            [only] => kubernetes.push(("cluster-dns-ip", text(only))),
            several => kubernetes.push(("cluster-dns-ip", list(several))),
        }
        if let Some(name) = &self.settings.node_name {
            kubernetes.push(("hostname-override", text(name)));
        }
        table("kubernetes", &kubernetes);
        let labels: Vec<(String, String)> =
            self.node_labels().into_iter().map(|(key, value)| (text(key), text(value))).collect();
        table("kubernetes.node-labels", &borrowed(&labels));
        let mut taints: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for taint in &self.settings.taints {
            taints.entry(&taint.key).or_default().push(format!("{}:{}", taint.value, taint.effect));
        }
        let taints: Vec<(String, String)> =
            taints.into_iter().map(|(key, values)| (text(key), list(&values))).collect();
        table("kubernetes.node-taints", &borrowed(&taints));
        if let Some(proxy) = &self.settings.proxy
            && let Some(url) = proxy.https.as_ref().or(proxy.http.as_ref())
        {
            let mut without = proxy.no_proxy.clone();
            without.push(self.endpoint.host.clone());
            table("network", &[("https-proxy", text(url)), ("no-proxy", list(&without))]);
        }
        Some(toml.into())
    }
}

fn borrowed(entries: &[(String, String)]) -> Vec<(&str, String)> {
    entries.iter().map(|(key, value)| (key.as_str(), value.clone())).collect()
}

/// A TOML string: what JSON escapes, TOML reads the same way, but for one character.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| text(item)).collect::<Vec<_>>().join(", "))
}
