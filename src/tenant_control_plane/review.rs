//! Rules about a change, offline: versions, and networks that a running cluster cannot change.

use tfplugin::resource::Plan;
use tfplugin::{Diagnostic, Path, Value};

/// Adds what the change from `prior` to `config` costs, or why it cannot be.
pub(super) fn review(prior: &Value, config: &Value, plan: &mut Plan) {
    if prior.is_null() {
        return;
    }
    networks(prior, config, plan);
    // A new object is no upgrade.
    if plan.requires_replace.is_empty() {
        super::upgrade::review(prior, config, plan);
    }
}

/// A network that is configured for the first time is fine if it is the one in force, and a new object otherwise.
fn networks(prior: &Value, config: &Value, plan: &mut Plan) {
    const IN_FORCE: [(&str, &str); 6] = [
        ("service_cidr", "service_cidrs"),
        ("service_cidrs", "service_cidrs"),
        ("pod_cidr", "pod_cidrs"),
        ("pod_cidrs", "pod_cidrs"),
        ("dns_service_ips", "dns_service_ips"),
        ("cluster_domain", "cluster_domain"),
    ];
    for (name, effective) in IN_FORCE {
        let attribute = format!("network_profile.{name}");
        let (before, wanted) = (prior.get(&attribute), config.get(&attribute));
        let now = prior.get("effective").get(effective).clone();
        if !before.is_null() || !wanted.is_set() || !wanted.is_wholly_known() || now.is_null() {
            continue;
        }
        let same =
            *wanted == now || now.as_list().is_some_and(|items| items.len() == 1 && items.first() == Some(wanted));
        if !same {
            let path = Path::of(&attribute);
            plan.say(
                Diagnostic::warning(
                    "The object will be replaced",
                    format!(
                        "{attribute} differs from what the running cluster has; it cannot change in place. The tenant's \
                         data, kubeconfigs and joined nodes are lost. Configure the value in `effective` to keep the \
                         cluster."
                    ),
                )
                .at(path.clone()),
            );
            plan.requires_replace.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant_control_plane::schema::SCHEMA;
    use tfplugin::Diagnostics;
    use tfplugin::private::Private;

    fn reviewed(prior: &[(&str, Value)], config: &[(&str, Value)]) -> Plan {
        let object = |edits: &[(&str, Value)]| {
            let mut object = SCHEMA.null_object();
            for (path, value) in edits {
                object.set(path, value.clone());
            }
            object
        };
        let mut plan = Plan {
            planned: Value::Null,
            requires_replace: Vec::new(),
            private: Private::default(),
            diagnostics: Diagnostics::new(),
        };
        review(&object(prior), &object(config), &mut plan);
        plan
    }

    #[rstest::rstest]
    #[case("v1.30.0", "v1.31.2", false)]
    #[case("v1.30.0", "1.30.0", false)]
    #[case("v1.30.0", "v1.29.0", true)]
    #[case("v1.30.0", "v1.32.0", true)]
    fn versions_go_up_one_minor_at_a_time(#[case] from: &str, #[case] to: &str, #[case] refused: bool) {
        let plan = reviewed(&[("kubernetes.version", from.into())], &[("kubernetes.version", to.into())]);
        assert_eq!(plan.diagnostics.has_errors(), refused);
    }

    #[test]
    fn the_network_in_force_can_be_configured_and_another_one_needs_a_new_cluster() {
        let prior = [("effective.pod_cidrs", Value::strings(["10.244.0.0/16"]))];
        let same = reviewed(&prior, &[("network_profile.pod_cidr", "10.244.0.0/16".into())]);
        assert_eq!(same.requires_replace, []);
        let other = reviewed(&prior, &[("network_profile.pod_cidrs", Value::strings(["10.1.0.0/16"]))]);
        assert_eq!(other.requires_replace, [Path::of("network_profile.pod_cidrs")]);
        let unset = reviewed(&prior, &[]);
        assert_eq!(unset.requires_replace, []);
    }
}
