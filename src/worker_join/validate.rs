//! Rules across the attributes of a join, for the resource and its ephemeral twin.

use std::time::Duration;

use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::renewal::{Policy, renew_before, ttl};
use crate::kamaji::join::installer;
use crate::kamaji::join::settings::MachineSettings;
use crate::kamaji::version::KubernetesVersion;

/// The shortest life of a token.
const SHORTEST: Duration = Duration::from_secs(60);

fn error(path: Path, summary: &str, detail: impl Into<String>) -> Diagnostic {
    Diagnostic::error(summary, detail).at(path)
}

fn at(path: Path, problem: Problem) -> Diagnostic {
    Diagnostic::error(problem.summary, problem.detail).at(path)
}

/// What is wrong with the attributes that payloads are rendered from, as far as they are known.
pub(super) fn payload(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    if !config.get("endpoint").is_null() && config.str_at("discovery") == Some("token") {
        found.push(error(
            Path::of("discovery"),
            "Address has no effect",
            "With discovery by token kubeadm goes on with the address that the tenant tells it, whatever `endpoint` says. \
             Leave out `discovery`, or set it to \"file\"; or leave out `endpoint`.",
        ));
    }
    if let Err((attribute, problem)) = installer::check(config.get("installer")) {
        found.push(at(Path::of("installer").attribute(attribute), problem));
    }
    let proxy = config.get("proxy");
    if proxy.is_set() && proxy.get("http_proxy").is_null() && proxy.get("https_proxy").is_null() {
        let detail = "A proxy has an address: set http_proxy or https_proxy, or remove proxy.";
        found.push(error(Path::of("proxy"), "Proxy without address", detail));
    }
    let version = config.str_at("kubernetes_version").and_then(|text| text.parse::<KubernetesVersion>().ok());
    if let (Some(version), Ok(settings)) = (version, MachineSettings::from_value(config)) {
        found.extend(settings.problems_with(&version).into_iter().map(|(path, problem)| at(path, problem)));
    }
    found
}

/// What is wrong with the life of a token.
pub(super) fn life(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let Some(ttl) = ttl(config) else { return found };
    found.extend(shortest(config));
    let ahead = renew_before(config);
    if ahead.is_zero() {
        return found;
    }
    if Policy::of(config) == Policy::Never && !config.get("renewal_policy").is_unknown() {
        let detail =
            "With the renewal_policy \"never\" nothing is renewed. Remove renew_before, or choose another policy.";
        found.push(error(Path::of("renew_before"), "Nothing is renewed", detail));
    } else if ahead >= ttl {
        let detail = "renew_before must be less than ttl (24h by default): otherwise every plan renews the token.";
        found.push(error(Path::of("renew_before"), "Renewed from the start", detail));
    }
    found
}

/// A token that would have ended before anybody has it.
pub(super) fn shortest(config: &Value) -> Diagnostics {
    // That it is longer than zero is a rule of every duration.
    if ttl(config).is_none_or(|ttl| ttl.is_zero() || ttl >= SHORTEST) {
        return Diagnostics::new();
    }
    let detail = "A token lives for at least a minute (`1m`): the tenant's clock and this one may differ.";
    error(Path::of("ttl"), "Time to live too short", detail).into()
}

/// What is wrong with the token itself.
pub(super) fn token(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let (own, version) = (config.get("token_wo"), config.get("token_wo_version"));
    if !own.is_null() && version.is_null() {
        let detail =
            "A write-only value is not stored, so a change of it is not seen: give token_wo_version, 1 at first.";
        found.push(error(Path::of("token_wo_version"), "Token without version", detail));
    }
    if own.is_null() && !version.is_null() {
        let detail = "token_wo_version belongs to token_wo, which is not given.";
        found.push(error(Path::of("token_wo"), "Version without token", detail));
    }
    if !own.is_null() && config.get("store_secret").as_bool() == Some(true) {
        let detail = "token_wo is never stored. Remove store_secret, or token_wo.";
        found.push(error(Path::of("store_secret"), "Write-only token cannot be stored", detail));
    }
    found.extend(groups(config));
    found
}

/// A token without any group can do nothing.
pub(super) fn groups(config: &Value) -> Diagnostics {
    let without_default = config.get("include_default_group").as_bool() == Some(false);
    let extra = config.get("extra_groups");
    if without_default && !extra.is_unknown() && extra.as_list().unwrap_or_default().is_empty() {
        let detail =
            "Without the default group the token needs one of extra_groups, which RBAC in the tenant lets join nodes.";
        return error(Path::of("extra_groups"), "Token without a group", detail).into();
    }
    Diagnostics::new()
}
