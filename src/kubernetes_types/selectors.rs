//! References and selectors: `meta/v1 LabelSelector`, keys of Secrets and ConfigMaps, fields of a pod.

use tfplugin::schema::{Attribute, Validator, boolean, list_of, number, object, string, string_list, string_map};

use super::chosen;
use super::values::quantity;

/// `meta/v1 LabelSelector`; `{}` selects everything.
pub fn label_selector(name: &'static str) -> Attribute {
    let expressions = list_of("match_expressions", requirement(&["In", "NotIn", "Exists", "DoesNotExist"]))
        .json("matchExpressions")
        .doc("Conditions on labels. All must hold.");
    let labels = string_map("match_labels").json("matchLabels").doc("Labels that must be there with these values.");
    chosen(object(name, vec![expressions, labels])).whole()
}

/// One condition: a key, an operator and values.
pub fn requirement(operators: &'static [&'static str]) -> Vec<Attribute> {
    vec![
        string("key").json("key").required().doc("What is looked at."),
        string("operator").json("operator").required().rule(Validator::one_of(operators)).doc("How it is compared."),
        string_list("values")
            .json("values")
            .doc("With what: some for `In` and `NotIn`, none for `Exists` and `DoesNotExist`, one number for others."),
    ]
}

/// The name of another object in the namespace of the control plane, `core/v1 LocalObjectReference`.
pub fn local_reference(name: &'static str) -> Attribute {
    object(name, vec![object_name()]).whole()
}

/// The `name` of a reference. The API fills in the empty string, which refers to nothing.
pub fn object_name() -> Attribute {
    string("name").json("name").server_default_since("edge-24.9.1", "\"\"").doc("Name of the object.")
}

/// Whether a missing object is fine.
pub fn optional() -> Attribute {
    boolean("optional").json("optional").doc("Whether the pod starts without it. Without this it waits.")
}

/// A key of a Secret or ConfigMap.
pub fn key_reference(name: &'static str) -> Attribute {
    let key = string("key").json("key").required().doc("Key in the object's data.");
    object(name, vec![key, object_name(), optional()]).whole()
}

/// A field of the pod itself.
pub fn field_reference() -> Attribute {
    let members = vec![
        string("field_path")
            .json("fieldPath")
            .required()
            .doc("Path of the field: `metadata.namespace`, `status.podIP`."),
        string("api_version").json("apiVersion").doc("Version of the API that the path is of; `v1` if left out."),
    ];
    object("field_ref", members).json("fieldRef").whole().doc("A field of the pod.")
}

/// A resource of a container of the pod.
pub fn resource_reference() -> Attribute {
    let members = vec![
        string("resource").json("resource").required().doc("Resource: `limits.cpu`, `requests.memory`."),
        string("container_name").json("containerName").doc("Container; the own one if left out."),
        // Kamaji writes the zero value, which means one, wherever it writes such a reference.
        quantity("divisor").json("divisor").also_unset("\"0\"").doc("Unit of the value: `1`, `1m`, `1Mi`."),
    ];
    object("resource_field_ref", members).json("resourceFieldRef").whole().doc("A resource limit or request.")
}

/// Keys of a Secret or ConfigMap as files.
pub fn items() -> Attribute {
    let members = vec![
        string("key").json("key").required().doc("Key in the object's data."),
        string("path").json("path").required().doc("File, relative to the mount; without `..`."),
        file_mode("mode").json("mode"),
    ];
    list_of("items", members).json("items").doc("Keys to show as files; all keys, under their own names, if left out.")
}

/// Permission bits of a file.
pub fn file_mode(name: &'static str) -> Attribute {
    number(name)
        .rule(Validator::between(0, 0o777))
        .doc("Permission bits as a decimal number: `420` is 0644, `256` is 0400.")
}
