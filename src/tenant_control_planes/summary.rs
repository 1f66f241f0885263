//! What a list shows of each control plane: a choice of the attributes of `kamaji_tenant_control_plane`.

use std::sync::LazyLock;

use serde_json::Value as Json;
use tfplugin::Value;
use tfplugin::schema::{Attribute, RecomputedBy, list_of};

use crate::managed_object::mapping;
use crate::tenant_control_plane::schema::SCHEMA as RESOURCE;
use crate::tenant_control_plane::show;

/// The attributes of the resource that are shown, by their names there.
const SHOWN: [&str; 8] = ["id", "name", "namespace", "uid", "labels", "status", "installed_version", "effective"];

static ATTRIBUTES: LazyLock<Vec<Attribute>> =
    LazyLock::new(|| SHOWN.iter().filter_map(|name| RESOURCE.attribute(name)).map(Attribute::observed).collect());

/// The attribute with the control planes.
pub fn attribute(doc: &'static str) -> Attribute {
    list_of("tenant_control_planes", ATTRIBUTES.clone()).computed(RecomputedBy::Nothing).doc(doc)
}

/// What is shown of a control plane.
pub fn summary(live: &Json) -> Value {
    let mut all = mapping::show(&ATTRIBUTES, live);
    show(live, &mut all);
    Value::object(ATTRIBUTES.iter().map(|attribute| (attribute.name, all.get(attribute.name).clone())))
}

/// `namespace/name`
pub fn id_of(summary: &Value) -> String {
    summary.str_at("id").unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shown_attribute_is_in_the_table() {
        assert_eq!(ATTRIBUTES.len(), SHOWN.len());
    }
}
