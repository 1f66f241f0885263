//! The table of `kamaji_kubeconfig_generator`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, Problem, RecomputedBy, Schema, Validator, list_of, number, object, string};

use crate::kamaji::names;
use crate::kubernetes_types::selectors::label_selector;
use crate::managed_object::schema::{adopt_existing, force_conflicts, metadata, timeouts};

/// The keys of the Secret with the admin kubeconfig.
pub const TEMPLATES: [&str; 4] = ["admin.conf", "admin.svc", "super-admin.conf", "super-admin.svc"];

/// What becomes of the generated Secrets, and what a null means.
pub const ON_DESTROY: [&str; 2] = ["keep", "delete"];

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "A generator of kubeconfigs: for each tenant control plane that it selects it keeps a Secret with a kubeconfig of \
                  its user and groups. It is cluster-wide; needs Kamaji edge-25.9.5 or later.\n\nThe Secret is named \
                  `<control plane>-<generator>`, lies in the namespace of the control plane and has the kubeconfig under the key \
                  `value`. Kamaji gives the user no rights in the tenant; that is the business of RBAC there.\n\nThe controller is a \
                  process of its own that is not installed by default (`kubeconfigGenerator.enabled=true` in the chart).",
        attributes(),
    )
});

fn attributes() -> Vec<Attribute> {
    let mut all = metadata(
        string("name")
            .rule(names::dns1123_label())
            .doc("Name of the generator, and the end of the names of its Secrets. It is also the name of the context."),
        None,
    );
    all.extend([
        object("user", value())
            .json("spec.user")
            .required()
            .doc("The user: the common name of the client certificate."),
        list_of("groups", value()).json("spec.groups").doc("Its groups: the organizations of the client certificate."),
        label_selector("namespace_selector")
            .json("spec.namespaceSelector")
            .doc("The namespaces whose control planes are meant; all of them if left out."),
        label_selector("tenant_control_plane_selector")
            .json("spec.tenantControlPlaneSelector")
            .doc("The control planes that are meant; all of them if left out."),
        string("control_plane_endpoint_from")
            .json("spec.controlPlaneEndpointFrom")
            .server_default("\"admin.svc\"")
            .rule(Validator::one_of(&TEMPLATES))
            .doc(
                "The key of the admin kubeconfig from which address and CA are taken: `admin.conf` for the address outside the \
                 management cluster, `admin.svc` for that of the Service inside.",
            ),
        string("secrets_on_destroy").rule(Validator::one_of(&ON_DESTROY)).default(ON_DESTROY[0]).doc(
            "What becomes of the generated Secrets when the generator is destroyed. Kamaji leaves them, and their certificates \
             go on working: `keep` lists them in a warning, `delete` removes them.",
        ),
        force_conflicts(),
        adopt_existing(),
        timeouts(&[("create", "2m"), ("read", "1m"), ("update", "2m"), ("delete", "2m")]),
        string("id").computed(RecomputedBy::Nothing).doc("The name, also the import id."),
        string("uid").computed(RecomputedBy::Nothing).doc("UID of the object."),
        number("resources").computed(RecomputedBy::AnyChange).doc("How many control planes are selected."),
        number("available_resources")
            .computed(RecomputedBy::AnyChange)
            .doc("For how many of them a kubeconfig has been generated."),
        list_of(
            "errors",
            vec![
                string("resource").computed(RecomputedBy::Nothing).doc("The control plane, `namespace/name`."),
                string("message").computed(RecomputedBy::Nothing).doc("Why there is no kubeconfig."),
            ],
        )
        .computed(RecomputedBy::AnyChange)
        .doc("Those for which it failed."),
    ]);
    all
}

/// A value that is given, or taken from the control plane.
fn value() -> Vec<Attribute> {
    vec![
        string("string_value").json("stringValue").rule(Validator::non_empty()).doc("The value itself."),
        string("from_definition").json("fromDefinition").rule(definition_path()).doc(
            "A path into the control plane's object with a string at its end: `metadata.name`, `metadata.namespace`, \
             `spec.kubernetes.version`.",
        ),
    ]
}

/// Kamaji splits at each dot, so nothing else is possible.
fn definition_path() -> Validator {
    Validator::new("names with dots between them", |value| {
        let Some(text) = value.as_str() else { return Ok(()) };
        let is_name = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if text.split('.').all(is_name) {
            return Ok(());
        }
        Err(Problem::new(
            "Path not readable",
            format!(
                "{text:?} is no path of names with dots between them, like \"metadata.name\". Lists, and keys that have dots \
                 themselves, cannot be reached."
            ),
        ))
    })
}
