//! How a node registers: its name, labels, taints and kubelet arguments, by the rules of kubeadm and the kubelet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

use crate::kamaji::names::{check_key, check_labels, is_dns1123_subdomain, is_label_value};

/// What the machine tells about itself when it joins. It counts once, when the node is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSettings {
    /// The name; by default the machine's host name.
    pub name: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Taints.
    pub taints: Vec<Taint>,
    /// Arguments of the kubelet, names without dashes.
    pub kubelet_extra_args: Vec<(String, String)>,
    /// The socket of the container runtime; by default kubeadm looks for it.
    pub cri_socket: Option<String>,
    /// Checks of kubeadm that may fail.
    pub ignore_preflight_errors: Vec<String>,
}

impl NodeSettings {
    /// Everything that is wrong with the settings: the attribute and the problem.
    pub fn problems(&self) -> Vec<(&'static str, Problem)> {
        let labels = self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        [
            ("name", self.name.as_deref().map_or(Ok(()), check_node_name)),
            ("labels", check_node_labels(labels)),
            ("taints", check_taints(&self.taints)),
            ("kubelet_extra_args", check_kubelet_args(&self.kubelet_extra_args)),
            ("cri_socket", self.cri_socket.as_deref().map_or(Ok(()), check_cri_socket)),
            ("ignore_preflight_errors", check_preflight(&self.ignore_preflight_errors)),
        ]
        .into_iter()
        .filter_map(|(attribute, result)| Some((attribute, result.err()?)))
        .collect()
    }
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// They are not put on the node.
    NoSchedule,
    /// They are put there only if need be.
    PreferNoSchedule,
    /// They are removed as well.
    NoExecute,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A taint as kubectl writes it: `key=value:Effect` or `key:Effect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Like a label key.
    pub key: String,
    /// Like a label value; empty if there is none.
    pub value: String,
    /// What it does.
    pub effect: Effect,
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equals = if self.value.is_empty() { "" } else { "=" };
        write!(f, "{}{equals}{}:{}", self.key, self.value, self.effect)
    }
}

impl FromStr for Taint {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = |advice: &str| {
            let form = "is not a taint of the form \"key=value:Effect\", like \"dedicated=db:NoSchedule\"";
            Problem::new("Taint is not valid", format!("{text:?} {form}. {advice}"))
        };
        let (left, effect) = text.rsplit_once(':').ok_or_else(|| wrong("The effect is missing."))?;
        let effect = match effect {
            "NoSchedule" => Effect::NoSchedule,
            "PreferNoSchedule" => Effect::PreferNoSchedule,
            "NoExecute" => Effect::NoExecute,
            _ => return Err(wrong("The effect is one of NoSchedule, PreferNoSchedule, NoExecute.")),
        };
        let (key, value) = left.split_once('=').unwrap_or((left, ""));
        check_key(key)?;
        if !is_label_value(value) {
            return Err(wrong("The value has at most 63 letters, digits, \"-\", \"_\" and \".\"."));
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned(), effect })
    }
}

/// Whether taints can stand together.
///
/// # Errors
/// Two of the same key and effect, which Kubernetes refuses.
pub fn check_taints(taints: &[Taint]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    match taints.iter().find(|taint| !seen.insert((&taint.key, taint.effect))) {
        Some(twice) => Err(Problem::new(
            "Taint is given twice",
            format!("There are two taints with key {:?} and effect {}. Keep one.", twice.key, twice.effect),
        )),
        None => Ok(()),
    }
}

/// Labels in the domains of Kubernetes that a kubelet may set on its own node.
const KUBELET_LABELS: &[&str] = &[
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

fn in_domain(prefix: &str, domain: &str) -> bool {
    prefix == domain || prefix.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether a node may give itself a label. The kubelet does not start with one that it may not.
///
/// # Errors
/// A key in a domain of Kubernetes that only an administrator may use.
pub fn check_node_label_key(key: &str) -> Result<(), Problem> {
    let Some((prefix, _)) = key.split_once('/') else { return Ok(()) };
    let reserved = in_domain(prefix, "kubernetes.io") || in_domain(prefix, "k8s.io");
    let allowed = KUBELET_LABELS.contains(&key)
        || in_domain(prefix, "kubelet.kubernetes.io")
        || in_domain(prefix, "node.kubernetes.io");
    if !reserved || allowed {
        return Ok(());
    }
    Err(Problem::new(
        "Node may not give itself this label",
        format!(
            "The label {key:?} is in a domain that Kubernetes keeps for administrators, and a kubelet that is told to set it \
             does not start. Use a domain of your own, \"node.kubernetes.io/…\", or label the node after it has joined."
        ),
    ))
}

/// Whether a node may give itself these labels, and whether they are well formed.
///
/// # Errors
/// The first that is not.
pub fn check_node_labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Result<(), Problem> {
    check_labels(labels.clone())?;
    labels.map(|(key, _)| key).try_for_each(check_node_label_key)
}

fn check_node_name(name: &str) -> Result<(), Problem> {
    if is_dns1123_subdomain(name) {
        return Ok(());
    }
    Err(Problem::new(
        "Node name is not valid",
        format!("{name:?} cannot be the name of a node. Use lower-case letters, digits, \"-\" and \".\"."),
    ))
}

fn check_kubelet_args(arguments: &[(String, String)]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for (name, _) in arguments {
        let wrong = |detail: String| Err(Problem::new("Kubelet argument is not valid", detail));
        match name.as_str() {
            "node-labels" => {
                return wrong("Write node labels into labels, not into the argument node-labels.".to_owned());
            }
            "register-with-taints" => {
                return wrong("Write taints into taints, not into the argument register-with-taints.".to_owned());
            }
            _ if name.starts_with('-') => return wrong(format!("Write {name:?} without leading dashes.")),
            _ if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) => {
                return wrong(format!("{name:?} is not the name of an argument."));
            }
            // kubeadm before 1.31 holds them in a map.
            _ if !seen.insert(name) => return wrong(format!("The argument {name:?} is given twice. Keep one.")),
            _ => {}
        }
    }
    Ok(())
}

fn check_cri_socket(socket: &str) -> Result<(), Problem> {
    if socket.starts_with("unix:///") && !socket.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(Problem::new(
        "Runtime socket is not valid",
        format!("{socket:?} is not a URL like \"unix:///run/containerd/containerd.sock\"."),
    ))
}

fn check_preflight(names: &[String]) -> Result<(), Problem> {
    let wrong = |detail: String| Err(Problem::new("Preflight check is not valid", detail));
    if names.len() > 1 && names.iter().any(|name| name.eq_ignore_ascii_case("all")) {
        return wrong("\"all\" stands for every check and must be alone.".to_owned());
    }
    let named = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    match names.iter().find(|name| !named(name)) {
        Some(name) => wrong(format!("{name:?} is not the name of a check, like \"Swap\".")),
        None => Ok(()),
    }
}

/// A map of labels that a node gives itself.
pub fn labels() -> Validator {
    Validator::new("labels that a kubelet may set on its own node", |map| {
        let known =
            map.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        check_node_labels(known)
    })
}

/// A list of taints.
pub fn taints() -> Validator {
    Validator::new("taints of the form `key=value:Effect`", |list| {
        let known = list.as_list().unwrap_or_default().iter().filter_map(Value::as_str);
        check_taints(&known.map(str::parse).collect::<Result<Vec<_>, _>>()?)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("pool", true)]
    #[case("example.com/pool", true)]
    #[case("notkubernetes.io/pool", true)]
    #[case("node.kubernetes.io/pool", true)]
    #[case("a.node.kubernetes.io/pool", true)]
    #[case("kubelet.kubernetes.io/pool", true)]
    #[case("topology.kubernetes.io/zone", true)]
    #[case("topology.kubernetes.io/rack", false)]
    #[case("node-role.kubernetes.io/worker", false)]
    #[case("node-restriction.kubernetes.io/pool", false)]
    #[case("kubernetes.io/pool", false)]
    #[case("k8s.io/pool", false)]
    #[case("cluster.x-k8s.io/pool", true)]
    fn a_node_may_not_set_labels_of_administrators(#[case] key: &str, #[case] good: bool) {
        assert_eq!(labels().check(&Value::object([(key, Value::from("a"))])).is_ok(), good);
    }

    #[rstest]
    #[case("dedicated=db:NoSchedule")]
    #[case("gpu:NoExecute")]
    #[case("example.com/a=b.c:PreferNoSchedule")]
    fn a_taint_reads_back(#[case] text: &str) {
        assert_eq!(text.parse::<Taint>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("dedicated=db", "effect is missing")]
    #[case("dedicated=db:noschedule", "effect is one of")]
    #[case("=db:NoSchedule", "not a valid key")]
    #[case("a=b=c:NoSchedule", "value has")]
    #[case("a=b,c:NoSchedule", "value has")]
    #[case("", "effect is missing")]
    fn a_broken_taint_is_answered_with_what_to_write(#[case] text: &str, #[case] advice: &str) {
        let problem = taints().check(&Value::strings([text])).unwrap_err();
        assert!(problem.detail.contains(advice), "{}", problem.detail);
    }

    #[test]
    fn a_taint_is_given_once_per_effect() {
        assert!(taints().check(&Value::strings(["a=b:NoSchedule", "a=c:NoSchedule"])).is_err());
        assert!(taints().check(&Value::strings(["a=b:NoSchedule", "a=b:NoExecute"])).is_ok());
    }

    #[rstest]
    #[case::none(NodeSettings::default(), None)]
    #[case::name(NodeSettings { name: Some("W1".to_owned()), ..NodeSettings::default() }, Some("name"))]
    #[case::socket(NodeSettings { cri_socket: Some("/run/x.sock".to_owned()), ..NodeSettings::default() }, Some("cri_socket"))]
    #[case::dashes(arguments(&["--v"]), Some("kubelet_extra_args"))]
    #[case::twice(arguments(&["v", "v"]), Some("kubelet_extra_args"))]
    #[case::labels_in_arguments(arguments(&["node-labels"]), Some("kubelet_extra_args"))]
    #[case::good_arguments(arguments(&["v", "max-pods"]), None)]
    #[case::all(preflight(&["all"]), None)]
    #[case::all_and_more(preflight(&["Swap", "All"]), Some("ignore_preflight_errors"))]
    #[case::sentence(preflight(&["a b"]), Some("ignore_preflight_errors"))]
    fn each_setting_is_checked_under_its_name(#[case] settings: NodeSettings, #[case] attribute: Option<&str>) {
        assert_eq!(settings.problems().first().map(|(attribute, _)| *attribute), attribute);
    }

    fn arguments(names: &[&str]) -> NodeSettings {
        let kubelet_extra_args = names.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
        NodeSettings { kubelet_extra_args, ..NodeSettings::default() }
    }

    fn preflight(names: &[&str]) -> NodeSettings {
        NodeSettings {
            ignore_preflight_errors: names.iter().map(|name| (*name).to_owned()).collect(),
            ..NodeSettings::default()
        }
    }
}
