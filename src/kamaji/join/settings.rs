//! What is set of a machine beside the tenant that it joins: how its node registers, how kubeadm runs, and what is done
//! around it.

use std::collections::BTreeMap;

use tfplugin::schema::Problem;
use tfplugin::{Path, Value};

use super::installer::Yaki;
use super::node::Taint;
use crate::kamaji::version::KubernetesVersion;

/// The first release whose kubeadm reads v1beta4 of its configuration.
pub const V1BETA4: (u64, u64) = (1, 31);

/// The settings of a machine. They count when it joins; nothing here changes a node that has joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineSettings {
    /// Name of the node; the machine's own host name in lower case by default.
    pub node_name: Option<String>,
    /// Labels of the node.
    pub labels: BTreeMap<String, String>,
    /// Taints of the node.
    pub taints: Vec<Taint>,
    /// Arguments of the kubelet, name without dashes and value, in order.
    pub kubelet_extra_args: Vec<(String, String)>,
    /// Socket of the container runtime, `unix:///…`; kubeadm finds it by itself if there is one.
    pub cri_socket: Option<String>,
    /// kubeadm's checks that may fail.
    pub ignore_preflight_errors: Vec<String>,
    /// `Always`, `IfNotPresent`, `Never`.
    pub image_pull_policy: Option<String>,
    /// Whether images are pulled one after another; from v1beta4.
    pub image_pull_serial: Option<bool>,
    /// kubeadm's phases that are left out.
    pub skip_phases: Vec<String>,
    /// kubeadm's patches: name of a file and its content.
    pub patches: BTreeMap<String, String>,
    /// Time-outs of kubeadm.
    pub timeouts: Timeouts,
    /// The proxy of the machine.
    pub proxy: Option<Proxy>,
    /// Files that are written before anything runs.
    pub files: Vec<ExtraFile>,
    /// Shell commands before kubeadm runs, or before it is installed.
    pub pre_commands: Vec<String>,
    /// Shell commands after the machine has joined.
    pub post_commands: Vec<String>,
    /// Who installs container runtime, kubelet and kubeadm; [`None`] if the image has them.
    pub installer: Option<Yaki>,
}

/// kubeadm's time-outs, as Go writes durations. All but the first need v1beta4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the tenant was found and recognised.
    pub discovery: Option<String>,
    /// Until the kubelet has its certificate.
    pub tls_bootstrap: Option<String>,
    /// Until the kubelet says that it works.
    pub kubelet_health_check: Option<String>,
    /// Of calls of the tenant's API.
    pub kubernetes_api_call: Option<String>,
}

/// A proxy for what the machine downloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// For http.
    pub http: Option<String>,
    /// For https.
    pub https: Option<String>,
    /// What is reached without it: hosts, domains, networks. The tenant's endpoint is added.
    pub no_proxy: Vec<String>,
}

/// A file on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraFile {
    /// Where, from the root.
    pub path: String,
    /// What is in it.
    pub content: String,
    /// Its mode, four octal digits.
    pub permissions: String,
    /// `user:group`
    pub owner: String,
}

/// The permissions of an extra file unless others are configured.
pub const PERMISSIONS: &str = "0644";
/// The owner of an extra file unless another is configured.
pub const OWNER: &str = "root:root";

fn text(value: &Value, attribute: &str) -> Option<String> {
    value.str_at(attribute).map(str::to_owned)
}

fn texts(value: &Value, attribute: &str) -> Vec<String> {
    let items = value.get(attribute).as_list().unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn map(value: &Value, attribute: &str) -> BTreeMap<String, String> {
    let members = value.get(attribute).as_object().into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn objects<'a>(value: &'a Value, attribute: &str) -> &'a [Value] {
    value.get(attribute).as_list().unwrap_or_default()
}

impl MachineSettings {
    /// From an object with the attributes of [`super::attributes`]; what is null or unknown is not set.
    ///
    /// # Errors
    /// A taint that Kubernetes refuses, which the rules of the attributes find before.
    pub fn from_value(value: &Value) -> Result<Self, Problem> {
        Ok(Self {
            node_name: text(value, "node_name"),
            labels: map(value, "node_labels"),
            taints: objects(value, "node_taints").iter().map(Taint::from_value).collect::<Result<_, _>>()?,
            kubelet_extra_args: objects(value, "kubelet_extra_args")
                .iter()
                .filter_map(|argument| Some((text(argument, "name")?, text(argument, "value").unwrap_or_default())))
                .collect(),
            cri_socket: text(value, "cri_socket"),
            ignore_preflight_errors: texts(value, "ignore_preflight_errors"),
            image_pull_policy: text(value, "image_pull_policy"),
            image_pull_serial: value.get("image_pull_serial").as_bool(),
            skip_phases: texts(value, "skip_phases"),
            patches: map(value, "patches"),
            timeouts: Timeouts {
                discovery: text(value, "join_timeouts.discovery"),
                tls_bootstrap: text(value, "join_timeouts.tls_bootstrap"),
                kubelet_health_check: text(value, "join_timeouts.kubelet_health_check"),
                kubernetes_api_call: text(value, "join_timeouts.kubernetes_api_call"),
            },
            proxy: value.get("proxy").is_set().then(|| Proxy {
                http: text(value, "proxy.http_proxy"),
                https: text(value, "proxy.https_proxy"),
                no_proxy: texts(value, "proxy.no_proxy"),
            }),
            files: objects(value, "extra_files")
                .iter()
                .filter_map(|file| {
                    Some(ExtraFile {
                        path: text(file, "path")?,
                        content: text(file, "content").unwrap_or_default(),
                        permissions: text(file, "permissions").unwrap_or_else(|| PERMISSIONS.to_owned()),
                        owner: text(file, "owner").unwrap_or_else(|| OWNER.to_owned()),
                    })
                })
                .collect(),
            pre_commands: texts(value, "pre_commands"),
            post_commands: texts(value, "post_commands"),
            installer: Yaki::from_value(value.get("installer")),
        })
    }

