//! Annotations that Kamaji reads. One that it cannot read has no effect, or stops it.

use tfplugin::{Path, Value};

use super::Findings;
use crate::kamaji::duration;

/// Keys of the admin kubeconfig's Secret.
const KUBECONFIGS: [&str; 4] = ["admin.conf", "super-admin.conf", "admin.svc", "super-admin.svc"];

pub(super) fn check(config: &Value, found: &mut Findings) {
    let Some(annotations) = config.get("annotations").as_object() else { return };
    for (key, value) in annotations {
        let (Some(name), Some(text)) = (key.strip_prefix("kamaji.clastix.io/"), value.as_str()) else { continue };
        let wanted = match name {
            "kubeconfig-secret-key" if !KUBECONFIGS.contains(&text) => format!("one of {}", KUBECONFIGS.join(", ")),
            "migration-timeout" if duration::parse(text).is_err() => "a duration such as \"10m\"".to_owned(),
            // strconv.ParseBool
            "cleanup-prior-migration"
                if !matches!(
                    text,
                    "1" | "t" | "T" | "true" | "TRUE" | "True" | "0" | "f" | "F" | "false" | "FALSE" | "False"
                ) =>
            {
                "\"true\" or \"false\"".to_owned()
            }
            _ => continue,
        };
        found.error(
            Path::of("annotations").key(key.clone()),
            "Annotation not understood",
            format!("Kamaji reads {key} and cannot understand {text:?}. Write {wanted}."),
        );
    }
}
