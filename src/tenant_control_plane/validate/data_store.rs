//! Datastores for single resources. Kamaji does not check them at admission.

use tfplugin::Value;

use super::{Findings, elements, repeated};

pub(super) fn check(config: &Value, found: &mut Findings) {
    let all: Vec<_> = elements(config, "data_store_overrides").collect();
    for (path, each) in &all {
        for name in ["resource", "data_store"] {
            if each.get(name).is_null() {
                found.error(
                    path.attribute(name),
                    "Override is incomplete",
                    format!("An override names a resource and the DataStore for it. Set `{name}`."),
                );
            }
        }
        if let Some(text) = each.str_at("resource").filter(|text| !is_resource(text)) {
            found.error(
                path.attribute("resource"),
                "Not a resource of the API server",
                format!("{text:?} is not of the form \"group/resource\": \"/events\" for the core group, \"apps/deployments\"."),
            );
        }
    }
    for (path, resource) in repeated(all, |each| each.str_at("resource")) {
        let detail = format!("{resource:?} has an override already.");
        found.error(path.attribute("resource"), "Override is given twice", detail);
    }
}

/// The form of `--etcd-servers-overrides`.
fn is_resource(text: &str) -> bool {
    let lower =
        |part: &str| part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-'));
    text.split_once('/').is_some_and(|(group, resource)| {
        lower(group) && lower(resource) && !resource.is_empty() && !resource.contains('.')
    })
}
