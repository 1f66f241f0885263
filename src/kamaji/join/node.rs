//! How a node registers: its labels and taints, by the rules of the kubelet.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

use crate::kamaji::names::{check_key, check_labels};

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

impl FromStr for Effect {
    type Err = Problem;

    fn from_str(word: &str) -> Result<Self, Problem> {
        match word {
            "NoSchedule" => Ok(Self::NoSchedule),
            "PreferNoSchedule" => Ok(Self::PreferNoSchedule),
            "NoExecute" => Ok(Self::NoExecute),
            _ => Err(Problem::new(
                "Taint is not valid",
                format!("The effect of a taint is one of {}, not {word:?}.", EFFECTS.join(", ")),
            )),
        }
    }
}

/// The words for effects.
pub const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Keeps pods that do not tolerate it away from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Like a label key.
    pub key: String,
    /// Like a label value; empty if there is none.
    pub value: String,
    /// What it does.
    pub effect: Effect,
}

impl Taint {
    /// From an object with `key`, `value` and `effect`.
    ///
    /// # Errors
    /// A key, value or effect that Kubernetes refuses.
    pub fn from_value(object: &Value) -> Result<Self, Problem> {
        let text = |attribute| object.str_at(attribute).unwrap_or_default();
        let (key, value) = (text("key"), text("value"));
        check_labels([(key, value)])?;
        Ok(Self { key: key.to_owned(), value: value.to_owned(), effect: text("effect").parse()? })
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

/// A map of labels that a node gives itself.
pub fn labels() -> Validator {
    Validator::new("labels that a kubelet may set on its own node", |map| {
        let known =
            map.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        check_node_labels(known)
    })
}

/// The key of a taint.
pub fn taint_key() -> Validator {
    Validator::new("a valid Kubernetes label key", |value| value.as_str().map_or(Ok(()), check_key))
}

/// A list of taints as objects, as far as it is known: no two of the same key and effect, which Kubernetes refuses.
pub fn distinct_taints() -> Validator {
    Validator::new("no two of the same key and effect", |list| {
        let mut seen = BTreeSet::new();
        let known = list.as_list().unwrap_or_default().iter();
        let mut known = known.filter_map(|taint| Some((taint.str_at("key")?, taint.str_at("effect")?)));
        match known.find(|taint| !seen.insert(*taint)) {
            Some((key, effect)) => Err(Problem::new(
                "Taint is given twice",
                format!("There are two taints with key {key:?} and effect {effect}. Keep one."),
            )),
            None => Ok(()),
        }
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

    fn taint(key: &str, value: Value, effect: &str) -> Value {
        Value::object([("key", Value::from(key)), ("value", value), ("effect", Value::from(effect))])
    }

    #[rstest]
    #[case(taint("dedicated", "db".into(), "NoSchedule"), Some(("dedicated", "db", Effect::NoSchedule)))]
    #[case(taint("example.com/a", Value::Null, "NoExecute"), Some(("example.com/a", "", Effect::NoExecute)))]
    #[case(taint("a", Value::Null, "PreferNoSchedule"), Some(("a", "", Effect::PreferNoSchedule)))]
    #[case(taint("a", Value::Null, "noschedule"), None)]
    #[case(taint("", "db".into(), "NoSchedule"), None)]
    #[case(taint("a:b", Value::Null, "NoSchedule"), None)]
    #[case(taint("a", "b=c".into(), "NoSchedule"), None)]
    fn a_taint_has_key_and_effect(#[case] object: Value, #[case] wanted: Option<(&str, &str, Effect)>) {
        let wanted = wanted.map(|(key, value, effect)| Taint { key: key.to_owned(), value: value.to_owned(), effect });
        assert_eq!(Taint::from_value(&object).ok(), wanted);
    }

    #[test]
    fn a_taint_is_given_once_per_effect() {
        let check = |taints: [Value; 2]| distinct_taints().check(&Value::List(taints.into())).is_ok();
        assert!(!check([taint("a", "b".into(), "NoSchedule"), taint("a", "c".into(), "NoSchedule")]));
        assert!(check([taint("a", "b".into(), "NoSchedule"), taint("a", "b".into(), "NoExecute")]));
        assert!(check([Value::Unknown, taint("a", Value::Unknown, "NoExecute")]));
    }

    #[test]
    fn effects_are_known_by_their_words() {
        for word in EFFECTS {
            assert_eq!(word.parse::<Effect>().map(|effect| effect.to_string()), Ok((*word).to_owned()));
        }
    }
}
