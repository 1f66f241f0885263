//! What the user is told about a failed request, and what to do.

use tfplugin::Diagnostic;

use super::error::{ApiError, OwnerOperation, Permission};
use super::kind::Kind;

impl ApiError {
    /// A diagnostic about the object as a whole. `doing` completes "Failed to …": `create TenantControlPlane tenants/a`.
    pub fn to_diagnostic(&self, doing: &str) -> Diagnostic {
        let (summary, advice) = self.summary_and_advice();
        let what = self.to_string();
        let what = what.trim_end().trim_end_matches('.');
        let gap = if advice.is_empty() { "" } else { "\n\n" };
        Diagnostic::error(summary, format!("Failed to {doing}: {what}.{gap}{advice}"))
    }

    /// The same for a refresh. It fails rather than show old values as if they were read, and says how to do without.
    pub fn to_refresh_diagnostic(&self, doing: &str) -> Diagnostic {
        let mut diagnostic = self.to_diagnostic(doing);
        if !diagnostic.detail.contains("-refresh=false") {
            diagnostic.detail.push_str(
                "\n\nTo plan without reading the cluster, use `-refresh=false`, or set `offline = true` in the provider block.",
            );
        }
        diagnostic
    }

    fn summary_and_advice(&self) -> (&'static str, String) {
        match self {
            Self::Unreachable { host, .. } => ("Management cluster not reachable", unreachable(host)),
            Self::Tls { host, .. } => (
                "TLS with the management cluster failed",
                format!(
                    "Check `cluster_ca_certificate` (or the CA in the kubeconfig) against the certificate of {host}, and \
                     `tls_server_name` if the certificate holds another name."
                ),
            ),
            Self::Credentials(_) => (
                "Credentials cannot be used",
                "Check the credentials in the provider block, or the user in the kubeconfig that it names.".to_owned(),
            ),
            Self::Unauthorized { .. } => (
                "Not authenticated at the management cluster",
                "The API server does not accept the token or client certificate: it may have expired, or belong to \
                 another cluster. Try the same credentials with `kubectl auth whoami`."
                    .to_owned(),
            ),
            Self::Forbidden { permission, .. } => {
                ("Not allowed by the management cluster", permission.as_deref().map(role).unwrap_or_default())
            }
            Self::NotFound(_) => (
                "Object does not exist",
                "It was deleted outside Terraform. The next plan will propose to create it.".to_owned(),
            ),
            Self::NoSuchApi { kind } => ("Kind not served by the API server", install(*kind)),
            Self::NamespaceMissing { name } => (
                "Namespace does not exist",
                format!(
                    "Create it first (`kubectl create namespace {name}`), or manage it in the same configuration and \
                     refer to it, so that Terraform knows the order."
                ),
            ),
            Self::NamespaceTerminating { name } => (
                "Namespace is being deleted",
                format!(
                    "Nothing can be made in it any more. Wait until it is gone (`kubectl get namespace {name}`), or choose \
                     another one."
                ),
            ),
            Self::QuotaExceeded { quota, .. } => (
                "Quota of the namespace exceeded",
                format!(
                    "The administrator of the management cluster limits what the namespace may hold (`kubectl describe \
                     resourcequota {quota}`). Have the quota raised, remove what is not needed, or choose another namespace."
                ),
            ),
            Self::AlreadyExists { .. } => (
                "Object exists already",
                "Import it (`terraform import`, or an `import` block) to manage it, or choose another name.".to_owned(),
            ),
            Self::FieldConflict(conflicts) => ("Fields owned by another manager", conflict_advice(conflicts)),
            Self::Conflict { .. } => (
                "Object changed meanwhile",
                "Somebody else wrote the object between reading and writing. Plan again.".to_owned(),
            ),
            Self::Invalid(fields) => ("Values refused by the API server", invalid(fields)),
            Self::WebhookDenied { .. } => ("Denied by an admission webhook", String::new()),
            Self::PolicyDenied { policy, .. } => (
                "Denied by an admission policy",
                format!(
                    "The rule is the management cluster's own, not Kamaji's: `kubectl get validatingadmissionpolicy {policy} \
                     -o yaml` shows it."
                ),
            ),
            Self::UnknownField { .. } => (
                "Field unknown to the installed Kamaji",
                "The installed CRDs have no such field: Kamaji is older than the field. Upgrade Kamaji together with its \
                 CRDs, or remove the attribute."
                    .to_owned(),
            ),
            Self::WebhookUnavailable { webhook, .. } => (
                "Admission webhook does not answer",
                if webhook.ends_with(".kb.io") || webhook.contains("kamaji") {
                    "It belongs to Kamaji. Check that the controller runs (`kubectl -n kamaji-system get pods`) and that \
                     cert-manager has issued its certificate; right after an installation, try again in a minute."
                        .to_owned()
                } else {
                    "Check the service behind the webhook, then apply again.".to_owned()
                },
            ),
            Self::Throttled { .. } => (
                "API server refuses more requests",
                "It is overloaded or limits this user. Apply again later, or with a lower `-parallelism`.".to_owned(),
            ),
            Self::DisruptionBudget { .. } => (
                "PodDisruptionBudget does not let the pod go",
                "It has to be covered by more ready pods, for which there may have to be more nodes, or ask for fewer.".to_owned(),
            ),
            Self::Unavailable { .. } => (
                "API server unavailable",
                "The API server, or a load balancer before it, is up but cannot answer now. Apply again later.".to_owned(),
            ),
            Self::Stopped { sent: true } => (
                "Interrupted",
                "A write was under way and may have been carried out. The next plan will show it.".to_owned(),
            ),
            Self::Stopped { sent: false } => ("Interrupted", "Nothing was written by this request.".to_owned()),
            Self::DeadlineExceeded { last } => (
                "Time is over",
                last.as_ref().map(|last| last.summary_and_advice().1).filter(|advice| !advice.is_empty()).unwrap_or_else(
                    || "Give the operation more time in `timeouts`, or find out why the API server is slow.".to_owned(),
                ),
            ),
            Self::Other { .. } => (
                "Unexpected answer of the API server",
                "Check that the configured address is that of the management cluster's API server.".to_owned(),
            ),
        }
    }
}

