//! The table of `kamaji_datastores`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, list_of, string, string_list};

use crate::datastore::schema::SCHEMA as RESOURCE;
use crate::managed_object::selectors::{field_selector, label_selector};

/// What is shown of each datastore: attributes of the resource, by their names there.
const NAMES: [&str; 8] = ["id", "name", "uid", "labels", "driver", "endpoints", "ready", "used_by"];

/// The attributes of a datastore that are shown.
pub static SHOWN: LazyLock<Vec<Attribute>> =
    LazyLock::new(|| NAMES.iter().filter_map(|name| RESOURCE.attribute(name)).map(Attribute::observed).collect());

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "The datastores of the management cluster, whoever made them, in the order of their names.",
        vec![
            label_selector(),
            field_selector(),
            driver(),
            string_list("names").computed(RecomputedBy::Nothing).doc("Their names."),
            list_of("datastores", SHOWN.clone()).computed(RecomputedBy::Nothing).doc("The datastores."),
        ],
    )
});

/// `driver`, optional.
pub(super) fn driver() -> Attribute {
    Attribute {
        validators: RESOURCE.attribute("driver").map(|driver| driver.validators.clone()).unwrap_or_default(),
        ..string("driver").doc("Only those with this driver.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shown_attribute_is_in_the_table() {
        assert_eq!(SHOWN.len(), NAMES.len());
    }
}
