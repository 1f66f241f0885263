//! The table of the data source `kamaji_tenant_control_planes`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, string, string_list};

use super::summary;
use crate::kamaji::names;
use crate::managed_object::selectors::{field_selector, label_selector, namespaces};

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "The tenant control planes of the management cluster, whoever made them.\n\nOne list for all of them: use \
                  it instead of one `kamaji_tenant_control_plane` for each. The order is that of namespace and name.",
        [
            vec![namespaces(), label_selector(), field_selector()],
            filters(),
            vec![
                string_list("ids").computed(RecomputedBy::Nothing).doc("Their ids, `namespace/name`."),
                summary::attribute("The control planes."),
            ],
        ]
        .concat(),
    )
});

/// What the API server cannot choose by, optional.
pub(super) fn filters() -> Vec<Attribute> {
    vec![
        string("installed_version").doc(
            "Only those with this Kubernetes version in operation: `v1.30.2`, or `1.30` for all patches of a release.",
        ),
        string("status").doc("Only those with this status, in Kamaji's words: `Ready`, `NotReady`, `Upgrading`, …"),
        string("data_store").rule(names::data_store_name()).doc("Only those whose data are in this DataStore."),
    ]
}
