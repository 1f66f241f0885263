//! `core/v1 SecurityContext` and `PodSecurityContext`.

use tfplugin::schema::{Attribute, Validator, boolean, list_of, number, number_list, object, string, string_list};

/// The security context of a container.
pub fn security_context(name: &'static str) -> Attribute {
    let capabilities = vec![
        string_list("add").json("add").doc("Capabilities to add, such as `NET_BIND_SERVICE`."),
        string_list("drop").json("drop").doc("Capabilities to drop; `ALL` drops all."),
    ];
    let mut all = vec![
        boolean("allow_privilege_escalation")
            .json("allowPrivilegeEscalation")
            .doc("Whether a process can gain more privileges than its parent."),
        object("capabilities", capabilities).json("capabilities").doc("Linux capabilities."),
        boolean("privileged").json("privileged").doc("Whether it is as good as root on the node."),
        string("proc_mount")
            .json("procMount")
            .rule(Validator::one_of(&["Default", "Unmasked"]))
            .doc("Kind of `/proc`; `Default` if left out."),
        boolean("read_only_root_filesystem")
            .json("readOnlyRootFilesystem")
            .doc("Whether the root file system is read-only."),
    ];
    all.extend(shared());
    object(name, all)
}

/// The security context of a pod.
pub fn pod_security_context(name: &'static str) -> Attribute {
    let sysctl = vec![
        string("name").json("name").required().doc("Name."),
        string("value").json("value").required().doc("Value."),
    ];
    let mut all = vec![
        id("fs_group").json("fsGroup").doc("Group that owns the pod's volumes."),
        string("fs_group_change_policy")
            .json("fsGroupChangePolicy")
            .rule(Validator::one_of(&["Always", "OnRootMismatch"]))
            .doc("When the ownership of a volume is changed; `Always` if left out."),
        string("se_linux_change_policy")
            .json("seLinuxChangePolicy")
            .rule(Validator::one_of(&["Recursive", "MountOption"]))
            .doc("How volumes are relabelled for SELinux."),
        number_list("supplemental_groups")
            .json("supplementalGroups")
            .rule(Validator::each(Validator::between(0, i64::from(i32::MAX))))
            .doc("More groups of the first process."),
        string("supplemental_groups_policy")
            .json("supplementalGroupsPolicy")
            .rule(Validator::one_of(&["Merge", "Strict"]))
            .doc("Whether groups of the image count too (`Merge`, the default) or not (`Strict`)."),
        list_of("sysctls", sysctl).json("sysctls").doc("Kernel parameters of the pod. The kubelet must allow them."),
    ];
    all.extend(shared());
    object(name, all)
}

fn shared() -> Vec<Attribute> {
    let selinux = vec![
        string("level").json("level").doc("Level."),
        string("role").json("role").doc("Role."),
        string("type").json("type").doc("Type."),
        string("user").json("user").doc("User."),
    ];
    let windows = vec![
        string("gmsa_credential_spec").json("gmsaCredentialSpec").doc("Content of the GMSA credential spec."),
        string("gmsa_credential_spec_name")
            .json("gmsaCredentialSpecName")
            .doc("Name of the object with the GMSA credential spec."),
        boolean("host_process").json("hostProcess").doc("Whether it runs as a process of the host."),
        string("run_as_user_name").json("runAsUserName").doc("User name; that of the image if left out."),
    ];
    vec![
        profile("app_armor_profile", "appArmorProfile", "AppArmor profile."),
        profile("seccomp_profile", "seccompProfile", "Seccomp profile."),
        id("run_as_group").json("runAsGroup").doc("Group id; that of the image if left out."),
        id("run_as_user").json("runAsUser").doc("User id; that of the image if left out."),
        boolean("run_as_non_root").json("runAsNonRoot").doc("Whether a start as root is refused."),
        object("se_linux_options", selinux).json("seLinuxOptions").doc("SELinux labels."),
        object("windows_options", windows).json("windowsOptions").doc("Settings for nodes with Windows."),
    ]
}

fn id(name: &'static str) -> Attribute {
    number(name).rule(Validator::between(0, i64::from(i32::MAX)))
}

fn profile(name: &'static str, key: &'static str, doc: &'static str) -> Attribute {
    let members = vec![
        string("type")
            .json("type")
            .required()
            .rule(Validator::one_of(&["RuntimeDefault", "Unconfined", "Localhost"]))
            .doc("The runtime's own profile, none, or one of the node."),
        string("localhost_profile").json("localhostProfile").doc("Profile of the node, for `Localhost`."),
    ];
    object(name, members).json(key).doc(doc)
}
