//! What a machine says about itself before it joins, in one question.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::kamaji::join::shell_word;
use crate::kamaji::network::Endpoint;
use crate::kamaji::version::KubernetesVersion;

/// The search path of root: that of an SSH session lacks the directories of administrators.
pub(super) const PATH: &str =
    "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin; export PATH\n";

/// Sockets at which kubeadm looks for a container runtime.
const SOCKETS: &[&str] = &["/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock"];

/// What a machine says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Probe {
    lines: BTreeMap<String, Vec<String>>,
}

impl Probe {
    /// The script that asks. `socket` is the container runtime's, where it is set.
    pub fn script(endpoint: &Endpoint, socket: Option<&str>) -> SecretString {
        let sockets: Vec<String> = match socket {
            Some(socket) => vec![shell_word(socket.trim_start_matches("unix://"))],
            None => SOCKETS.iter().map(|socket| shell_word(socket)).collect(),
        };
        let (url, host) = (shell_word(&format!("{}/livez", endpoint.url())), shell_word(&endpoint.host));
        let port = endpoint.port;
        format!(
            r#"{PATH}say() {{ printf '%s\t%s\n' "$1" "$2"; }}
say uid "$(id -u)"
say system "$(uname -s)"
say hostname "$(uname -n)"
say machine_id "$(cat /etc/machine-id 2>/dev/null)"
say clock "$(date +%s)"
say kubeadm "$(kubeadm version -o short 2>/dev/null)"
say kubelet "$(kubelet --version 2>/dev/null | sed 's/^Kubernetes //')"
command -v systemctl >/dev/null && say systemctl yes
[ "$(wc -l </proc/swaps)" -gt 1 ] && say swap on
for socket in {sockets}; do [ -S "$socket" ] && say socket "$socket"; done
grep -qsiE '^ *[0-9]+: [0-9A-F]+:280A [0-9A-F]+:0000 0A' /proc/net/tcp /proc/net/tcp6 && say port 10250
ps -eo comm= 2>/dev/null | grep -qx kubeadm && say running kubeadm
for file in kubelet.conf bootstrap-kubelet.conf pki/ca.crt manifests/kube-apiserver.yaml; do
  [ -e "/etc/kubernetes/$file" ] && say file "$file"
done
[ -e /var/lib/kubelet/config.yaml ] && say file config.yaml
say ca "$(base64 </etc/kubernetes/pki/ca.crt 2>/dev/null | tr -d '\n')"
say cgroups "$(containerd config dump 2>/dev/null | sed -n 's/^ *SystemdCgroup *= *//p' | head -n 1)"
cat /etc/default/kubelet /etc/sysconfig/kubelet /etc/systemd/system/kubelet.service.d/* /usr/lib/systemd/system/kubelet.service.d/* \
  2>/dev/null | grep -q cgroup-driver && say cgroup_argument yes
if command -v curl >/dev/null; then
  curl -k -s -o /dev/null --noproxy '*' --max-time 8 {url} && say reached 0 || say reached $?
elif command -v bash >/dev/null && command -v timeout >/dev/null; then
  timeout 8 bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash {host} {port} 2>/dev/null && say reached 0 || say reached $?
fi
"#,
            sockets = sockets.join(" "),
        )
        .into()
    }

    /// Reads the answer.
    pub fn read(output: &str) -> Self {
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in output.lines().filter_map(|line| line.split_once('\t')) {
            lines.entry(key.to_owned()).or_default().push(value.trim().to_owned());
        }
        Self { lines }
    }

    /// The first answer to a question; [`None`] if there is none, or it is empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.lines.get(key)?.first().map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The version of a program; [`None`] if it is not there, or says something else.
    pub fn version(&self, program: &str) -> Option<KubernetesVersion> {
        self.text(program)?.parse().ok()
    }

    /// Whether a file of a join is there, below `/etc/kubernetes`.
    pub fn has(&self, file: &str) -> bool {
        self.lines.get("file").is_some_and(|files| files.iter().any(|found| found == file))
    }

    /// Whether anything of a join is there.
    pub fn has_any(&self) -> bool {
        self.lines.contains_key("file")
    }

    /// The CA of the cluster that it has joined, PEM.
    pub fn ca(&self) -> Option<String> {
        String::from_utf8(STANDARD.decode(self.text("ca")?).ok()?).ok()
    }

    /// The name that kubeadm gives to its node.
    pub fn host_name(&self) -> String {
        self.text("hostname").unwrap_or_default().to_ascii_lowercase()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    pub fn good() -> String {
        "uid\t0\nsystem\tLinux\nhostname\tNode-1\nmachine_id\tabc\nclock\t1000\nkubeadm\tv1.30.2\nkubelet\tv1.30.2\n\
         systemctl\tyes\nsocket\t/run/containerd/containerd.sock\nca\t\ncgroups\ttrue\nreached\t0\n"
            .to_owned()
    }

    #[test]
    fn an_answer_is_read() {
        let probe = Probe::read(&format!("motd without a tab\n{}file\tkubelet.conf\n", good()));
        assert_eq!(probe.host_name(), "node-1");
        assert_eq!(probe.version("kubelet"), "v1.30.2".parse().ok());
        assert!(probe.has("kubelet.conf") && !probe.has("pki/ca.crt") && probe.text("ca").is_none());
    }

    #[test]
    fn a_shell_reads_the_question() {
        let script = Probe::script(&"[fd00::1]:6443".parse().unwrap(), Some("unix:///run/it's.sock"));
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-c", script.expose_secret()]).output().unwrap();
        let probe = Probe::read(&String::from_utf8_lossy(&output.stdout));
        assert!(probe.text("uid").is_some() && probe.text("clock").is_some(), "{probe:?}");
        assert_eq!(probe.text("socket"), None);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("syntax"), "{said}");
    }
}
