//! The table of the data source `kamaji_versions`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, Validator, string, string_list};

use crate::kamaji::{names, version};
use crate::tenant_cluster::reference;

/// The attribute that names a control plane.
pub(super) const TENANT: &str = "tenant_control_plane_id";

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "The newest Kubernetes version that the installed Kamaji supports, and the steps of a tenant to it.\n\nKamaji is \
         asked by a dry-run of a control plane that is never stored. That needs the rights to get and patch \
         TenantControlPlanes in the namespace, and without a control plane to create them. There is no oldest version: \
         Kamaji takes any whose images exist.",
        attributes(),
    )
});

fn result(name: &'static str) -> Attribute {
    string(name).computed(RecomputedBy::Nothing)
}

fn attributes() -> Vec<Attribute> {
    vec![
        string(TENANT)
            .rule(Validator::new("`namespace/name` of a tenant control plane", |value| {
                value.as_str().map_or(Ok(()), |id| reference::parse(id).map(|_| ()))
            }))
            .doc("The control plane whose way on is asked for, by the `id` of its resource."),
        string("version")
            .rule(version::validator())
            .doc("A version whose way on is asked for, where there is no control plane yet."),
        string("namespace").default("default").rule(names::dns1123_label()).doc(
            "A namespace of the management cluster in which Kamaji may be asked, where no control plane is given.",
        ),
        result("newest_supported").doc(
            "The newest supported version: `v1.30.2` where Kamaji compares patches (before edge-25.11.5), otherwise only \
             major and minor, `v1.36`. Null if Kamaji does not say.",
        ),
        result("newest_supported_minor").doc("Major and minor of it, `1.36`."),
        result("requested_version").doc("The version that the control plane is to have, or `version`."),
        result("installed_version").doc("The version that the control plane runs; null before its first pods are ready."),
        result("next_version").doc(
            "The first release of the next minor version, `v1.31.0`. Null at the newest supported minor version, and where \
             neither a control plane nor a version is given.",
        ),
        string_list("upgrade_steps").computed(RecomputedBy::Nothing).doc(
            "The first release of every minor version from there to the newest supported one. Null where neither a control \
             plane nor a version is given.",
        ),
    ]
}
