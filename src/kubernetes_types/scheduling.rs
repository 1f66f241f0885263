//! Where pods run: tolerations, affinity, topology spread constraints.

use tfplugin::schema::{Attribute, Validator, list_of, number, object, string, string_list};

use super::selectors::{label_selector, requirement};
use super::whole_number;

/// `tolerations`
pub fn tolerations() -> Attribute {
    let members = vec![
        string("key").json("key").doc("Key of the taint; all with `Exists` if left out."),
        string("operator").json("operator").doc("`Equal` (if left out) or `Exists`; newer Kubernetes has more."),
        string("value").json("value").doc("Value of the taint, for `Equal`."),
        string("effect")
            .json("effect")
            .rule(Validator::one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]))
            .doc("Effect of the taint; all if left out."),
        whole_number("toleration_seconds")
            .json("tolerationSeconds")
            .doc("Seconds for which `NoExecute` is tolerated; for ever if left out."),
    ];
    list_of("tolerations", members).json("tolerations")
}

/// `topology_spread_constraints`
pub fn topology_spread_constraints() -> Attribute {
    let policy = |name| string(name).rule(Validator::one_of(&["Honor", "Ignore"]));
    let members = vec![
        number("max_skew")
            .json("maxSkew")
            .required()
            .rule(Validator::at_least(1))
            .doc("By how many pods two domains may differ."),
        string("topology_key")
            .json("topologyKey")
            .required()
            .doc("Label of nodes that makes the domains, such as `topology.kubernetes.io/zone`."),
        string("when_unsatisfiable")
            .json("whenUnsatisfiable")
            .required()
            .rule(Validator::one_of(&["DoNotSchedule", "ScheduleAnyway"]))
            .doc("What happens to a pod that does not fit."),
        label_selector("label_selector")
            .json("labelSelector")
            .doc("Pods that are counted; Kamaji takes those of the control plane if it is left out."),
        string_list("match_label_keys").json("matchLabelKeys").doc("Labels whose values of the new pod count too."),
        number("min_domains")
            .json("minDomains")
            .rule(Validator::at_least(1))
            .doc("Domains that should be there, for `DoNotSchedule`."),
        policy("node_affinity_policy")
            .json("nodeAffinityPolicy")
            .doc("Whether node affinity counts; `Honor` if left out."),
        policy("node_taints_policy").json("nodeTaintsPolicy").doc("Whether taints count; `Ignore` if left out."),
    ];
    list_of("topology_spread_constraints", members).json("topologySpreadConstraints")
}

/// `affinity`
pub fn affinity() -> Attribute {
    let members = vec![
        node_affinity(),
        pod_affinity("pod_affinity").json("podAffinity").doc("Nearness to other pods."),
        pod_affinity("pod_anti_affinity").json("podAntiAffinity").doc("Distance from other pods."),
    ];
    object("affinity", members).json("affinity")
}

const PREFERRED: &str = "preferred_during_scheduling_ignored_during_execution";
const PREFERRED_KEY: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const REQUIRED: &str = "required_during_scheduling_ignored_during_execution";
const REQUIRED_KEY: &str = "requiredDuringSchedulingIgnoredDuringExecution";

fn weight() -> Attribute {
    number("weight").json("weight").required().rule(Validator::between(1, 100)).doc("Weight among the preferences.")
}

fn node_affinity() -> Attribute {
    let preference = object("preference", node_selector_term())
        .json("preference")
        .required()
        .whole()
        .doc("Nodes that are preferred.");
    let terms = list_of("node_selector_terms", node_selector_term())
        .json("nodeSelectorTerms")
        .required()
        .doc("Kinds of nodes. One must fit.");
    let members = vec![
        list_of(PREFERRED, vec![preference, weight()]).json(PREFERRED_KEY).doc("Preferences."),
        object(REQUIRED, vec![terms]).json(REQUIRED_KEY).whole().doc("Conditions."),
    ];
    object("node_affinity", members).json("nodeAffinity").doc("Kinds of nodes.")
}

fn node_selector_term() -> Vec<Attribute> {
    const OPERATORS: &[&str] = &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
    vec![
        list_of("match_expressions", requirement(OPERATORS))
            .json("matchExpressions")
            .doc("Conditions on the labels of nodes. All must hold."),
        list_of("match_fields", requirement(OPERATORS))
            .json("matchFields")
            .doc("Conditions on the fields of nodes: `metadata.name`. All must hold."),
    ]
}

fn pod_affinity(name: &'static str) -> Attribute {
    let term = object("pod_affinity_term", pod_affinity_term()).json("podAffinityTerm").required();
    let members = vec![
        list_of(PREFERRED, vec![term.doc("Pods and domain."), weight()]).json(PREFERRED_KEY).doc("Preferences."),
        list_of(REQUIRED, pod_affinity_term()).json(REQUIRED_KEY).doc("Conditions. All must hold."),
    ];
    object(name, members)
}

fn pod_affinity_term() -> Vec<Attribute> {
    vec![
        string("topology_key")
            .json("topologyKey")
            .required()
            .doc("Label of nodes that makes the domain, such as `kubernetes.io/hostname`."),
        label_selector("label_selector").json("labelSelector").doc("The other pods; none if left out, all for `{}`."),
        string_list("match_label_keys").json("matchLabelKeys").doc("Labels whose values of the new pod must match."),
        string_list("mismatch_label_keys")
            .json("mismatchLabelKeys")
            .doc("Labels whose values of the new pod must not match."),
        label_selector("namespace_selector")
            .json("namespaceSelector")
            .doc("Namespaces of the other pods by label; all for `{}`."),
        string_list("namespaces")
            .json("namespaces")
            .doc("Namespaces of the other pods by name; that of the control plane if both are left out."),
    ]
}
