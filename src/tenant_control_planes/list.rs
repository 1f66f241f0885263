//! The list resource `kamaji_tenant_control_plane`.

use std::sync::LazyLock;

use serde_json::Value as Json;
use tfplugin::Value;
use tfplugin::schema::Schema;

use super::is_wanted;
use super::schema::filters;
use super::summary::summary;
use crate::managed_object::list::Listable;
use crate::managed_object::selectors::{field_selector, label_selector, namespaces};
use crate::tenant_control_plane::TenantControlPlane;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "The tenant control planes of the management cluster, whoever made them, for `terraform query` (Terraform 1.14 and later).\n\nWith \
         `include_resource` each comes as an import would take it over, and `-generate-config-out` writes its \
         configuration: what somebody has set and what is not the default. The order is that of namespace and name. The \
         cluster is read in pages, and no further than `limit`.",
        [vec![namespaces(), label_selector(), field_selector()], filters()].concat(),
    )
});

impl Listable for TenantControlPlane {
    fn list_schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn is_wanted(&self, config: &Value, live: &Json) -> bool {
        is_wanted(config, &summary(live))
    }
}
