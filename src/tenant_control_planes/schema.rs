//! The table of the data source `kamaji_tenant_control_planes`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, Validator, string, string_list};

use super::summary;
use crate::kamaji::names;
use crate::managed_object::schema::not_empty;

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "The tenant control planes of the management cluster, whoever made them.\n\nOne list for all of them: use \
                  it instead of one `kamaji_tenant_control_plane` for each. The order is that of namespace and name.",
        vec![
        namespaces(),
        label_selector(),
        string("installed_version").doc(
            "Only those with this Kubernetes version in operation: `v1.30.2`, or `1.30` for all patches of a release.",
        ),
        string("status").doc("Only those with this status, in Kamaji's words: `Ready`, `NotReady`, `Upgrading`, …"),
        string("data_store").rule(names::data_store_name()).doc("Only those whose data are in this DataStore."),
        string_list("ids").computed(RecomputedBy::Nothing).doc("Their ids, `namespace/name`."),
        summary::attribute("The control planes."),
    ],
    )
});

/// `namespaces`, optional.
pub fn namespaces() -> Attribute {
    string_list("namespaces")
        .rule(Validator::each(names::dns1123_label()))
        .rule(not_empty("without `namespaces` all of them are meant"))
        .doc(
            "Only those of these namespaces. By default those of all, which needs the right to list across the \
             management cluster.",
        )
}

/// `label_selector`, optional.
pub fn label_selector() -> Attribute {
    string("label_selector")
        .doc("Only those whose labels fit, in the form of `kubectl -l`: `env=prod`, `team in (a, b)`, `!retired`.")
}
