//! What is done on the machine: what it is before, the join, the reset.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;
use tfplugin::Diagnostic;

use super::probe::{PATH, Probe};
use super::{Scene, is_of_machine};
use crate::kamaji::certificate::ca_pins;
use crate::kamaji::join::{JoinInput, shell_word};
use crate::management_cluster::Operation;
use crate::ssh::{Output, Session, SshError};
use crate::tenant_cluster::node;

/// What the CNI's directory held before the join, one name a line: a reset leaves these.
const BEFORE: &str = "/var/lib/terraform-provider-kamaji/cni-before";
/// The longest that a machine is asked about itself.
const QUESTION: Duration = Duration::from_secs(60);
/// The longest that a reset takes: kubeadm stops containers one by one.
const RESET: Duration = Duration::from_secs(300);
/// The status of a reset of another machine.
const ANOTHER: u32 = 90;
/// Lines of an output that an error shows.
const SHOWN: usize = 25;

/// What has to be done before a machine joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Clean,
    /// It is reset first, for this reason.
    Reset(&'static str),
}

/// What a machine is before it joins. `nodes` are those of the tenant, `pins` those of its CA.
///
/// # Errors
/// It is in use as something else, or the name of the node is taken.
pub(super) fn before(
    probe: &Probe,
    pins: &[String],
    nodes: &[Json],
    name: &str,
    scene: &Scene,
) -> Result<Before, Diagnostic> {
    let machine_id = probe.text("machine_id");
    let named = |live: &&Json| live["metadata"]["name"] == name;
    if let Some(other) = nodes.iter().find(named)
        && !(node::machine_id(other).is_some() && is_of_machine(other, machine_id))
    {
        return Err(taken(name, scene, node::machine_id(other).unwrap_or("unknown")));
    }
    if !probe.has_any() {
        return Ok(Before::Clean);
    }
    if probe.has("manifests/kube-apiserver.yaml") {
        return Err(Diagnostic::error(
            "Machine is a control plane node",
            "The machine runs a control plane of its own (/etc/kubernetes/manifests/kube-apiserver.yaml). It is left alone. If \
             that is over, run `kubeadm reset` on it.",
        ));
    }
    let its_own = probe.ca().and_then(|pem| ca_pins(&pem).ok());
    if !its_own.is_some_and(|own| own.iter().any(|pin| pins.contains(pin))) {
        let what = if probe.has("kubelet.conf") { "is a node of" } else { "has tried to join" };
        return Err(Diagnostic::error(
            "Machine belongs to another cluster",
            format!(
                "The machine {what} another cluster: the CA in /etc/kubernetes/pki/ca.crt is not that of {}. It is left alone. \
                 Drain and reset it (`kubeadm reset`), then apply again.",
                scene.object
            ),
        ));
    }
    let of_machine = |live: &&Json| node::machine_id(live).is_some() && is_of_machine(live, machine_id);
    match nodes.iter().find(of_machine) {
        Some(live) if probe.has("kubelet.conf") && node::is_ready(live) => {
            let known = live["metadata"]["name"].as_str().unwrap_or_default();
            let tenant = scene.object.to_string();
            let id = format!("{}#{known}", tenant.split_whitespace().next_back().unwrap_or_default());
            Err(Diagnostic::error(
                "Machine is a node already",
                format!(
                    "The machine is the node {known} of {tenant} already, and Ready. To manage it, import it: `terraform import \
                     <address> '{id}'`. To have it join again, run `kubeadm reset` on it first.",
                ),
            ))
        }
        _ => Ok(Before::Reset("an earlier join of the same tenant was not finished, or its node is gone")),
    }
}

fn taken(name: &str, scene: &Scene, other: &str) -> Diagnostic {
    Diagnostic::error(
        "Node name is taken",
        format!(
            "{} has a node {name} already, of another machine (machine id {other}). Set another node_name, or delete that node if \
             its machine is gone (`kubectl delete node {name}`). Machines that were cloned need a machine id and host name of \
             their own.",
            scene.object
        ),
    )
    .at(tfplugin::Path::of("node_name"))
}

/// Asks a machine about itself.
pub(super) async fn ask(
    session: &Session,
    operation: &Operation,
    input: &crate::kamaji::network::Endpoint,
    socket: Option<&str>,
) -> Result<Probe, Diagnostic> {
    let doing = "look at the machine";
    let output = session.run(operation, &Probe::script(input, socket), QUESTION).await;
    let output = output.map_err(|error| error.diagnostic(doing))?;
    let probe = Probe::read(&output.stdout);
    if probe.text("uid").is_none() {
        return Err(no_root(&output));
    }
    Ok(probe)
}

/// The script did not run.
fn no_root(output: &Output) -> Diagnostic {
    Diagnostic::error(
        "No commands as root on the machine",
        format!(
            "The user that logs in cannot run a shell as root. Another user than root needs sudo without a password (`NOPASSWD`). \
             The machine says:\n{}",
            output.tail(SHOWN)
        ),
    )
    .at(tfplugin::Path::of("user"))
}