    /// True if kubeadm's own flags say everything that is set: no configuration file is needed.
    pub(super) fn fits_flags(&self) -> bool {
        let flags = Self {
            node_name: self.node_name.clone(),
            cri_socket: self.cri_socket.clone(),
            ignore_preflight_errors: self.ignore_preflight_errors.clone(),
            ..Self::default()
        };
        *self == flags
    }

    /// True if nothing is set but what a Bottlerocket machine can be told.
    pub(super) fn fits_bottlerocket(&self) -> bool {
        let known = Self {
            node_name: self.node_name.clone(),
            labels: self.labels.clone(),
            taints: self.taints.clone(),
            proxy: self.proxy.clone(),
            ..Self::default()
        };
        *self == known
    }

    /// True if the kubelet is told to take a field that Kamaji's `kubelet-config` has and an older one refuses without this
    /// feature gate: see [`super::check_kubelet_config`]. Patches are taken to do the same.
    pub(super) fn opens_kubelet_gate(&self, gate: &str) -> bool {
        let gates = self.kubelet_extra_args.iter().filter(|(name, _)| name == "feature-gates");
        let mut gates = gates.flat_map(|(_, value)| value.split(','));
        !self.patches.is_empty() || gates.any(|open| open.strip_suffix("=true") == Some(gate))
    }

    /// What kubeadm of a version cannot be told, with the attribute that says it.
    pub fn problems_with(&self, kubeadm: &KubernetesVersion) -> Vec<(Path, Problem)> {
        if kubeadm.release() >= V1BETA4 {
            return Vec::new();
        }
        let mut problems = Vec::new();
        let mut older = |path: Path, what: &str| {
            let detail = format!(
                "{what} needs kubeadm v1.31 or later, and the machines have {kubeadm}. Leave it out, or raise kubernetes_version."
            );
            problems.push((path, Problem::new("kubeadm is too old for this", detail)));
        };
        if self.image_pull_serial.is_some() {
            older(Path::of("image_pull_serial"), "Pulling images in parallel or one by one");
        }
        let timeouts = [
            ("tls_bootstrap", &self.timeouts.tls_bootstrap),
            ("kubelet_health_check", &self.timeouts.kubelet_health_check),
            ("kubernetes_api_call", &self.timeouts.kubernetes_api_call),
        ];
        for (name, _) in timeouts.iter().filter(|(_, value)| value.is_some()) {
            older(Path::of("join_timeouts").attribute(*name), "This time-out");
        }
        let mut seen = std::collections::BTreeSet::new();
        for (index, (name, _)) in self.kubelet_extra_args.iter().enumerate() {
            if !seen.insert(name) {
                let path = Path::of("kubelet_extra_args").index(index).attribute("name");
                older(path, &format!("A kubelet argument that is given twice ({name})"));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(edit: impl FnOnce(&mut Value)) -> Value {
        let attributes = super::super::attributes::machine();
        let mut value = Value::object(attributes.iter().map(|attribute| (attribute.name, Value::Null)));
        edit(&mut value);
        value
    }

    #[test]
    fn nothing_configured_is_nothing_set() {
        assert_eq!(MachineSettings::from_value(&object(|_| {})), Ok(MachineSettings::default()));
    }

    #[test]
    fn a_file_belongs_to_root_and_is_readable_unless_said_otherwise() {
        let file = Value::object([("path", Value::from("/etc/a")), ("content", "x".into())]);
        let settings =
            MachineSettings::from_value(&object(|value| value.set("extra_files", Value::List(vec![file])))).unwrap();
        assert_eq!((settings.files[0].permissions.as_str(), settings.files[0].owner.as_str()), ("0644", "root:root"));
    }

    #[rstest::rstest]
    #[case("v1.31.0", &[])]
    #[case("v1.30.9", &["image_pull_serial", "join_timeouts.tls_bootstrap", "kubelet_extra_args[1].name"])]
    fn an_older_kubeadm_is_not_told_what_it_does_not_read(#[case] version: &str, #[case] paths: &[&str]) {
        let argument = ("v".to_owned(), "4".to_owned());
        let settings = MachineSettings {
            image_pull_serial: Some(false),
            timeouts: Timeouts { tls_bootstrap: Some("1m".to_owned()), ..Timeouts::default() },
            kubelet_extra_args: vec![argument.clone(), argument],
            ..MachineSettings::default()
        };
        let found: Vec<String> =
            settings.problems_with(&version.parse().unwrap()).iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(found, paths);
    }
}
