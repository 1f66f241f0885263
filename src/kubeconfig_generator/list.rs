//! The list resource `kamaji_kubeconfig_generator`.

use std::sync::LazyLock;

use tfplugin::schema::Schema;

use super::KubeconfigGenerator;
use crate::managed_object::list::Listable;
use crate::managed_object::selectors::{field_selector, label_selector};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "The generators of kubeconfigs in the management cluster, whoever made them, for `terraform query` (Terraform 1.14 and later); needs Kamaji \
         edge-25.9.5 or later.\n\nWith `include_resource` each comes as an import would take it over, and \
         `-generate-config-out` writes its configuration. The order is that of the names.",
        vec![label_selector(), field_selector()],
    )
});

impl Listable for KubeconfigGenerator {
    fn list_schema(&self) -> &'static Schema {
        &SCHEMA
    }
}
