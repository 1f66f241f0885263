//! The shell script: the join itself, which every other form runs as well.

use secrecy::{ExposeSecret as _, SecretString};
use tfplugin::schema::Problem;

use super::super::{JoinInput, shell_word};
use super::{CONFIGURATION_PATH, File, PROXY_PATH};

const HERE_DOCUMENT_END: &str = "END_OF_JOIN_CONFIGURATION";

/// Exits if the machine is a node already; POSIX sh.
const A_NODE_ALREADY: &str = r#"if [ -e /etc/kubernetes/kubelet.conf ]; then
  echo "This machine is a node already: /etc/kubernetes/kubelet.conf exists." >&2
  exit 0
fi
"#;

/// Exits if there is no kubeadm.
const KUBEADM_NEEDED: &str = r#"if ! command -v kubeadm >/dev/null; then
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

impl JoinInput {
    /// A POSIX shell script, to be run as root.
    ///
    /// # Errors
    /// Those of [`JoinInput::join_configuration`].
    pub fn user_data_shell(&self) -> Result<SecretString, Problem> {
        let configuration = self.join_configuration()?;
        let files: String = self.files()?.iter().map(written).collect();
        // The umask is for the token alone: kubeadm makes files that others have to read.
        Ok(format!(
            "#!/bin/sh\n{title}set -eu\n{A_NODE_ALREADY}{CLEAN_UP}mkdir -p /etc/kubernetes\nrm -f \"$config\"\n(\n  umask 077\n  \
             cat >\"$config\" <<'{HERE_DOCUMENT_END}'\n{configuration}{HERE_DOCUMENT_END}\n)\n{files}{steps}",
            title = self.title(),
            configuration = configuration.expose_secret(),
            steps = self.steps(),
        )
        .into())
    }

    /// The script for machines whose boot has written the files already: [`CONFIGURATION_PATH`] is there.
    pub(super) fn script_after_files(&self) -> String {
        // The trap comes first: the token is on disk.
        format!("set -eu\n{CLEAN_UP}{A_NODE_ALREADY}{}", self.steps())
    }

    /// From the first command to the last.
    fn steps(&self) -> String {
        let settings = &self.settings;
        let mut steps: String = self
            .proxy_variables()
            .iter()
            .map(|(name, value)| format!("export {name}={}\n", shell_word(value)))
            .collect();
        if !steps.is_empty() {
            // A runtime that runs already does not know the proxy yet.
            steps.push_str(&format!(
                "if [ -e {PROXY_PATH} ] && command -v systemctl >/dev/null; then\n  systemctl daemon-reload\n  systemctl \
                 try-restart containerd.service || true\nfi\n"
            ));
        }
        steps.extend(settings.pre_commands.iter().map(|command| run(command)));
        match &settings.installer {
            Some(yaki) => {
                steps.push_str(&yaki.script(&self.kubernetes_version.to_string(), &self.endpoint.to_string()));
            }
            None => steps.push_str(&format!("{KUBEADM_NEEDED}kubeadm join --config \"$config\"\n")),
        }
        if !settings.post_commands.is_empty() {
            steps.push_str("rm -f \"$config\"\n");
        }
        steps.extend(settings.post_commands.iter().map(|command| run(command)));
        steps
    }
}

/// A command in a shell of its own: what it sets, and its `exit`, are its own affair; its failure is not.
fn run(command: &str) -> String {
    format!("sh -c {}\n", shell_word(command))
}

/// The lines that write a file.
fn written(file: &File) -> String {
    debug_assert_ne!(file.path, CONFIGURATION_PATH);
    let path = shell_word(&file.path);
    let directory = shell_word(file.path.rsplit_once('/').map_or("/", |(directory, _)| directory));
    let owner = if file.owner == super::super::settings::OWNER {
        String::new()
    } else {
        format!("chown {} {path}\n", shell_word(&file.owner))
    };
    let content = file.encoded();
    // The mode is there before the content is.
    format!(
        "mkdir -p {directory}\nrm -f {path}\n(umask 077; : >{path})\nbase64 -d >{path} <<'END'\n{content}\nEND\n{owner}chmod \
         {} {path}\n",
        file.permissions
    )
}
