//! `core/v1 Container` and `VolumeMount`.

use tfplugin::schema::{
    Attribute, Merge, Validator, boolean, list_of, number, number_list, object, string, string_list,
};

use super::env::{env, env_from};
use super::probe::{lifecycle, probe};
use super::resources::resources;
use super::security::security_context;
use super::values::port_name;
use crate::kamaji::{names, network};

/// A list of containers.
pub fn containers(name: &'static str) -> Attribute {
    let mut all = vec![
        string("name").json("name").required().rule(names::dns1123_label()).doc(
            "Name, unique in the pod. Kamaji's own are `kube-apiserver`, `kube-controller-manager`, \
                 `kube-scheduler`, `kine` and `konnectivity-server`.",
        ),
        string("image").json("image").doc("Image."),
        string("image_pull_policy")
            .json("imagePullPolicy")
            .rule(Validator::one_of(&["Always", "IfNotPresent", "Never"]))
            .doc("When the image is pulled; `Always` for the tag `latest`, otherwise `IfNotPresent`, if left out."),
        string_list("command").json("command").doc("Command, without a shell; that of the image if left out."),
        string_list("args").json("args").doc("Arguments; those of the image if left out."),
        string("working_dir").json("workingDir").doc("Working directory; that of the image if left out."),
        env(),
        env_from(),
        ports(),
        resources("resources").json("resources").doc("Resources."),
        security_context("security_context").json("securityContext").doc("Security context."),
    ];
    all.extend(health());
    all.extend(restarts());
    all.extend(terminal());
    all.extend([volume_mounts("volume_mounts").json("volumeMounts").merging(Merge::Keys(&["mountPath"])).doc(MOUNTS)]);
    all.push(volume_devices());
    list_of(name, all)
}

const MOUNTS: &str = "Volumes that it sees.";

fn health() -> Vec<Attribute> {
    vec![
        probe("liveness_probe").json("livenessProbe").doc("Restarts the container when it fails."),
        probe("readiness_probe").json("readinessProbe").doc("Takes the pod out of the Service while it fails."),
        probe("startup_probe").json("startupProbe").doc("Holds the other probes back until it succeeds."),
        lifecycle(),
    ]
}

fn ports() -> Attribute {
    let members = vec![
        number("container_port").json("containerPort").required().rule(network::port()).doc("Port of the pod."),
        string("protocol")
            .json("protocol")
            .server_default("\"TCP\"")
            .rule(Validator::one_of(&["TCP", "UDP", "SCTP"]))
            .doc("Protocol."),
        string("name").json("name").rule(port_name()).doc("Name, unique in the pod."),
        number("host_port").json("hostPort").rule(network::port()).doc("Port of the node, which it then occupies."),
        string("host_ip").json("hostIP").doc("Address of the node for `host_port`; all if left out."),
    ];
    list_of("ports", members)
        .json("ports")
        .merging(Merge::Keys(&["containerPort", "protocol"]))
        .doc("Ports that it listens on. Mostly for information.")
}

fn restarts() -> Vec<Attribute> {
    let exit_codes = vec![
        string("operator")
            .json("operator")
            .required()
            .rule(Validator::one_of(&["In", "NotIn"]))
            .doc("Whether the exit code is one of `values`, or none."),
        number_list("values")
            .json("values")
            .merging(Merge::Set)
            .rule(Validator::each(Validator::between(0, 255)))
            .doc("Exit codes."),
    ];
    let rule = vec![
        string("action").json("action").required().doc("What is done: `Restart`."),
        object("exit_codes", exit_codes).json("exitCodes").doc("When."),
    ];
    let resize = vec![
        string("resource_name").json("resourceName").required().doc("Resource: `cpu` or `memory`."),
        string("restart_policy")
            .json("restartPolicy")
            .required()
            .rule(Validator::one_of(&["NotRequired", "RestartContainer"]))
            .doc("Whether a resize restarts the container."),
    ];
    vec![
        string("restart_policy")
            .json("restartPolicy")
            .doc("When it is started again. `Always` makes an init container run beside the others (a sidecar)."),
        list_of("restart_policy_rules", rule)
            .json("restartPolicyRules")
            .since("edge-25.9.2")
            .doc("Rules that come before `restart_policy`; the first that fits counts."),
        list_of("resize_policy", resize).json("resizePolicy").doc("How resources of a running container change."),
    ]
}

fn terminal() -> Vec<Attribute> {
    vec![
        boolean("stdin").json("stdin").doc("Whether standard input stays open."),
        boolean("stdin_once").json("stdinOnce").doc("Whether it is closed after the first client."),
        boolean("tty").json("tty").doc("Whether there is a terminal. Needs `stdin`."),
        string("termination_message_path")
            .json("terminationMessagePath")
            .doc("File whose content becomes the message of the end; `/dev/termination-log` if left out."),
        string("termination_message_policy")
            .json("terminationMessagePolicy")
            .rule(Validator::one_of(&["File", "FallbackToLogsOnError"]))
            .doc("Where that message comes from; `File` if left out."),
    ]
}

/// Where a container sees volumes.
pub fn volume_mounts(name: &'static str) -> Attribute {
    let members = vec![
        string("name").json("name").required().doc("Name of the volume."),
        string("mount_path").json("mountPath").required().doc("Directory or file in the container."),
        boolean("read_only").json("readOnly").doc("Whether it cannot be written."),
        string("recursive_read_only")
            .json("recursiveReadOnly")
            .rule(Validator::one_of(&["Disabled", "IfPossible", "Enabled"]))
            .doc("Whether mounts below it are read-only too, for `read_only`."),
        string("mount_propagation")
            .json("mountPropagation")
            .rule(Validator::one_of(&["None", "HostToContainer", "Bidirectional"]))
            .doc("Whether later mounts below it show on the other side; `None` if left out."),
        string("sub_path").json("subPath").doc("Path in the volume; its root if left out."),
        string("sub_path_expr")
            .json("subPathExpr")
            .doc("The same with `$(NAME)` for environment variables. Not together with `sub_path`."),
    ];
    list_of(name, members)
}

fn volume_devices() -> Attribute {
    let members = vec![
        string("name").json("name").required().doc("Name of the volume, a persistent volume claim."),
        string("device_path").json("devicePath").required().doc("Device in the container."),
    ];
    list_of("volume_devices", members)
        .json("volumeDevices")
        .merging(Merge::Keys(&["devicePath"]))
        .doc("Block devices that it sees.")
}
