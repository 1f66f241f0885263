//! User data: what a machine runs at its first boot to join a tenant.
//!
//! The machine brings a container runtime, kubelet and kubeadm; nothing is installed. The token is on disk only while
//! kubeadm runs. A machine that has joined already is left alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tfplugin::schema::Problem;

use super::JoinInput;
use super::configuration::{TEMPLATE_VERSION, yaml};

/// Where the configuration is while kubeadm runs. Packages of kubeadm and kubelet keep their files in the same directory.
pub const CONFIGURATION_PATH: &str = "/etc/kubernetes/kubeadm-join.yaml";

const HERE_DOCUMENT_END: &str = "END_OF_JOIN_CONFIGURATION";

/// Exits if the machine is a node already or kubeadm is missing; POSIX sh.
const PRECHECK: &str = r#"if [ -e /etc/kubernetes/kubelet.conf ]; then
  echo "This machine is a node already: /etc/kubernetes/kubelet.conf exists." >&2
  exit 0
fi
if ! command -v kubeadm >/dev/null; then
  echo "kubeadm is not installed on this machine, or not in PATH." >&2
  exit 1
fi
"#;

/// Removes the token however the script ends. A shell runs the EXIT trap on a signal only if the signal is trapped too.
const CLEAN_UP: &str = r#"config=/etc/kubernetes/kubeadm-join.yaml
trap 'rm -f "$config"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
"#;

#[derive(Serialize)]
struct CloudConfig<'a> {
    write_files: [WriteFile<'a>; 1],
    runcmd: [[&'a str; 3]; 1],
}

#[derive(Serialize)]
struct WriteFile<'a> {
    path: &'a str,
    owner: &'a str,
    permissions: &'a str,
    encoding: &'a str,
    content: &'a str,
}

impl JoinInput {
    fn title(&self) -> String {
        format!(
            "# terraform-provider-kamaji: worker join, template {TEMPLATE_VERSION}\n\
             # Joins this machine to {} as a node. Needs a container runtime, kubelet and kubeadm, version {}.\n",
            self.endpoint, self.kubernetes_version
        )
    }

    /// A POSIX shell script, to be run as root.
    ///
    /// # Errors
    /// Those of [`JoinInput::join_configuration`].
    pub fn user_data_shell(&self) -> Result<SecretString, Problem> {
        let configuration = self.join_configuration()?;
        // The umask is for the token alone: kubeadm makes files that others have to read.
        Ok(format!(
            "#!/bin/sh\n{title}set -eu\n{PRECHECK}{CLEAN_UP}mkdir -p /etc/kubernetes\nrm -f \"$config\"\n(\n  umask 077\n  cat \
             >\"$config\" <<'{HERE_DOCUMENT_END}'\n{configuration}{HERE_DOCUMENT_END}\n)\nkubeadm join --config \"$config\"\n",
            title = self.title(),
            configuration = configuration.expose_secret(),
        )
        .into())
    }

    /// A cloud-config for cloud-init.
    ///
    /// # Errors
    /// Those of [`JoinInput::join_configuration`].
    pub fn user_data_cloud_config(&self) -> Result<SecretString, Problem> {
        // base64, so that no reader of YAML can change a byte.
        let content = STANDARD.encode(self.join_configuration()?.expose_secret());
        // The trap comes first: write_files has put the token on disk before.
        let script = format!("set -eu\n{CLEAN_UP}{PRECHECK}kubeadm join --config \"$config\"\n");
        let document = CloudConfig {
            write_files: [WriteFile {
                path: CONFIGURATION_PATH,
                owner: "root:root",
                permissions: "0600",
                encoding: "b64",
                content: &content,
            }],
            runcmd: [["sh", "-c", &script]],
        };
        Ok(format!("#cloud-config\n{}{}", self.title(), yaml(&document)?).into())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
