//! From the attributes of a join to its payloads; of the resource and of its ephemeral twin.

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use crate::kamaji::bootstrap_token::BootstrapToken;
use crate::kamaji::certificate::{ca_pins, sha256_hex};
use crate::kamaji::join::configuration::TEMPLATE_VERSION;
use crate::kamaji::join::settings::MachineSettings;
use crate::kamaji::join::user_data::{Part, UserData};
use crate::kamaji::join::{Discovery, JoinInput, check_kubelet_config, warnings};
use crate::kamaji::network;
use crate::kamaji::tenant_control_plane::View;
use crate::kamaji::version::KubernetesVersion;
use crate::tenant_cluster::reach::Tenant;
use crate::tenant_cluster::reference;

/// The attributes that come with a token; null or unknown together.
pub(super) const OF_THE_TOKEN: &[&str] = &["token_id", "token", "expiration", "status"];

/// The attributes that say what the tenant is, as far as the configuration does not.
pub(super) const OF_THE_TENANT: &[&str] =
    &["kubernetes_version", "endpoint", "ca_certificate", "ca_cert_hashes", "cluster_dns", "cluster_domain"];

/// The attributes that are rendered from the others.
pub(super) const RENDERED: &[&str] = &[
    "join_command",
    "join_configuration",
    "discovery_kubeconfig",
    "bootstrap_kubeconfig",
    "user_data",
    "user_data_size",
    "user_data_sha256",
    "template_version",
];

pub(super) fn diagnostic(problem: Problem) -> Diagnostic {
    Diagnostic::error(problem.summary, problem.detail)
}

fn warning(problem: Problem) -> Diagnostic {
    Diagnostic::warning(problem.summary, problem.detail)
}

/// The token of a state; [`None`] if none was made, or it is not stored.
pub(super) fn token(state: &Value) -> Option<BootstrapToken> {
    state.str_at("token")?.parse().ok()
}

/// When the token of a state ends; [`None`] if never.
pub(super) fn expiration(state: &Value) -> Option<Timestamp> {
    state.str_at("expiration")?.parse().ok()
}

/// The version that runs in a tenant, or that it was set to.
pub(super) fn version(tenant: &Tenant) -> Result<KubernetesVersion, Problem> {
    let view = View::new(&tenant.live);
    view.installed_version().or(view.requested_version()).unwrap_or_default().parse()
}

/// How machines recognise the tenant. An address of one's own has to be in a file: with discovery by token, kubeadm goes on
/// with the address that the tenant tells it.
pub(super) fn discovery(value: &Value, own_endpoint: bool) -> Discovery {
    match value.str_at("discovery") {
        None if own_endpoint => Discovery::File,
        word => Discovery::named(word),
    }
}

