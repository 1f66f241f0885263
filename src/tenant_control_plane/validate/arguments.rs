//! Arguments of the components. Kamaji drops those that it sets itself, without a word.

use tfplugin::Value;

use super::{Findings, elements};

/// Flags of the API server that Kamaji sets in every case.
const API_SERVER: [&str; 18] = [
    "advertise-address",
    "client-ca-file",
    "enable-admission-plugins",
    "etcd-servers",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "kubelet-preferred-address-types",
    "proxy-client-cert-file",
    "proxy-client-key-file",
    "requestheader-allowed-names",
    "requestheader-client-ca-file",
    "secure-port",
    "service-account-key-file",
    "service-account-signing-key-file",
    "service-cluster-ip-range",
    "tls-cert-file",
    "tls-private-key-file",
    "etcd-prefix",
];
/// Flags of the scheduler that Kamaji sets in every case.
const SCHEDULER: [&str; 5] =
    ["authentication-kubeconfig", "authorization-kubeconfig", "bind-address", "kubeconfig", "leader-elect"];
/// Flags of kine that Kamaji sets in every case.
const KINE: [&str; 1] = ["endpoint"];
/// Flags of the konnectivity server that Kamaji sets in every case.
const KONNECTIVITY: [&str; 13] = [
    "admin-port",
    "agent-namespace",
    "agent-port",
    "agent-service-account",
    "authentication-audience",
    "cluster-cert",
    "cluster-key",
    "health-port",
    "kubeconfig",
    "mode",
    "server-count",
    "server-port",
    "uds-name",
];

/// What to configure instead of a flag.
fn instead(flag: &str) -> &'static str {
    match flag {
        "advertise-address" => "Set `network_profile.advertise_address` instead.",
        "enable-admission-plugins" => "Set `kubernetes.admission_controllers` instead.",
        "kubelet-preferred-address-types" => "Set `kubernetes.kubelet.preferred_address_types` instead.",
        "secure-port" => "Set `network_profile.port` instead.",
        "service-cluster-ip-range" => "Set `network_profile.service_cidrs` instead.",
        "agent-port" => "Set `addons.konnectivity.server.port` instead.",
        "etcd-prefix" => "Set `data_store_schema` instead.",
        "etcd-servers" | "endpoint" => "Set `data_store` instead.",
        _ => "Remove it.",
    }
}

pub(super) fn check(config: &Value, found: &mut Findings) {
    let lists: [(&str, &[&str]); 6] = [
        ("control_plane.deployment.extra_args.api_server", &API_SERVER),
        ("control_plane.deployment.extra_args.controller_manager", &[]),
        ("control_plane.deployment.extra_args.scheduler", &SCHEDULER),
        ("control_plane.deployment.extra_args.kine", &KINE),
        ("addons.konnectivity.server.extra_args", &KONNECTIVITY),
        ("addons.konnectivity.agent.extra_args", &[]),
    ];
    for (list, managed) in lists {
        for (path, argument) in elements(config, list) {
            let Some(text) = argument.as_str() else { continue };
            let Some(flag) = text.strip_prefix("--").map(|flag| flag.split('=').next().unwrap_or(flag)) else {
                found.error(
                    path,
                    "Not a flag",
                    format!("{text:?} does not begin with `--`. Write flag and value in one string: \"--v=2\"."),
                );
                continue;
            };
            if flag.is_empty() || flag.contains(char::is_whitespace) {
                found.error(
                    path,
                    "Not a flag",
                    format!("{text:?} is not one flag. Write each flag as a string of its own: \"--v=2\"."),
                );
            } else if managed.contains(&flag) {
                found.error(
                    path,
                    "Flag is set by Kamaji",
                    format!("Kamaji sets --{flag} itself and drops yours without a word. {}", instead(flag)),
                );
            }
        }
    }
}
