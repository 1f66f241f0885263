//! The list resource `kamaji_datastore`.

use std::sync::LazyLock;

use serde_json::Value as Json;
use tfplugin::Value;
use tfplugin::schema::Schema;

use super::schema::driver;
use crate::datastore::DataStore;
use crate::managed_object::list::Listable;
use crate::managed_object::selectors::{field_selector, label_selector};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "The datastores of the management cluster, whoever made them, for `terraform query` (Terraform 1.14 and later).\n\nWith `include_resource` \
         each comes as an import would take it over, and `-generate-config-out` writes its configuration. Credentials that \
         stand in a DataStore itself are not read: the configuration has to give them. The order is that of the names.",
        vec![label_selector(), field_selector(), driver()],
    )
});

impl Listable for DataStore {
    fn list_schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn is_wanted(&self, config: &Value, live: &Json) -> bool {
        config.str_at("driver").is_none_or(|driver| live["spec"]["driver"] == driver)
    }
}
