//! What a change of a join leads to: a new token, a longer life of the old one, payloads rendered anew, or nothing.

use tfplugin::Value;
use tfplugin::plan::changes;

use super::Memory;
use super::payload::{OF_THE_TENANT, OF_THE_TOKEN, RENDERED, render_nothing};
use super::renewal::{Policy, Status, stores, ttl};
use super::schema::SCHEMA;

/// Attributes that no payload is rendered from.
const NOT_RENDERED: &[&str] = &[
    "tenant_control_plane_id",
    "ttl",
    "renewal_policy",
    "renew_before",
    "description",
    "extra_groups",
    "include_default_group",
    "keepers",
    "store_secret",
    "token_wo",
    "token_wo_version",
    "remove_public_token",
    "timeouts",
];

/// Attributes that the Secret of the token says.
const TERMS: &[&str] = &["description", "extra_groups", "include_default_group", "endpoint", "discovery"];

/// What a change leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// A new token, for this reason.
    pub new_token: Option<&'static str>,
    /// The reason is nothing that the configuration says, so it is worth a warning.
    pub unasked: bool,
    /// The old token stays valid until its end: machines may be booting with it.
    pub keeps_old: bool,
    /// The token lives for another `ttl` from now.
    pub prolongs: bool,
    /// The Secret of the token says something else.
    pub terms: bool,
    /// The address is the tenant's own again.
    pub forgets_endpoint: bool,
    /// The payloads are rendered anew.
    pub renders: bool,
}

impl Effects {
    /// Of a change from a state to a plan. The same in a plan and in the apply of it.
    pub fn of(prior: &Value, planned: &Value, config: &Value, memory: &Memory) -> Self {
        let changed: Vec<String> = changes(&SCHEMA.attributes, prior, planned)
            .iter()
            .map(|change| change.path.attributes())
            // What the tenant says where the configuration says nothing may be open in a plan; that is no change.
            .filter(|at| !(OF_THE_TENANT.contains(&at.as_str()) && config.get(at).is_null()))
            .collect();
        let within = |names: &[&str]| {
            changed.iter().any(|at| names.contains(&at.split_once('.').map_or(at.as_str(), |(name, _)| name)))
        };
        let (policy, status) = (Policy::of(planned), Status::of(prior));
        let mut effects = Self {
            terms: within(TERMS),
            forgets_endpoint: memory.own_endpoint && config.get("endpoint").is_null(),
            prolongs: within(&["ttl"]) && ttl(prior) != ttl(planned),
            ..Self::default()
        };
        effects.renders = effects.forgets_endpoint
            || memory.is_outdated(prior)
            || changed
                .iter()
                .any(|at| !NOT_RENDERED.contains(&at.split_once('.').map_or(at.as_str(), |(name, _)| name)));
        if within(&["keepers"]) {
            effects.new_token = Some("keepers has changed");
        } else if within(&["token_wo_version"]) {
            effects.new_token = Some("token_wo_version has changed");
        } else if stores(prior) != stores(planned) {
            effects.new_token = Some("store_secret has changed");
        } else if status == Status::Revoked && policy != Policy::Never {
            effects.new_token = Some("the old one was removed from the tenant before its end, which revoked it");
            effects.unasked = true;
        } else if status.is_due() && policy == Policy::Rotate {
            effects.new_token = Some("the old one ends, and renewal_policy is \"rotate\"");
            effects.keeps_old = true;
        } else if status.is_due() && policy == Policy::Extend {
            effects.prolongs = true;
        }
        // What the tenant has removed after its end, and the state does not hold, cannot be made valid again.
        let lost = status == Status::Expired && !stores(prior) && config.get("token_wo").is_null();
        if effects.prolongs && lost && effects.new_token.is_none() {
            effects.new_token = Some("the old one has expired, and is not in the state to be made valid again");
        }
        effects
    }

    /// Makes unknown in a plan what will be another value.
    pub fn mark(&self, planned: &mut Value, config: &Value) {
        let mut unknown: Vec<&str> = Vec::new();
        if self.new_token.is_some() {
            unknown.extend(OF_THE_TOKEN.iter().chain(OF_THE_TENANT));
        }
        if self.prolongs {
            unknown.extend(["expiration", "status"]);
        }
        if self.forgets_endpoint {
            unknown.push("endpoint");
        }
        if self.new_token.is_some() || self.renders {
            unknown.extend(RENDERED);
        }
        for attribute in unknown {
            if config.get(attribute).is_null() {
                planned.set(attribute, Value::Unknown);
            }
        }
        hide(planned);
    }
}

/// Makes null in a plan what is not to be stored.
pub(super) fn hide(planned: &mut Value) {
    if !stores(planned) && !planned.get("store_secret").is_unknown() && !planned.get("token_wo_version").is_unknown() {
        planned.set("token", Value::Null);
        render_nothing(planned);
    }
}
