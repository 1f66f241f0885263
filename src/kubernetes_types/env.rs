//! Environment variables of a container: `core/v1 EnvVar` and `EnvFromSource`.

use tfplugin::schema::{Attribute, Merge, boolean, list_of, object, string};

use super::selectors::{field_reference, key_reference, object_name, optional, resource_reference};

/// `env`
pub fn env() -> Attribute {
    let members = vec![
        string("name").json("name").required().doc("Name of the variable."),
        string("value").json("value").doc("Its value. `$(NAME)` stands for another variable. Not for secrets."),
        object("value_from", sources()).json("valueFrom").doc("Where the value comes from, instead of `value`."),
    ];
    list_of("env", members).json("env").merging(Merge::Keys(&["name"])).doc("Environment variables.")
}

fn sources() -> Vec<Attribute> {
    let file = vec![
        string("key").json("key").required().doc("Name of the variable in the file."),
        string("path").json("path").required().doc("File in the volume, relative, without `..`."),
        string("volume_name").json("volumeName").required().doc("Volume with the file."),
        boolean("optional")
            .json("optional")
            .server_default("false")
            .doc("Whether the variable stays unset if file or key are missing."),
    ];
    vec![
        key_reference("config_map_key_ref").json("configMapKeyRef").doc("A key of a ConfigMap."),
        key_reference("secret_key_ref").json("secretKeyRef").doc("A key of a Secret."),
        field_reference(),
        resource_reference(),
        object("file_key_ref", file)
            .json("fileKeyRef")
            .whole()
            .since("edge-25.9.2")
            .doc("A variable in a file that an init container wrote."),
    ]
}

/// `env_from`
pub fn env_from() -> Attribute {
    let source = |name, key, doc| object(name, vec![object_name(), optional()]).json(key).whole().doc(doc);
    let members = vec![
        source("config_map_ref", "configMapRef", "A ConfigMap: each key becomes a variable."),
        source("secret_ref", "secretRef", "A Secret: each key becomes a variable."),
        string("prefix").json("prefix").doc("Put before the name of each variable."),
    ];
    list_of("env_from", members).json("envFrom").doc("Sources of whole sets of variables. `env` wins.")
}
