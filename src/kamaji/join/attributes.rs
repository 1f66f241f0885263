//! The attributes that say what is set of a machine: the same for every object that makes machines join.

use tfplugin::schema::{Attribute, Validator, boolean, list_of, object, string, string_list, string_map};

use super::{installer, node, rules};
use crate::kamaji::{duration, names};

/// Everything that is set of a machine.
pub fn machine() -> Vec<Attribute> {
    let mut all = node();
    all.extend(kubeadm());
    all.extend(around());
    all
}

/// How the node registers.
fn node() -> Vec<Attribute> {
    vec![
        string("node_name").rule(names::dns1123_subdomain()).doc(
            "Name of the node; the machine's host name in lower case by default. Only for a single machine: two nodes of one \
             name exclude each other.",
        ),
        string_map("node_labels").rule(node::labels()).doc(
            "Labels that the kubelet gives its node when it joins. In Kubernetes' own domains only those that a kubelet may \
             set. A change is for machines that join later; it changes the user data and keeps the token.",
        ),
        taints().doc(
            "Taints that the kubelet gives its node when it joins. A change is for machines that join later; it changes the \
             user data and keeps the token.",
        ),
    ]
}

/// `node_taints`, without a description.
pub fn taints() -> Attribute {
    list_of(
        "node_taints",
        vec![
            string("key").required().rule(node::taint_key()).doc("Key of the taint."),
            string("value").rule(names::label_value()).doc("Value of the taint; none by default."),
            string("effect")
                .required()
                .rule(Validator::one_of(node::EFFECTS))
                .doc("What happens to pods that do not tolerate it: `NoSchedule`, `PreferNoSchedule`, `NoExecute`."),
        ],
    )
    .rule(node::distinct_taints())
}

/// What kubeadm and kubelet are told.
pub fn kubeadm() -> Vec<Attribute> {
    let timeout = |name| string(name).rule(duration::validator());
    vec![
        list_of(
            "kubelet_extra_args",
            vec![
                string("name").required().rule(rules::kubelet_argument()).doc("Name, without dashes: `max-pods`."),
                string("value").required().rule(rules::one_line()).doc("Value."),
            ],
        )
        .doc("Arguments of the kubelet's command line. One that is given twice needs kubeadm 1.31."),
        string("cri_socket").rule(rules::cri_socket()).doc(
            "Socket of the container runtime, `unix:///…`. kubeadm finds it by itself; needed where a machine has several.",
        ),
        string_list("ignore_preflight_errors")
            .rule(rules::preflight_checks())
            .doc("kubeadm's checks of the machine that may fail, such as `Swap`; `all` stands alone."),
        string("image_pull_policy")
            .rule(Validator::one_of(&["Always", "IfNotPresent", "Never"]))
            .doc("When kubeadm pulls images: `IfNotPresent` by default."),
        boolean("image_pull_serial")
            .doc("Whether kubeadm pulls images one after another, as it does by default. From kubeadm 1.31."),
        string_list("skip_phases")
            .rule(Validator::each(Validator::one_of(rules::PHASES)))
            .doc("Phases of `kubeadm join` that are left out."),
        string_map("patches").rule(rules::patches()).doc(
            "kubeadm's patches of the kubelet's configuration on the machine: name of a file, such as \
             `kubeletconfiguration+strategic.yaml`, and its content.",
        ),
        object(
            "join_timeouts",
            vec![
                timeout("discovery").doc("Until the tenant was found and recognised: 5 minutes by default."),
                timeout("tls_bootstrap")
                    .doc("Until the kubelet has its certificate: 5 minutes by default. From kubeadm 1.31."),
                timeout("kubelet_health_check")
                    .doc("Until the kubelet works: 4 minutes by default. From kubeadm 1.31."),
                timeout("kubernetes_api_call")
                    .doc("Of a call of the tenant's API: 1 minute by default. From kubeadm 1.31."),
            ],
        )
        .doc("How long kubeadm waits on the machine: durations such as `90s`."),
    ]
}

/// What is done before and after.
fn around() -> Vec<Attribute> {
    vec![
        object(
            "proxy",
            vec![
                string("http_proxy").rule(rules::proxy_url()).doc("Proxy for http, `http://host:port`."),
                string("https_proxy").rule(rules::proxy_url()).doc("Proxy for https, `http://host:port`."),
                string_list("no_proxy").rule(Validator::each(rules::no_proxy())).doc(
                    "Hosts, domains and networks that are reached without it: at least the networks of nodes, pods and \
                     services. The tenant's endpoint is added.",
                ),
            ],
        )
        .doc(
            "The proxy through which the machine downloads: set for the commands and kubeadm, and for containerd with a file \
             in `/etc/systemd/system/containerd.service.d`.",
        ),
        list_of(
            "extra_files",
            vec![
                string("path").required().rule(rules::absolute_path()).doc("Path, from the root."),
                string("content").required().doc("What is in it."),
                string("permissions")
                    .default(super::settings::PERMISSIONS)
                    .rule(rules::permissions())
                    .doc("Mode, four octal digits."),
                string("owner").default(super::settings::OWNER).rule(rules::owner()).doc("`user:group`."),
            ],
        )
        .rule(rules::distinct_paths())
        .doc("Files that are written before anything else happens."),
        string_list("pre_commands").rule(Validator::each(rules::command())).doc(
            "Commands for `sh`, run by root before container runtime and kubeadm are installed or used. One that fails ends \
             the join.",
        ),
        string_list("post_commands").rule(Validator::each(rules::command())).doc(
            "Commands for `sh`, run by root after the machine has joined.",
        ),
        object(
            "installer",
            vec![
                string("type").required().rule(Validator::one_of(&["none", "yaki"])).doc(
                    "`none`: the image has container runtime, kubelet and kubeadm. `yaki`: CLASTIX' script installs them; it \
                     needs a machine with systemd and access to the Internet, and `conntrack`, `socat`, `iptables`, \
                     `ebtables`, `ethtool`, `wget` and `bash` on it.",
                ),
                string("version").rule(Validator::non_empty()).doc("Tag or commit of yaki: `v1.36.2` by default."),
                string("url").rule(rules::https_url()).doc("Where the script is downloaded from, if not from GitHub."),
                string("sha256")
                    .rule(rules::sha256())
                    .doc("SHA-256 of the script. Known for releases from GitHub; the machine runs nothing else."),
                string_map("environment").rule(installer::environment()).doc(
                    "Variables that say what yaki installs: `ARCH`, `CNI_VERSION`, `CONTAINERD_VERSION`, `CRICTL_VERSION`, \
                     `DEBUG`, `RELEASE_VERSION`, `RUNC_VERSION`. Kubernetes is `kubernetes_version`.",
                ),
            ],
        )
        .doc("Who installs container runtime, kubelet and kubeadm: nobody by default."),
    ]
}
