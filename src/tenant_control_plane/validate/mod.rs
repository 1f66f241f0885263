//! Rules across attributes, offline, as far as the configuration is known: what Kamaji's CRD, its webhooks and the
//! Kubernetes objects that it makes would refuse, and above all what is accepted and then never works.

mod addons;
mod annotations;
mod arguments;
mod containers;
mod data_store;
pub(super) mod exposure;
mod kubelet;
pub(super) mod networks;
mod scheduling;

use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

/// Everything that is wrong with a configuration beyond single attributes.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut found = Findings::default();
    let rules = [
        exposure::check,
        networks::check,
        addons::check,
        containers::check,
        arguments::check,
        scheduling::check,
        kubelet::check,
        annotations::check,
        data_store::check,
    ];
    for check in rules {
        check(config, &mut found);
    }
    found.0
}

/// What the rules find.
#[derive(Default)]
struct Findings(Diagnostics);

impl Findings {
    /// A mistake at an attribute.
    fn error(&mut self, at: Path, summary: &str, detail: impl Into<String>) {
        self.0.push(Diagnostic::error(summary, detail).at(at));
    }

    /// What may be a mistake.
    fn warning(&mut self, at: Path, summary: &str, detail: impl Into<String>) {
        self.0.push(Diagnostic::warning(summary, detail).at(at));
    }

    /// A mistake that a rule of the domain found.
    fn problem(&mut self, at: Path, problem: Problem) {
        self.0.push(Diagnostic::error(problem.summary, problem.detail).at(at));
    }
}

/// The elements of a list with their paths; none if it is unknown.
fn elements<'a>(config: &'a Value, dotted: &str) -> impl Iterator<Item = (Path, &'a Value)> + use<'a> {
    items(config.get(dotted), Path::of(dotted))
}

/// The same for a list that is at hand.
fn items(list: &Value, at: Path) -> impl Iterator<Item = (Path, &Value)> {
    list.as_list().unwrap_or_default().iter().enumerate().map(move |(index, item)| (at.index(index), item))
}

/// Elements whose key an element before them has already, each with the key. Elements without a key (unknown, or not given)
/// repeat nothing.
fn repeated<'a, K: PartialEq>(
    items: impl IntoIterator<Item = (Path, &'a Value)>,
    key: impl Fn(&'a Value) -> Option<K>,
) -> Vec<(Path, K)> {
    let (mut seen, mut again) = (Vec::new(), Vec::new());
    for (path, item) in items {
        match key(item) {
            Some(key) if seen.contains(&key) => again.push((path, key)),
            Some(key) => seen.push(key),
            None => {}
        }
    }
    again
}

// Each rule is tried against the built provider: tests/protocol/bad_configurations.rs.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant_control_plane::schema::SCHEMA;

    fn paths(edits: &[(&str, Value)]) -> Vec<String> {
        let mut config = SCHEMA.null_object();
        config.set("control_plane.service.service_type", "LoadBalancer".into());
        for (path, value) in edits {
            config.set(path, value.clone());
        }
        validate(&config).iter().map(|diagnostic| diagnostic.path.to_string()).collect()
    }

    #[test]
    fn an_ordinary_configuration_is_fine() {
        assert_eq!(paths(&[]), Vec::<String>::new());
    }

    #[rstest::rstest]
    #[case::address(&[("control_plane.service.service_type", "NodePort".into()), ("network_profile.port", 30443.into()), ("network_profile.address", Value::Unknown)])]
    #[case::profile(&[("control_plane.service.service_type", "NodePort".into()), ("network_profile", Value::Unknown)])]
    #[case::node_port(&[("control_plane.service.service_type", "NodePort".into()), ("network_profile.address", "192.0.2.1".into()), ("network_profile.port", Value::Unknown)])]
    #[case::pods(&[("network_profile.pod_cidr", Value::Unknown)])]
    #[case::services(&[("network_profile.service_cidr", Value::Unknown), ("network_profile.dns_service_ips", Value::strings(["1.1.1.1"]))])]
    #[case::hostname(&[("control_plane.ingress.hostname", Value::Unknown)])]
    #[case::gateway(&[("control_plane.gateway", Value::Unknown)])]
    #[case::volumes(&[
        ("control_plane.deployment.additional_volumes", Value::Unknown),
        ("control_plane.deployment.additional_volume_mounts.api_server", Value::List(vec![Value::object([
            ("name", Value::from("a")), ("mount_path", Value::from("/a")),
        ])])),
    ])]
    #[case::deployment(&[("control_plane.deployment", Value::Unknown)])]
    fn what_is_unknown_is_not_judged(#[case] edits: &[(&str, Value)]) {
        assert_eq!(paths(edits), Vec::<String>::new());
    }
}
