//! The mistakes in generators of kubeconfigs.

use serde_json::json;

use super::mistakes::Mistake;
use super::{Group, Of};

/// All of them.
pub fn group() -> Group {
    let sound = json!({"name": "operators", "user": {"string_value": "ops"},
        "groups": [{"from_definition": "metadata.namespace"}]});
    Group { of: Of::Resources, type_name: "kamaji_kubeconfig_generator", sound, mistakes: ALL }
}

const ALL: &[Mistake] = &[
    (r#"{"name": "Operators"}"#, "name", "Operators"),
    (r#"{"name": "ca"}"#, "name", "<control plane>-ca"),
    (r#"{"name": "admin-kubeconfig"}"#, "name", "overwrite"),
    (r#"{"name": "ops-datastore-config"}"#, "name", "x-ops"),
    (r#"{"user": {"string_value": null}}"#, "user", "says nothing"),
    (r#"{"user": {"string_value": ""}}"#, "user.string_value", "empty"),
    (r#"{"user": {"from_definition": "metadata.name"}}"#, "user.from_definition", "both"),
    (r#"{"groups": [{}]}"#, "groups[0]", "says nothing"),
    (r#"{"groups": [{"string_value": "system:masters"}]}"#, "groups[0].string_value", "no RBAC rule"),
    (
        r#"{"groups": [{"from_definition": "metadata.labels[\"a\"]"}]}"#,
        "groups[0].from_definition",
        "names with dots between them",
    ),
    (r#"{"groups": [{"from_definition": "metadata..name"}]}"#, "groups[0].from_definition", "metadata..name"),
    (r#"{"control_plane_endpoint_from": "root.conf"}"#, "control_plane_endpoint_from", "super-admin.conf"),
    (
        r#"{"namespace_selector": {"match_expressions": [{"key": "env", "operator": "Is"}]}}"#,
        "namespace_selector.match_expressions[0].operator",
        "NotIn",
    ),
    (r#"{"secrets_on_destroy": "orphan"}"#, "secrets_on_destroy", "keep"),
];
