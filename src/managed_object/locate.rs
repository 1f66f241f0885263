//! From the API's field paths to attributes, and from API errors to diagnostics on the right attribute.

use tfplugin::schema::{Attribute, Kind, Schema};
use tfplugin::value::Type;
use tfplugin::{Diagnostic, Diagnostics, Path};

use super::schema::since;
use crate::kamaji::upgrade::Supported;
use crate::management_cluster::ApiError;
use crate::management_cluster::field_path::{Step, parse};

/// The attribute of an API field path (`.spec.networkProfile.certSANs[1]`): as deep as the table goes, the root if it
/// knows nothing of it.
pub fn attribute_path(schema: &Schema, api_path: &str) -> Path {
    locate(&schema.attributes, &parse(api_path), Path::root())
}

fn locate(attributes: &[Attribute], steps: &[Step], found: Path) -> Path {
    for attribute in attributes {
        let Some(api) = &attribute.api else { continue };
        let keys: Vec<&str> = api.key.split('.').collect();
        let Some((here, rest)) = steps.split_at_checked(keys.len()) else { continue };
        let fits = here
            .iter()
            .zip(&keys)
            .all(|(step, key)| matches!(step, Step::Field(name) | Step::Key(name) if name == key));
        if fits {
            return inside(attribute, rest, found.attribute(attribute.name));
        }
    }
    found
}

fn inside(attribute: &Attribute, steps: &[Step], found: Path) -> Path {
    match (&attribute.kind, steps) {
        (Kind::Object(inner), [_, ..]) => locate(inner, steps, found),
        (Kind::ListOf(inner), [Step::Index(index), rest @ ..]) => locate(inner, rest, found.index(*index)),
        (Kind::MapOf(inner), [Step::Key(key) | Step::Field(key), rest @ ..]) => {
            locate(inner, rest, found.key(key.clone()))
        }
        (Kind::Value(Type::List(_)), [Step::Index(index), ..]) => found.index(*index),
        (Kind::Value(Type::Map(_)), [Step::Key(key), ..]) => found.key(key.clone()),
        (Kind::Value(Type::Map(_)), [Step::Field(_), ..]) => found.key(dotted(steps)),
        _ => found,
    }
}