/// Addresses of the tenant's DNS: as they are set, or as Kamaji's webhook would set them.
fn cluster_dns(view: &View<'_>) -> Vec<String> {
    let set = view.texts("/spec/networkProfile/dnsServiceIPs");
    if !set.is_empty() {
        return set.into_iter().map(str::to_owned).collect();
    }
    let many = view.texts("/spec/networkProfile/serviceCidrs");
    let one = view.text("/spec/networkProfile/serviceCidr");
    let networks = if many.is_empty() { one.into_iter().collect() } else { many };
    let networks: Vec<_> = networks.into_iter().filter_map(|network| network::parse_cidr(network).ok()).collect();
    network::default_dns_service_ips(&networks).unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// Fills what the tenant says, where the configuration says nothing.
pub(super) fn fill_tenant(value: &mut Value, config: &Value, tenant: &Tenant) -> Result<(), Problem> {
    let view = View::new(&tenant.live);
    let ca = &tenant.admin.parsed.ca_pem;
    if config.get("endpoint").is_null() {
        value.set("endpoint", tenant.admin.parsed.endpoint()?.to_string().into());
    }
    if config.get("kubernetes_version").is_null() {
        value.set("kubernetes_version", version(tenant)?.to_string().into());
    }
    value.set("ca_certificate", ca.as_str().into());
    value.set("ca_cert_hashes", Value::strings(ca_pins(ca)?));
    value.set("cluster_dns", Value::strings(cluster_dns(&view)));
    value.set("cluster_domain", view.text("/spec/networkProfile/clusterDomain").unwrap_or("cluster.local").into());
    Ok(())
}

/// Everything that goes into a payload, from the attributes.
fn input(value: &Value, token: &BootstrapToken, own_endpoint: bool) -> Result<JoinInput, Diagnostic> {
    let text = |attribute: &str| value.str_at(attribute).unwrap_or_default();
    let texts = |attribute: &str| -> Vec<String> {
        let items = value.get(attribute).as_list().unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let name = reference::parse(text("tenant_control_plane_id")).map(|object| object.name).map_err(diagnostic)?;
    let settings = MachineSettings::from_value(value).map_err(diagnostic)?;
    let kubernetes_version: KubernetesVersion = text("kubernetes_version").parse().map_err(diagnostic)?;
    if let Some((path, problem)) = settings.problems_with(&kubernetes_version).into_iter().next() {
        return Err(diagnostic(problem).at(path));
    }
    Ok(JoinInput {
        endpoint: text("endpoint").parse().map_err(diagnostic)?,
        token: token.clone(),
        discovery: discovery(value, own_endpoint),
        ca_pem: text("ca_certificate").to_owned(),
        ca_pins: texts("ca_cert_hashes"),
        cluster_name: name,
        cluster_dns: texts("cluster_dns"),
        cluster_domain: text("cluster_domain").to_owned(),
        kubernetes_version,
        join_id: value.str_at("join_id").map(str::to_owned),
        settings,
    })
}

/// Makes everything that is rendered null.
pub(super) fn render_nothing(value: &mut Value) {
    for attribute in RENDERED {
        value.set(attribute, Value::Null);
    }
}

/// Renders the payloads from the other attributes. The warnings say where machines would not take them.
pub(super) fn render(value: &mut Value, token: &BootstrapToken, own_endpoint: bool) -> Result<Diagnostics, Diagnostic> {
    let input = input(value, token, own_endpoint)?;
    let exposed = |secret: &secrecy::SecretString| Value::from(secret.expose_secret());
    let parts = Part::from_values(value.get("user_data_parts"));
    let user_data = input.user_data(&parts).map_err(diagnostic)?;
    value.set("join_command", input.join_command().as_ref().map_or(Value::Null, exposed));
    value.set("join_configuration", exposed(&input.join_configuration().map_err(diagnostic)?));
    value.set("discovery_kubeconfig", input.discovery_kubeconfig().map_err(diagnostic)?.into());
    value.set("bootstrap_kubeconfig", exposed(&input.bootstrap_kubeconfig().map_err(diagnostic)?));
    let each = |make: &dyn Fn(&str) -> Value| {
        let forms = user_data.forms().into_iter();
        Value::object(forms.map(|(form, text)| (form, text.map_or(Value::Null, |text| make(text.expose_secret())))))
    };
    value.set("user_data", each(&|text| text.into()));
    value.set("user_data_size", each(&|text| i64::try_from(text.len()).unwrap_or(i64::MAX).into()));
    value.set("user_data_sha256", each(&|text| sha256_hex(text.as_bytes()).into()));
    value.set("template_version", i64::from(TEMPLATE_VERSION).into());
    Ok(size_warning(&user_data))
}

fn size_warning(user_data: &UserData) -> Diagnostics {
    let forms = user_data.forms();
    let sizes = forms.iter().filter_map(|(form, text)| Some((*form, text.as_ref()?.expose_secret().len())));
    warnings::check_sizes(sizes).err().map_or_else(Diagnostics::new, |problem| warning(problem).into())
}

/// Whether machines of this version start in this tenant.
pub(super) fn tenant_warnings(value: &Value, tenant: &Tenant, kubelet_config: Option<&str>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let Ok(worker) = value.str_at("kubernetes_version").unwrap_or_default().parse::<KubernetesVersion>() else {
        return diagnostics;
    };
    if let Ok(tenant) = version(tenant)
        && let Err(problem) = warnings::check_skew(&worker, &tenant)
    {
        diagnostics.push(warning(problem).at(Path::of("kubernetes_version")));
    }
    let settings = MachineSettings::from_value(value).unwrap_or_default();
    if let Some(config) = kubelet_config
        && let Err(problem) = check_kubelet_config(&worker, config, &settings)
    {
        diagnostics.push(warning(problem));
    }
    diagnostics
}
