//! `addons`: what Kamaji installs into the tenant. The presence of an addon, even as `{}`, switches it on.

use tfplugin::schema::{Attribute, Empty, Validator, boolean, list_of, number, object, string, string_list};

use super::control_plane::resources;

pub(super) fn attribute() -> Attribute {
    object("addons", vec![core_dns(), kube_proxy(), konnectivity()])
        .json("spec.addons")
        .doc("Addons in the tenant cluster. An addon is on while it is present, also as `{}`.")
}

fn image_overrides() -> Vec<Attribute> {
    vec![
        string("image_repository").json("imageRepository").doc("Repository of the image, without its name."),
        string("image_tag").json("imageTag").doc("Tag of the image. Only used together with `image_repository`."),
    ]
}

fn core_dns() -> Attribute {
    object("core_dns", image_overrides())
        .json("coreDNS")
        .empty(Empty::Presence)
        .doc("CoreDNS. Edits of its configuration in the tenant are overwritten.")
}

fn kube_proxy() -> Attribute {
    object("kube_proxy", image_overrides()).json("kubeProxy").empty(Empty::Presence).doc("kube-proxy.")
}

fn konnectivity() -> Attribute {
    object("konnectivity", vec![server(), agent()]).json("konnectivity").empty(Empty::Presence).doc(
        "Konnectivity: a tunnel from the control plane to nodes that it cannot reach directly. Switching it on or \
             off restarts the control plane pods.",
    )
}

fn server() -> Attribute {
    object(
        "server",
        vec![
            number("port").json("port").required().rule(Validator::between(1, 65535)).doc(
                "Port of the konnectivity server (8132 if `server` is left out); with `NodePort` also a node port.",
            ),
            string("image")
                .json("image")
                .server_default("\"registry.k8s.io/kas-network-proxy/proxy-server\"")
                .doc("Image without tag."),
            string("version").json("version").doc("Tag of the image. Kamaji derives it from the tenant's version."),
            resources(),
            string_list("extra_args").json("extraArgs").doc("More arguments; Kamaji's own win."),
            security_context(),
        ],
    )
    .json("server")
    .doc("The server beside the API server. A change restarts the control plane pods.")
}

fn agent() -> Attribute {
    object(
        "agent",
        vec![
            string("image")
                .json("image")
                .server_default("\"registry.k8s.io/kas-network-proxy/proxy-agent\"")
                .doc("Image without tag."),
            string("version").json("version").doc("Tag of the image. Kamaji derives it from the tenant's version."),
            string("mode")
                .json("mode")
                .since("edge-25.7.3")
                .server_default("\"DaemonSet\"")
                .rule(Validator::one_of(&["DaemonSet", "Deployment"]))
                .doc("How the agent runs: on every node, or as a Deployment."),
            number("replicas")
                .json("replicas")
                .since("edge-25.7.3")
                .rule(Validator::between(0, i64::from(i32::MAX)))
                .doc("Number of agents, only with `mode = \"Deployment\"`."),
            boolean("host_network")
                .json("hostNetwork")
                .since("edge-25.8.2")
                .server_default("false")
                .doc("Whether the agent uses the network of its node."),
            list_of(
                "tolerations",
                vec![
                    string("effect").json("effect").doc("Taint effect; all if left out."),
                    string("key").json("key").doc("Taint key; all if left out."),
                    string("operator").json("operator").doc("`Equal` or `Exists`."),
                    number("toleration_seconds")
                        .json("tolerationSeconds")
                        .doc("Seconds for which a `NoExecute` taint is tolerated."),
                    string("value").json("value").doc("Taint value."),
                ],
            )
            .json("tolerations")
            .doc("Taints that the agent tolerates; `CriticalAddonsOnly` by default."),
            string_list("extra_args").json("extraArgs").doc("More arguments; they win over Kamaji's own."),
        ],
    )
    .json("agent")
    .doc("The agent in the tenant.")
}

/// `core/v1 SecurityContext` of a container.
fn security_context() -> Attribute {
    let profile = |name: &'static str, key, doc| {
        object(
            name,
            vec![
                string("type").json("type").required().doc("`RuntimeDefault`, `Unconfined` or `Localhost`."),
                string("localhost_profile").json("localhostProfile").doc("Profile on the node, for `Localhost`."),
            ],
        )
        .json(key)
        .doc(doc)
    };
    object(
        "security_context",
        vec![
            boolean("allow_privilege_escalation")
                .json("allowPrivilegeEscalation")
                .doc("Whether privileges can be gained."),
            profile("app_armor_profile", "appArmorProfile", "AppArmor profile."),
            object(
                "capabilities",
                vec![
                    string_list("add").json("add").doc("Capabilities to add."),
                    string_list("drop").json("drop").doc("Capabilities to drop."),
                ],
            )
            .json("capabilities")
            .doc("Linux capabilities."),
            boolean("privileged").json("privileged").doc("Whether the container is privileged."),
            string("proc_mount").json("procMount").doc("Kind of `/proc` mount."),
            boolean("read_only_root_filesystem").json("readOnlyRootFilesystem").doc("Whether the root is read-only."),
            number("run_as_group").json("runAsGroup").doc("Group id."),
            boolean("run_as_non_root").json("runAsNonRoot").doc("Whether the user must not be root."),
            number("run_as_user").json("runAsUser").doc("User id."),
            object(
                "se_linux_options",
                vec![
                    string("level").json("level").doc("Level label."),
                    string("role").json("role").doc("Role label."),
                    string("type").json("type").doc("Type label."),
                    string("user").json("user").doc("User label."),
                ],
            )
            .json("seLinuxOptions")
            .doc("SELinux labels."),
            profile("seccomp_profile", "seccompProfile", "Seccomp profile."),
            object(
                "windows_options",
                vec![
                    string("gmsa_credential_spec").json("gmsaCredentialSpec").doc("GMSA credential spec."),
                    string("gmsa_credential_spec_name")
                        .json("gmsaCredentialSpecName")
                        .doc("Name of the GMSA credential spec."),
                    boolean("host_process").json("hostProcess").doc("Whether it is a host process container."),
                    string("run_as_user_name").json("runAsUserName").doc("User name."),
                ],
            )
            .json("windowsOptions")
            .doc("Windows settings."),
        ],
    )
    .json("securityContext")
    .since("26.6.4-edge")
    .doc("Security context of the container.")
}
