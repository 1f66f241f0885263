//! JSON patches of the kubelet configuration. Kamaji only logs a patch that cannot be applied.

use tfplugin::Value;

use super::{Findings, elements};

pub(super) fn check(config: &Value, found: &mut Findings) {
    for (path, patch) in elements(config, "kubernetes.kubelet.configuration_json_patches") {
        for pointer in ["path", "from"] {
            if let Some(text) = patch.str_at(pointer).filter(|text| !is_pointer(text)) {
                found.error(
                    path.attribute(pointer),
                    "Not a JSON pointer",
                    format!("{text:?} is not a JSON pointer. Write a path that begins with `/`, like \"/maxPods\"."),
                );
            }
        }
        let Some(op) = patch.str_at("op") else { continue };
        let (needs_value, needs_from) = (matches!(op, "add" | "replace" | "test"), matches!(op, "move" | "copy"));
        for (name, needed) in [("value", needs_value), ("from", needs_from)] {
            let given = patch.get(name);
            if needed && given.is_null() {
                found.error(
                    path.attribute(name),
                    "Patch is incomplete",
                    format!("The operation {op:?} needs `{name}`. Set it."),
                );
            } else if !needed && given.is_set() {
                found.error(
                    path.attribute(name),
                    "Patch says too much",
                    format!("The operation {op:?} has no `{name}`. Remove it."),
                );
            }
        }
    }
}

/// RFC 6901: empty, or parts that begin with `/`; `~` only as `~0` and `~1`.
fn is_pointer(text: &str) -> bool {
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escaped
}