fn unreachable(host: &str) -> String {
    format!(
        "Check that {host} is the API server of the management cluster and can be reached from here (VPN, proxy, \
         firewall). To plan without the cluster, use `-refresh=false`, or set `offline = true` in the provider block."
    )
}

/// A Role (or ClusterRole) that gives the right, ready to paste.
fn role(permission: &Permission) -> String {
    let Permission { verb, group, resource, namespace } = permission;
    let rule = format!("  - apiGroups: [\"{group}\"]\n    resources: [\"{resource}\"]\n    verbs: [\"{verb}\"]");
    let all = if group.starts_with("kamaji.") {
        "\n\nAll verbs that the provider uses on it: get, list, watch, create, patch, delete."
    } else {
        ""
    };
    match namespace {
        Some(namespace) => format!("The user needs this rule in a Role in the namespace {namespace}:\n\n{rule}{all}"),
        None => format!("The user needs this rule in a ClusterRole:\n\n{rule}{all}"),
    }
}

fn install(kind: Kind) -> String {
    if !kind.is_kamaji() {
        return format!("{} is part of Kubernetes: is this a Kubernetes API server?", kind.resource());
    }
    format!(
        "Kamaji, or this part of it, is not installed in the management cluster: `kubectl get crd {}` finds nothing. \
         Install Kamaji with its CRDs:\n\n  helm repo add clastix https://clastix.github.io/charts\n  helm install kamaji \
         clastix/kamaji --namespace kamaji-system --create-namespace\n\nIf it is installed, the provider may be connected \
         to another cluster than you think.",
        kind.resource()
    )
}

fn conflict_advice(conflicts: &[super::error::FieldConflict]) -> String {
    let lines: Vec<String> = conflicts
        .iter()
        .map(|conflict| {
            let subresource =
                conflict.subresource.as_ref().map(|name| format!(", subresource {name}")).unwrap_or_default();
            let time = conflict.time.as_ref().map(|time| format!(", at {time}")).unwrap_or_default();
            let operation = match conflict.operation {
                OwnerOperation::Apply => "Apply",
                OwnerOperation::Update => "Update",
            };
            format!("  {}: {:?} ({operation}{subresource}{time})", conflict.field, conflict.manager)
        })
        .collect();
    format!(
        "{}\n\nThree ways out: take the fields over (`force_conflicts = true`), leave them to the other manager (remove \
         the attributes), or share them (configure the value that they have now).",
        lines.join("\n")
    )
}

