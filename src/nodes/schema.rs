//! The table of the data source `kamaji_nodes`, and of a node wherever nodes are listed.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, boolean, list_of, string, string_list, string_map};

use crate::managed_object::selectors::label_selector;
use crate::tenant_cluster::inquiry;

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut all = inquiry::attributes().to_vec();
    all.push(label_selector());
    all.push(
        string_list("names")
            .computed(RecomputedBy::Nothing)
            .doc("Their names, in order. Null if the tenant does not answer."),
    );
    all.push(
        list_of("nodes", node())
            .computed(RecomputedBy::Nothing)
            .doc("The nodes, by name. Null if the tenant does not answer."),
    );
    Schema::new(
        0,
        "The nodes that have joined a tenant, and how they are.\n\nThe nodes of one `kamaji_worker_join` are those with \
         `label_selector = \"terraform.kamaji.clastix.io/join-id=${kamaji_worker_join.pool.join_id}\"`. Nothing is waited \
         for but the tenant's API: a machine that has not joined yet is not in the list.",
        all,
    )
});

/// The attributes of a node.
pub fn node() -> Vec<Attribute> {
    let text = |name| string(name).computed(RecomputedBy::Nothing);
    let flag = |name| boolean(name).computed(RecomputedBy::Nothing);
    let list = |name, inner| list_of(name, inner).computed(RecomputedBy::Nothing);
    let map = |name| string_map(name).computed(RecomputedBy::Nothing);
    vec![
        text("name").doc("Its name."),
        text("uid").doc("Its UID."),
        text("created_at").doc("When it joined, RFC 3339 in UTC."),
        map("labels").doc("Its labels."),
        list(
            "taints",
            vec![
                text("key").doc("The key."),
                text("value").doc("The value; empty if it has none."),
                text("effect").doc("`NoSchedule`, `PreferNoSchedule` or `NoExecute`."),
            ],
        )
        .doc("Its taints, those of Kubernetes itself among them."),
        string_list("roles").computed(RecomputedBy::Nothing).doc("Its roles, as `kubectl get nodes` shows them."),
        flag("ready").doc("Whether its kubelet reports that it works."),
        text("not_ready_reason").doc("What its kubelet, or the tenant about it, says while it is not ready."),
        flag("unschedulable").doc("Whether no new pods are put on it: it is cordoned."),
        text("kubelet_version").doc("Version of its kubelet: `v1.30.2`."),
        text("container_runtime_version").doc("Its container runtime and the version of it: `containerd://1.7.20`."),
        text("os_image").doc("Its operating system, in words."),
        text("kernel_version").doc("Version of its kernel."),
        text("operating_system").doc("`linux` or `windows`."),
        text("architecture").doc("`amd64`, `arm64`, …"),
        text("provider_id").doc("What a cloud calls the machine, if anybody has set it."),
        list(
            "addresses",
            vec![
                text("type").doc("`InternalIP`, `ExternalIP`, `Hostname`, …"),
                text("address").doc("The address or name."),
            ],
        )
        .doc("Its addresses."),
        string_list("pod_cidrs")
            .computed(RecomputedBy::Nothing)
            .doc("Networks of its pods, where the tenant hands them out."),
        map("capacity").doc("What it has: `cpu`, `memory`, `pods`, …"),
        map("allocatable").doc("What pods can have of it."),
        text("join_id").doc("The `join_id` of the `kamaji_worker_join` that it joined with; null for others."),
    ]
}