/// Has kubeadm join.
pub(super) async fn join(session: &Session, operation: &Operation, input: &JoinInput) -> Result<(), Diagnostic> {
    let script = input.user_data_shell().map_err(super::diagnostic)?;
    let script = format!(
        "{PATH}mkdir -p {directory}\nls -A /etc/cni/net.d >{BEFORE} 2>/dev/null\n{}",
        script.expose_secret(),
        directory = BEFORE.rsplit_once('/').map_or("/", |(directory, _)| directory),
    );
    let output = session.run(operation, &script.into(), operation.remaining()).await;
    let output = output.map_err(|error| match error {
        SshError::Stopped => stopped("kubeadm was told to end"),
        error => error.diagnostic("join the machine"),
    })?;
    if output.success() {
        return Ok(());
    }
    // kubeadm does not show it; what it runs might.
    let said = output.tail(SHOWN).replace(input.token.secret().expose_secret(), "…");
    let status = output.status.map_or("it was ended by a signal".to_owned(), |status| format!("exit status {status}"));
    Err(Diagnostic::error(
        "Join failed",
        format!(
            "kubeadm did not join the machine ({status}). It says:\n{said}\n\nThe token is revoked. The next apply resets the \
                 machine and joins it again."
        ),
    ))
}

pub(super) fn stopped(what: &str) -> Diagnostic {
    Diagnostic::error(
        "Interrupted while joining",
        format!("The join was interrupted; {what}. The next apply resets the machine and joins it again."),
    )
}

/// Makes of a node a machine that can join again. Nothing is done on another machine than that with this id.
pub(super) async fn reset(
    session: &Session,
    operation: &Operation,
    machine_id: Option<&str>,
    socket: Option<&str>,
) -> Result<(), Diagnostic> {
    let output = session.run(operation, &reset_script(machine_id, socket), RESET).await;
    let output = output.map_err(|error| error.diagnostic("reset the machine"))?;
    match output.status {
        Some(0) => Ok(()),
        Some(ANOTHER) => Err(another(machine_id.unwrap_or_default(), output.stdout.trim())),
        _ if output.stdout.is_empty() && output.stderr.contains("sudo") => Err(no_root(&output)),
        _ => Err(Diagnostic::error(
            "Reset failed",
            format!("The machine could not be reset. It says:\n{}\n\nApply again.", output.tail(SHOWN)),
        )),
    }
}

/// Whether a machine is the one with this id. What is not known is not compared.
pub(super) async fn is_it(
    session: &Session,
    operation: &Operation,
    machine_id: Option<&str>,
) -> Result<(), Diagnostic> {
    let Some(known) = machine_id else { return Ok(()) };
    let script = "cat /etc/machine-id".to_owned().into();
    let output = session.run(operation, &script, QUESTION).await;
    let output = output.map_err(|error| error.diagnostic("look at the machine"))?;
    if !output.success() {
        return Err(no_root(&output));
    }
    let found = output.stdout.trim();
    if found == known { Ok(()) } else { Err(another(known, found)) }
}

fn another(known: &str, found: &str) -> Diagnostic {
    Diagnostic::error(
        "Another machine answers",
        format!(
            "The machine that joined has the machine id {known}; the one that answers now has {found}. It is left alone. If the \
             old machine is gone, set on_destroy = \"leave\", apply, and destroy then; if it was moved, set `host` where it is now."
        ),
    )
    .at(tfplugin::Path::of("host"))
}

fn reset_script(machine_id: Option<&str>, socket: Option<&str>) -> SecretString {
    let socket = socket.map(|socket| format!(" --cri-socket {}", shell_word(socket))).unwrap_or_default();
    let check = machine_id.map_or_else(String::new, |id| {
        format!(
            "found=$(cat /etc/machine-id 2>/dev/null)\nif [ \"$found\" != {} ]; then\n  echo \"$found\"\n  exit {ANOTHER}\nfi\n",
            shell_word(id)
        )
    });
    // Kubelet and kubeadm leave what the CNI has written; files of the image, which were there before the join, stay.
    format!(
        r#"{PATH}{check}if command -v kubeadm >/dev/null; then
  kubeadm reset --force{socket} || exit 1
else
  systemctl stop kubelet
fi
rm -rf /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/pki /etc/kubernetes/kubeadm-join.yaml \
  /etc/kubernetes/kubeadm-join-patches /etc/kubernetes/kubeadm-discovery.conf /var/lib/cni
if [ -f {BEFORE} ]; then
  for file in /etc/cni/net.d/* /etc/cni/net.d/.[!.]*; do
    name=${{file##*/}}
    if [ -e "$file" ] && ! grep -qxF -e "$name" {BEFORE}; then
      rm -rf "$file"
    fi
  done
  rm -f {BEFORE}
fi
"#
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_not_reset() {
        let script = reset_script(Some("no such machine"), None);
        let output = std::process::Command::new("sh").args(["-c", script.expose_secret()]).output().unwrap();
        assert_eq!(output.status.code(), Some(90));
    }
}