/// The key of a map that a path spells with dots, like fields. The values of such maps have no members.
fn dotted(steps: &[Step]) -> String {
    let names = steps.iter().map_while(|step| match step {
        Step::Field(name) | Step::Key(name) => Some(name.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(".")
}

/// The diagnostics of a failed write: one per refused value on its attribute, webhooks' denials on the attribute that
/// they speak of. `doing` completes "Failed to …".
pub fn diagnostics(schema: &Schema, error: &ApiError, doing: &str) -> Diagnostics {
    let whole = error.to_diagnostic(doing);
    match error {
        ApiError::Invalid(fields) => fields
            .iter()
            .map(|field| {
                let found = attribute_path(schema, &field.field);
                let at = about(schema, &field.message).filter(|about| lies_in(about, &found)).unwrap_or(found);
                Diagnostic::error(whole.summary.clone(), format!("Failed to {doing}: {}", field.message)).at(at)
            })
            .collect::<Vec<_>>()
            .into(),
        ApiError::UnknownField { paths } => paths
            .iter()
            .map(|path| {
                let at = attribute_path(schema, path);
                let since = since(schema, &at)
                    .map(|since| format!(" The first release of Kamaji that has it is {since}."))
                    .unwrap_or_default();
                Diagnostic::error(whole.summary.clone(), format!("{}{since}", whole.detail)).at(at)
            })
            .collect::<Vec<_>>()
            .into(),
        ApiError::WebhookDenied { webhook, message } if is_of_kamaji(webhook) => {
            let mut whole = whole.at(about(schema, message).unwrap_or_default());
            if let Some(supported) = Supported::from_denial(message) {
                whole.detail.push_str(&format!(
                    "\n\nThe newest Kubernetes of this Kamaji is {supported}: choose a version up to that, or upgrade Kamaji \
                     first."
                ));
            }
            whole.into()
        }
        ApiError::WebhookDenied { message, .. } | ApiError::PolicyDenied { message, .. } => {
            whole.at(named(schema, message).unwrap_or_default()).into()
        }
        ApiError::NamespaceMissing { .. } | ApiError::NamespaceTerminating { .. } | ApiError::QuotaExceeded { .. }
            if schema.attribute("namespace").is_some() =>
        {
            whole.at(Path::of("namespace")).into()
        }
        _ => whole.into(),
    }
}

/// What the API server warns of, one diagnostic each.
pub fn warnings(texts: Vec<String>) -> Diagnostics {
    texts.into_iter().map(|text| Diagnostic::warning("Warning of the API server", text)).collect::<Vec<_>>().into()
}

/// True for the webhooks of Kamaji, as kubebuilder names them.
pub(super) fn is_of_kamaji(webhook: &str) -> bool {
    ["vtenantcontrolplane.kb.io", "mtenantcontrolplane.kb.io", "vdatastore.kb.io"].contains(&webhook)
}

/// The attribute that a text of Kamaji is about: a denial of its webhooks, or the message of a CEL rule that compares
/// several fields and so stands above them. They name it in words only; the first words that are found decide.
fn about(schema: &Schema, message: &str) -> Option<Path> {
    const WORDS: [(&str, &str); 23] = [
        ("dns service ip", "network_profile.dns_service_ips"),
        ("service cidr", "network_profile.service_cidr"),
        ("certsans", "network_profile.cert_sans"),
        ("kubelet address types", "kubernetes.kubelet.preferred_address_types"),
        ("resulting deployment", "control_plane.deployment"),
        ("datastoreschema", "data_store_schema"),
        ("datastoreusername", "data_store_username"),
        ("resource override", "data_store_overrides"),
        ("datastore", "data_store"),
        ("loadbalancerclass", "network_profile.load_balancer_class"),
        ("loadbalancer source range", "network_profile.load_balancer_source_ranges"),
        ("allocateloadbalancernodeports", "control_plane.service.allocate_load_balancer_node_ports"),
        ("gateway", "control_plane.gateway"),
        ("upgrade", "kubernetes.version"),
        ("downgrade", "kubernetes.version"),
        ("version", "kubernetes.version"),
        ("provided name", "name"),
        // Of DataStores.
        ("ca certificate", "tls_config.certificate_authority.certificate"),
        ("ca private key", "tls_config.certificate_authority.private_key"),
        ("client certificate", "tls_config.client_certificate.certificate"),
        ("client private key", "tls_config.client_certificate.private_key"),
        ("basic-auth username", "basic_auth.username"),
        ("basic-auth password", "basic_auth.password"),
    ];
    let message = message.to_lowercase();
    let found = WORDS.iter().find(|(word, attribute)| message.contains(word) && schema.attribute(attribute).is_some());
    found.map(|(_, attribute)| Path::of(attribute))
}

/// The attribute of the first field path in a text: webhooks and policies of others mostly name what they look at
/// (`metadata.labels`, `object.spec.x`, `/spec/x`).
fn named(schema: &Schema, message: &str) -> Option<Path> {
    let between = |c: char| c.is_whitespace() || ",;()'`=!<>&|".contains(c);
    message.split(between).find_map(|word| {
        let word = word.trim_matches(|c: char| ".:/\"".contains(c)).replace('/', ".");
        let path = word.strip_prefix("object.").unwrap_or(&word);
        let starts = ["spec.", "metadata."].iter().any(|start| path.starts_with(start));
        Some(attribute_path(schema, path)).filter(|found| starts && !found.is_root())
    })
}

/// True if an attribute is another one, or lies in it.
fn lies_in(inner: &Path, outer: &Path) -> bool {
    inner.steps().starts_with(outer.steps())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management_cluster::InvalidField;
    use crate::tenant_control_plane::schema::SCHEMA;

    #[rstest::rstest]
    #[case("spec.networkProfile.certSANs[1]", "network_profile.cert_sans[1]")]
    #[case(".spec.controlPlane.deployment.replicas", "control_plane.deployment.replicas")]
    #[case(".metadata.labels.team", "labels[\"team\"]")]
    #[case("metadata.annotations[a.b/c]", "annotations[\"a.b/c\"]")]
    #[case(".spec.controlPlane.unknown.thing", "control_plane")]
    #[case(
        ".spec.controlPlane.deployment.additionalContainers[1].env[0].valueFrom.secretKeyRef.key",
        "control_plane.deployment.additional_containers[1].env[0].value_from.secret_key_ref.key"
    )]
    #[case(
        "spec.controlPlane.deployment.additionalVolumes[0].csi.volumeAttributes.a.b/c",
        "control_plane.deployment.additional_volumes[0].csi.volume_attributes[\"a.b/c\"]"
    )]
    #[case(
        ".spec.controlPlane.deployment.resources.apiServer.claims[name=\"x\"].request",
        "control_plane.deployment.resources.api_server.claims"
    )]
    #[case("<nil>", "")]
    fn api_paths_lead_to_attributes(#[case] api: &str, #[case] attribute: &str) {
        assert_eq!(attribute_path(&SCHEMA, api).to_string(), attribute);
    }

    #[test]
    fn a_version_that_is_too_new_is_answered_with_the_newest() {
        let message = "unable to upgrade to a version greater than the supported one (v1.36)".to_owned();
        let error = ApiError::WebhookDenied { webhook: "vtenantcontrolplane.kb.io".to_owned(), message };
        let said = diagnostics(&SCHEMA, &error, "update it");
        let said = said.iter().next().expect("one");
        assert_eq!(said.path, Path::of("kubernetes.version"));
        assert!(said.detail.contains("The newest Kubernetes of this Kamaji is v1.36"), "{}", said.detail);
    }

    #[rstest::rstest]
    #[case("unable to downgrade a TenantControlPlane from 1.30.1 to 1.30.0", "kubernetes.version")]
    #[case("nope DataStore does not exist", "data_store")]
    #[case("unable to upgrade to a minor version in a non-sequential mode", "kubernetes.version")]
    #[case(
        "preferred kubelet address types is stated multiple times: Hostname",
        "kubernetes.kubelet.preferred_address_types"
    )]
    #[case(
        "DNS service IP \"1.2.3.4\" is not contained in any configured service CIDR",
        "network_profile.dns_service_ips"
    )]
    fn denials_lead_to_what_they_speak_of(#[case] message: &str, #[case] attribute: &str) {
        let error =
            ApiError::WebhookDenied { webhook: "vtenantcontrolplane.kb.io".to_owned(), message: message.to_owned() };
        assert_eq!(at(&error), attribute);
    }

    fn at(error: &ApiError) -> String {
        let said = diagnostics(&SCHEMA, error, "update it");
        said.iter().next().expect("one").path.to_string()
    }

    #[rstest::rstest]
    #[case("metadata.labels must have 'team'", "labels")]
    #[case("failed expression: has(object.metadata.labels) && 'team' in object.metadata.labels", "labels")]
    #[case("rule check-team failed at path /metadata/labels/team/", "labels[\"team\"]")]
    #[case("object.spec.controlPlane.deployment.replicas must be 3.", "control_plane.deployment.replicas")]
    #[case("no upgrade on a Friday, see https://example.com/metadata.x", "")]
    fn denials_of_others_lead_to_the_field_that_they_name(#[case] message: &str, #[case] attribute: &str) {
        let message = message.to_owned();
        assert_eq!(at(&ApiError::PolicyDenied { policy: "p".to_owned(), message: message.clone() }), attribute);
        assert_eq!(at(&ApiError::WebhookDenied { webhook: "validate.kyverno.svc".to_owned(), message }), attribute);
    }

    #[rstest::rstest]
    #[case("spec", "LoadBalancerClass cannot be set or unset at runtime", "network_profile.load_balancer_class")]
    #[case("spec.controlPlane", "using both ingress and gateway is not supported", "control_plane.gateway")]
    #[case("spec.kubernetes", "using both ingress and gateway is not supported", "kubernetes")]
    #[case("spec.networkProfile.podCidrs", "all podCidrs entries must be valid CIDRs", "network_profile.pod_cidrs")]
    fn words_of_a_rule_make_its_path_more_precise(#[case] field: &str, #[case] message: &str, #[case] attribute: &str) {
        let field = InvalidField { field: field.to_owned(), message: message.to_owned() };
        assert_eq!(at(&ApiError::Invalid(vec![field])), attribute);
    }
}
