//! Where the pods run, and how they are replaced.

use tfplugin::{Path, Value};

use super::{Findings, elements, repeated};

const DEPLOYMENT: &str = "control_plane.deployment";
/// The label by which Kamaji selects the pods of a control plane.
const SELECTOR: &str = "kamaji.clastix.io/name";

pub(super) fn check(config: &Value, found: &mut Findings) {
    strategy(config, found);
    tolerations(config, &format!("{DEPLOYMENT}.tolerations"), found);
    tolerations(config, "addons.konnectivity.agent.tolerations", found);
    spread(config, found);
    requirements(config, found);
    let labels = config.get(&format!("{DEPLOYMENT}.pod_additional_metadata.labels"));
    if labels.as_object().is_some_and(|labels| labels.contains_key(SELECTOR)) {
        found.error(
            Path::of(&format!("{DEPLOYMENT}.pod_additional_metadata.labels")).key(SELECTOR),
            "Label is Kamaji's own",
            format!(
                "By {SELECTOR} Kamaji finds the pods; another value takes them away from their Deployment. Remove it."
            ),
        );
    }
}

fn strategy(config: &Value, found: &mut Findings) {
    let strategy = config.get(DEPLOYMENT).get("strategy");
    let at = Path::of(DEPLOYMENT).attribute("strategy");
    let rolling = strategy.get("rolling_update");
    if strategy.str_at("type") == Some("Recreate") && rolling.is_set() {
        found.error(
            at.attribute("rolling_update"),
            "Not with Recreate",
            "`rolling_update` has no effect with type = \"Recreate\", which ends all pods before it starts new ones. Remove \
             one of them.",
        );
    }
    let is_nothing = |name: &str| rolling.str_at(name).is_some_and(|text| text.trim_end_matches('%').parse() == Ok(0));
    if is_nothing("max_unavailable") && is_nothing("max_surge") {
        found.error(
            at.attribute("rolling_update").attribute("max_surge"),
            "Pods could never be replaced",
            "`max_unavailable` and `max_surge` are both zero: no pod may be missing and none may be added. Raise one of them.",
        );
    }
}

/// The rules of `core/v1 Toleration`.
fn tolerations(config: &Value, list: &str, found: &mut Findings) {
    for (path, toleration) in elements(config, list) {
        let text = |name: &str| toleration.str_at(name).filter(|text| !text.is_empty());
        let exists = text("operator") == Some("Exists");
        if exists && text("value").is_some() {
            found.error(
                path.attribute("value"),
                "Not with Exists",
                "The operator `Exists` looks at no value. Remove `value`, or write operator = \"Equal\".",
            );
        }
        if !exists && !toleration.get("operator").is_unknown() && toleration.get("key").is_null() {
            found.error(
                path.attribute("key"),
                "Key is missing",
                "A toleration without a key tolerates everything, and needs operator = \"Exists\". Set `key` or `operator`.",
            );
        }
        if toleration.get("toleration_seconds").is_set() && text("effect").is_some_and(|effect| effect != "NoExecute") {
            found.error(
                path.attribute("toleration_seconds"),
                "Only with NoExecute",
                "`toleration_seconds` says how long a pod stays under a taint of effect `NoExecute`. Remove it, or change \
                 `effect`.",
            );
        }
    }
}

fn spread(config: &Value, found: &mut Findings) {
    let list = format!("{DEPLOYMENT}.topology_spread_constraints");
    let all: Vec<(Path, &Value)> = elements(config, &list).collect();
    for (path, constraint) in &all {
        if constraint.get("min_domains").is_set() && constraint.str_at("when_unsatisfiable") == Some("ScheduleAnyway") {
            found.error(
                path.attribute("min_domains"),
                "Only with DoNotSchedule",
                "`min_domains` has no meaning with when_unsatisfiable = \"ScheduleAnyway\". Remove it.",
            );
        }
    }
    let keys = repeated(all, |constraint| {
        Some((constraint.str_at("topology_key")?, constraint.str_at("when_unsatisfiable")?))
    });
    for (path, (key, _)) in keys {
        found.error(
            path.attribute("topology_key"),
            "Constraint is given twice",
            format!(
                "There is a constraint for {key:?} with the same `when_unsatisfiable` already. Remove one of them."
            ),
        );
    }
}

/// Selector requirements of the affinities: values for `In` and `NotIn`, none for `Exists` and `DoesNotExist`.
fn requirements(config: &Value, found: &mut Findings) {
    let at = Path::of(DEPLOYMENT).attribute("affinity");
    walk(config.get(DEPLOYMENT).get("affinity"), &at, found);
}

fn walk(value: &Value, at: &Path, found: &mut Findings) {
    match value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &at.index(index), found);
            }
        }
        Value::Object(members) => {
            if let (Some(operator), Some(values)) = (value.str_at("operator"), members.get("values")) {
                let some = values.as_list().is_some_and(|values| !values.is_empty());
                match operator {
                    "In" | "NotIn" if !some && !values.is_unknown() => found.error(
                        at.attribute("values"),
                        "Values are missing",
                        format!("The operator `{operator}` compares with `values`; give at least one."),
                    ),
                    "Exists" | "DoesNotExist" if some => found.error(
                        at.attribute("values"),
                        "Values without a meaning",
                        format!("The operator `{operator}` looks at no value. Remove `values`."),
                    ),
                    _ => {}
                }
            }
            for (name, member) in members {
                walk(member, &at.attribute(name.clone()), found);
            }
        }
        _ => {}
    }
}
