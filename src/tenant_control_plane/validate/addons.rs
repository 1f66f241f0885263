//! The addons of the tenant.

use tfplugin::{Path, Value};

use super::Findings;

pub(super) fn check(config: &Value, found: &mut Findings) {
    dns_image(config, found);
    konnectivity(config, found);
}

/// Kamaji looks at the tag of CoreDNS only beside a repository.
fn dns_image(config: &Value, found: &mut Findings) {
    let dns = config.get("addons.core_dns");
    if dns.get("image_tag").is_set() && dns.get("image_repository").is_null() {
        found.error(
            Path::of("addons.core_dns.image_tag"),
            "Image tag without a repository",
            "Kamaji ignores `image_tag` unless `image_repository` is set too. Set it, for example to \
             \"registry.k8s.io/coredns\", or leave the tag out.",
        );
    }
}

fn konnectivity(config: &Value, found: &mut Findings) {
    let agent = config.get("addons.konnectivity.agent");
    let (mode, replicas) = (agent.get("mode"), agent.get("replicas"));
    let daemon_set = mode.is_null() || mode.as_str() == Some("DaemonSet");
    let at = Path::of("addons.konnectivity.agent.replicas");
    match replicas.as_i64() {
        Some(count) if daemon_set && count != 0 => found.error(
            at,
            "Replicas only for a Deployment",
            format!(
                "The agent runs on every node (mode DaemonSet), so {count} replicas have no meaning. Remove `replicas`, or \
                 set mode = \"Deployment\"."
            ),
        ),
        Some(0) if mode.as_str() == Some("Deployment") => found.error(
            at,
            "At least one replica needed",
            "A Deployment of 0 agents carries no traffic. Set at least 1, or leave it out.",
        ),
        _ => {}
    }
}
