//! Volumes of the node and of other objects.

use tfplugin::schema::{Attribute, Validator, list_of, string};

use super::source;
use crate::kubernetes_types::selectors::{
    field_reference, file_mode, items, object_name, optional, resource_reference,
};
use crate::kubernetes_types::values::{quantity, without_backsteps};

pub(super) fn sources() -> Vec<Attribute> {
    vec![
        source("config_map", "configMap", "A ConfigMap: a file per key.", config_map()).whole(),
        source("secret", "secret", "A Secret: a file per key.", secret()),
        source(
            "downward_api",
            "downwardAPI",
            "What is known of the pod, as files.",
            vec![default_mode(), downward_api_items()],
        ),
        source("empty_dir", "emptyDir", "A directory that ends with the pod; `{}` is enough.", empty_dir()),
        source("host_path", "hostPath", "A path of the node. It sees the node's files.", host_path()),
        source("image", "image", "The content of an image, read-only.", image()).since("edge-24.9.1"),
    ]
}

fn default_mode() -> Attribute {
    file_mode("default_mode").json("defaultMode")
}

fn config_map() -> Vec<Attribute> {
    vec![object_name(), items(), optional(), default_mode()]
}

fn secret() -> Vec<Attribute> {
    vec![string("secret_name").json("secretName").doc("Name of the Secret."), items(), optional(), default_mode()]
}

/// Fields of the pod as files.
pub(super) fn downward_api_items() -> Attribute {
    let members = vec![
        string("path").json("path").required().doc("File, relative to the mount; without `..`."),
        field_reference(),
        resource_reference(),
        file_mode("mode").json("mode"),
    ];
    list_of("items", members).json("items").doc("Files.")
}

fn empty_dir() -> Vec<Attribute> {
    vec![
        string("medium").json("medium").doc("`Memory`, `HugePages`, or the node's disk if left out."),
        quantity("size_limit").json("sizeLimit").doc("Upper bound; without end if left out."),
    ]
}

fn host_path() -> Vec<Attribute> {
    const TYPES: &[&str] =
        &["DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];
    vec![
        string("path").json("path").required().rule(without_backsteps()).doc("Path of the node, without `..`."),
        string("type")
            .json("type")
            .also_unset("\"\"")
            .rule(Validator::one_of(TYPES))
            .doc("What must be there; anything if left out."),
    ]
}

fn image() -> Vec<Attribute> {
    vec![
        string("reference").json("reference").doc("Image."),
        string("pull_policy")
            .json("pullPolicy")
            .rule(Validator::one_of(&["Always", "IfNotPresent", "Never"]))
            .doc("When it is pulled."),
    ]
}
