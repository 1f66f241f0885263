//! User data: what a machine runs at its first boot to join a tenant.
//!
//! Nothing is installed unless an installer is set. The token is on disk only while kubeadm runs. A machine that has
//! joined already is left alone.

mod bottlerocket;
mod cloud_config;
mod ignition;
mod mime;
mod script;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use tfplugin::schema::Problem;

use super::configuration::TEMPLATE_VERSION;
use super::{Discovery, JoinInput};

pub use mime::{Part, TYPES as PART_TYPES};

/// Where the configuration is while kubeadm runs. Packages of kubeadm and kubelet keep their files in the same directory.
pub const CONFIGURATION_PATH: &str = "/etc/kubernetes/kubeadm-join.yaml";
/// Where the kubeconfig is by which the machine recognises the tenant, for discovery by file.
pub const DISCOVERY_PATH: &str = "/etc/kubernetes/kubeadm-discovery.conf";
/// Where kubeadm's patches are.
pub const PATCHES_PATH: &str = "/etc/kubernetes/kubeadm-join-patches";
/// Where containerd is told its proxy.
const PROXY_PATH: &str = "/etc/systemd/system/containerd.service.d/http-proxy.conf";

/// The names of the forms of user data.
pub const FORMS: &[&str] = &["cloud_config", "shell", "mime", "ignition", "bottlerocket"];

/// What a form is for.
pub fn about(form: &str) -> &'static str {
    match form {
        "cloud_config" => "For cloud-init: `#cloud-config`.",
        "shell" => "A script for `/bin/sh`, run by root.",
        "mime" => "For cloud-init: a multipart document of the script and `user_data_parts`.",
        "ignition" => {
            "For Flatcar and Fedora CoreOS: Ignition 3.3.0. Null with an installer: `/usr` is read-only there."
        }
        _ => "For Bottlerocket: TOML. Null if something is set that Bottlerocket has no setting for.",
    }
}

/// The forms of user data. [`None`] where a form cannot say what is set.
#[derive(Clone, Debug)]
pub struct UserData {
    /// For cloud-init, `#cloud-config`.
    pub cloud_config: SecretString,
    /// A script for `/bin/sh`.
    pub shell: SecretString,
    /// For cloud-init: the script and the parts of the user.
    pub mime: SecretString,
    /// For Flatcar and Fedora CoreOS, Ignition 3.3.0.
    pub ignition: Option<SecretString>,
    /// For Bottlerocket, TOML.
    pub bottlerocket: Option<SecretString>,
}

impl UserData {
    /// Each form under its name in [`FORMS`].
    pub fn forms(&self) -> [(&'static str, Option<&SecretString>); 5] {
        [
            ("cloud_config", Some(&self.cloud_config)),
            ("shell", Some(&self.shell)),
            ("mime", Some(&self.mime)),
            ("ignition", self.ignition.as_ref()),
            ("bottlerocket", self.bottlerocket.as_ref()),
        ]
    }
}

/// A file that a payload brings along.
struct File {
    path: String,
    content: String,
    /// Four octal digits.
    permissions: String,
    owner: String,
}

impl File {
    fn of_root(path: impl Into<String>, permissions: &str, content: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
            permissions: permissions.to_owned(),
            owner: super::settings::OWNER.to_owned(),
        }
    }

    /// base64, so that no reader of a format can change a byte.
    fn encoded(&self) -> String {
        STANDARD.encode(&self.content)
    }
}

impl JoinInput {
    /// All forms. `parts` go into the multipart one, after the script.
    ///
    /// # Errors
    /// Those of [`JoinInput::join_configuration`].
    pub fn user_data(&self, parts: &[Part]) -> Result<UserData, Problem> {
        let shell = self.user_data_shell()?;
        Ok(UserData {
            cloud_config: self.user_data_cloud_config()?,
            mime: mime::multipart(&shell, parts).into(),
            ignition: self.user_data_ignition()?,
            bottlerocket: self.user_data_bottlerocket(),
            shell,
        })
    }

    fn title(&self) -> String {
        format!(
            "# terraform-provider-kamaji: worker join, template {TEMPLATE_VERSION}\n\
             # Joins this machine to {} as a node. Needs a container runtime, kubelet and kubeadm, version {}.\n",
            self.endpoint, self.kubernetes_version
        )
    }

    /// Every file but the configuration, in the order in which they are written.
    fn files(&self) -> Result<Vec<File>, Problem> {
        let mut files = Vec::new();
        if self.discovery == Discovery::File {
            files.push(File::of_root(DISCOVERY_PATH, "0600", self.discovery_kubeconfig()?));
        }
        let patches = self.settings.patches.iter();
        files.extend(
            patches.map(|(name, patch)| File::of_root(format!("{PATCHES_PATH}/{name}"), "0600", patch.as_str())),
        );
        if !self.proxy_variables().is_empty() {
            // systemd: a backslash and a quote are escaped, a percent sign is doubled.
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
            let lines: String = self
                .proxy_variables()
                .iter()
                .map(|(name, value)| format!("Environment=\"{name}={}\"\n", quoted(value)))
                .collect();
            files.push(File::of_root(PROXY_PATH, "0600", format!("[Service]\n{lines}")));
        }
        files.extend(self.settings.files.iter().map(|file| File {
            path: file.path.clone(),
            content: file.content.clone(),
            permissions: file.permissions.clone(),
            owner: file.owner.clone(),
        }));
        Ok(files)
    }

    /// The variables of the proxy, in both spellings; empty without one.
    fn proxy_variables(&self) -> Vec<(String, String)> {
        let Some(proxy) = &self.settings.proxy else { return Vec::new() };
        if proxy.http.is_none() && proxy.https.is_none() {
            return Vec::new();
        }
        let mut without = proxy.no_proxy.clone();
        if !without.contains(&self.endpoint.host) {
            without.push(self.endpoint.host.clone());
        }
        let without = without.join(",");
        let named = [
            ("HTTP_PROXY", proxy.http.as_deref()),
            ("HTTPS_PROXY", proxy.https.as_deref()),
            ("NO_PROXY", Some(without.as_str())),
        ];
        let set = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        set.flat_map(|(name, value)| {
            [(name.to_owned(), value.to_owned()), (name.to_ascii_lowercase(), value.to_owned())]
        })
        .collect()
    }

    fn configuration_file(&self) -> Result<File, Problem> {
        Ok(File::of_root(CONFIGURATION_PATH, "0600", self.join_configuration()?.expose_secret()))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