fn invalid(fields: &[super::error::InvalidField]) -> String {
    let lines: Vec<String> = fields
        .iter()
        .filter(|field| !field.field.is_empty() && field.field != "<nil>")
        .map(|field| format!("  {}: {}", field.field, field.message))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management_cluster::error::{FieldConflict, InvalidField};
    use crate::management_cluster::kind::ObjectRef;

    fn all() -> Vec<ApiError> {
        let tenants = |verb: &str, namespace: Option<&str>| Permission {
            verb: verb.into(),
            group: "kamaji.clastix.io".into(),
            resource: "tenantcontrolplanes".into(),
            namespace: namespace.map(Into::into),
        };
        let message = String::from;
        let unreachable = || ApiError::Unreachable {
            host: "mgmt:6443".into(),
            cause: "tcp connect error: Connection refused".into(),
            sent: false,
        };
        vec![
            unreachable(),
            ApiError::Tls { host: "mgmt:6443".into(), cause: "invalid peer certificate: UnknownIssuer".into() },
            ApiError::Credentials("the credential plugin \"aws\" failed (exit status: 1)".into()),
            ApiError::Unauthorized { message: message("Unauthorized") },
            ApiError::Forbidden {
                permission: Some(Box::new(tenants("create", Some("tenants")))),
                message: message("User \"ci\" cannot create resource"),
            },
            ApiError::Forbidden {
                permission: Some(Box::new(tenants("list", None))),
                message: message("User \"ci\" cannot list resource"),
            },
            ApiError::Forbidden { permission: None, message: message("not today") },
            ApiError::NotFound(ObjectRef::namespaced(Kind::TenantControlPlane, "tenants", "a")),
            ApiError::NoSuchApi { kind: Kind::TenantControlPlane },
            ApiError::NoSuchApi { kind: Kind::Secret },
            ApiError::NamespaceMissing { name: "tenants".into() },
            ApiError::NamespaceTerminating { name: "tenants".into() },
            ApiError::QuotaExceeded { quota: "q".into(), excess: message("requested: count/x=1, used: count/x=2") },
            ApiError::AlreadyExists { message: message("datastores \"a\" already exists") },
            ApiError::FieldConflict(vec![
                FieldConflict {
                    field: ".spec.controlPlane.deployment.replicas".into(),
                    manager: "kubectl".into(),
                    subresource: Some("scale".into()),
                    operation: OwnerOperation::Update,
                    time: Some("2026-11-24T10:00:00Z".into()),
                    message: String::new(),
                },
                FieldConflict {
                    field: ".spec.kubernetes.version".into(),
                    manager: "argocd-controller".into(),
                    subresource: None,
                    operation: OwnerOperation::Apply,
                    time: None,
                    message: String::new(),
                },
            ]),
            ApiError::Conflict { message: message("the object has been modified") },
            ApiError::Invalid(vec![
                InvalidField {
                    field: "spec.networkProfile.certSANs[1]".into(),
                    message: "Invalid value: \"_\"".into(),
                },
                InvalidField { field: "<nil>".into(), message: "Invalid value: \"null\"".into() },
            ]),
            ApiError::WebhookDenied {
                webhook: "vtenantcontrolplane.kb.io".into(),
                message: "unable to downgrade a TenantControlPlane from 1.30.0 to 1.29.0".into(),
            },
            ApiError::PolicyDenied { policy: "teams".into(), message: message("metadata.labels must have 'team'") },
            ApiError::UnknownField { paths: vec![".spec.networkProfile.bogus".into()] },
            ApiError::WebhookUnavailable {
                webhook: "mtenantcontrolplane.kb.io".into(),
                message: "connection refused".into(),
            },
            ApiError::Throttled { message: message("the client is limited") },
            ApiError::DisruptionBudget {
                message: message("The disruption budget web needs 2 healthy pods and has 2 currently"),
            },
            ApiError::Unavailable { status: 503, message: message("starting") },
            ApiError::Stopped { sent: true },
            ApiError::Stopped { sent: false },
            ApiError::DeadlineExceeded { last: None },
            ApiError::DeadlineExceeded { last: Some(Box::new(unreachable())) },
            ApiError::Other { status: 418, message: message("a teapot.") },
        ]
    }

    #[test]
    fn each_error_says_what_happened_and_what_to_do() {
        let texts: Vec<String> = all()
            .iter()
            .map(|error| {
                let diagnostic = error.to_diagnostic("update TenantControlPlane tenants/a");
                format!("{}\n\n{}\n", diagnostic.summary, diagnostic.detail)
            })
            .collect();
        insta::assert_snapshot!(texts.join("\n----\n"));
    }

    #[test]
    fn a_failed_refresh_says_how_to_do_without_once() {
        for error in all() {
            let detail = error.to_refresh_diagnostic("read TenantControlPlane tenants/a").detail;
            assert_eq!(detail.matches("-refresh=false").count(), 1, "{detail}");
            assert_eq!(detail.matches("offline = true").count(), 1, "{detail}");
        }
    }

    #[test]
    fn titles_are_short() {
        for error in all() {
            let summary = error.to_diagnostic("x").summary;
            assert!(summary.split_whitespace().count() <= 8, "{summary}");
        }
    }
}
