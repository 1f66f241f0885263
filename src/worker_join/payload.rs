//! From the attributes of a join to its payloads.

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Value};

use crate::kamaji::bootstrap_token::{BootstrapToken, expiration_text};
use crate::kamaji::certificate::ca_pins;
use crate::kamaji::join::JoinInput;
use crate::kamaji::join::node::{NodeSettings, Taint};
use crate::kamaji::tenant_control_plane::View;
use crate::kamaji::version::KubernetesVersion;
use crate::tenant_cluster::reach::Tenant;

/// The attributes that come with a token; null or unknown together.
pub(super) const OF_THE_TOKEN: [&str; 7] =
    ["id", "token_id", "token", "expiration", "endpoint", "ca_cert_hash", "kubernetes_version"];

/// The attributes that are rendered from the others.
pub(super) const RENDERED: [&str; 2] = ["join_command", "user_data"];

pub(super) fn diagnostic(problem: Problem) -> Diagnostic {
    Diagnostic::error(problem.summary, problem.detail)
}

/// The token of a state; [`None`] if none was made.
pub(super) fn token(state: &Value) -> Option<BootstrapToken> {
    state.str_at("token")?.parse().ok()
}

/// When the token of a state ends.
pub(super) fn expiration(state: &Value) -> Option<Timestamp> {
    state.str_at("expiration")?.parse().ok()
}

/// The version that runs in a tenant, or that it was set to.
pub(super) fn version(tenant: &Tenant) -> Result<KubernetesVersion, Problem> {
    let view = View::new(&tenant.live);
    view.installed_version().or(view.requested_version()).unwrap_or_default().parse()
}

/// Fills everything that a token and a tenant decide, and what is rendered from it.
pub(super) fn fill(
    state: &mut Value,
    tenant: &Tenant,
    token: &BootstrapToken,
    expiration: Timestamp,
) -> Result<(), Problem> {
    let id = format!("{}/{}", state.str_at("tenant_control_plane_id").unwrap_or_default(), token.id());
    let pin = ca_pins(&tenant.admin.parsed.ca_pem)?.into_iter().next();
    state.set("id", id.into());
    state.set("token_id", token.id().into());
    state.set("token", token.token().expose_secret().into());
    state.set("expiration", expiration_text(expiration).into());
    state.set("endpoint", tenant.admin.parsed.endpoint()?.to_string().into());
    state.set("ca_cert_hash", pin.into());
    state.set("kubernetes_version", version(tenant)?.to_string().into());
    render(state)
}

/// Renders the payloads from the other attributes.
pub(super) fn render(state: &mut Value) -> Result<(), Problem> {
    let text = |attribute: &str| state.str_at(attribute).unwrap_or_default();
    let labels = state.get("node_labels").as_object().into_iter().flatten();
    let taints = state.get("node_taints").as_list().unwrap_or_default();
    let input = JoinInput {
        endpoint: text("endpoint").parse()?,
        token: text("token").parse()?,
        ca_pins: vec![text("ca_cert_hash").to_owned()],
        kubernetes_version: text("kubernetes_version").parse()?,
        node: NodeSettings {
            labels: labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
            taints: taints.iter().map(Taint::from_value).collect::<Result<_, _>>()?,
        },
    };
    let user_data = Value::object([
        ("cloud_config", Value::from(input.user_data_cloud_config()?.expose_secret())),
        ("shell", Value::from(input.user_data_shell()?.expose_secret())),
    ]);
    let join_command = input.join_command().map(|command| command.expose_secret().to_owned());
    state.set("join_command", join_command.into());
    state.set("user_data", user_data);
    Ok(())
}
