//! The table of `kamaji_worker_join`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, Validator, list_of, object, string, string_map};

use crate::kamaji::join::node;
use crate::kamaji::{duration, names};
use crate::managed_object::schema::timeouts;
use crate::tenant_cluster::reference;

/// The time to live of a token, unless the configuration says otherwise: kubeadm's own default.
pub const TTL: &str = "24h";

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "What a machine needs to join a tenant as a worker: a bootstrap token, and user data and a command that \
                  use it.\n\nThe create waits until the tenant's API answers from where Terraform runs and takes nodes, \
                  makes a token in the tenant, and renders the outputs. The machines themselves are made with other \
                  resources, for example with `user_data = kamaji_worker_join.pool.user_data.cloud_config`. They bring a \
                  container runtime, kubelet and kubeadm in the tenant's version; nothing is installed.\n\nThe token \
                  expires after `ttl`. Machines that have joined stay; no machine joins any more. An expired token is no \
                  difference in a plan, so that running machines are not replaced: \
                  `terraform apply -replace=kamaji_worker_join.pool` makes a new token and new user data. A control \
                  plane that was made anew under the same name gets a new token in the next apply. Use one \
                  resource per machine (`for_each`) or pool, and a short `ttl`: whoever holds the token can join as a \
                  node of any name until it expires.\n\nThe token is in the state, as sensitive values are, because \
                  machines take their user data from it. Protect the state, or keep `ttl` short.\n\nA destroy revokes \
                  the token. If the tenant cannot be reached, it fails until the token has expired. Nodes that have \
                  joined are neither drained nor deleted. Import is not possible.",
        attributes(),
    )
});

/// The payloads that hold how a node registers.
const NODE: RecomputedBy = RecomputedBy::Change(&["node_labels", "node_taints"]);

fn attributes() -> Vec<Attribute> {
    vec![
        reference::attribute(
            "The tenant to join: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Refer to the resource, so \
             that Terraform makes the control plane first.",
        )
        .replace("a token belongs to one tenant; the old one is revoked"),
        string("ttl")
            .default(TTL)
            .rule(duration::validator())
            .canonical(duration::canonical_value)
            .replace("the end of a token is counted from its creation, so another time to live needs a new token")
            .doc(
                "How long the token can be used, a duration such as `90m` or `24h`. A change makes a new token and new \
                 user data.",
            ),
        string_map("node_labels").rule(node::labels()).doc(
            "Labels that the kubelet gives its node when it joins. In Kubernetes' own domains only those that a kubelet may \
             set. A change is for machines that join later; it changes the user data and keeps the token.",
        ),
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
        .doc(
            "Taints that the kubelet gives its node when it joins. A change is for machines that join later; it changes the \
             user data and keeps the token.",
        ),
        timeouts(&[("create", "15m"), ("read", "1m"), ("delete", "2m")]),
        string("id").computed(RecomputedBy::Nothing).doc("`namespace/name/token_id`."),
        string("token_id").computed(RecomputedBy::Nothing).doc("Public part of the token, six characters."),
        string("token").computed(RecomputedBy::Nothing).sensitive().doc("The token, `id.secret`."),
        string("expiration")
            .computed(RecomputedBy::Nothing)
            .doc("When the token expires, RFC 3339 in UTC: `2026-01-02T03:04:05Z`."),
        string("endpoint")
            .computed(RecomputedBy::Nothing)
            .doc("Where machines reach the tenant's API, `host:port`, as it was when the token was made."),
        string("ca_cert_hash").computed(RecomputedBy::Nothing).doc(
            "Pin of the tenant's CA, by which machines recognise the tenant: `sha256:` and 64 hexadecimal digits, as it was \
             when the token was made.",
        ),
        string("kubernetes_version").computed(RecomputedBy::Nothing).doc(
            "Kubernetes version of the tenant when the token was made, `v1.30.2`: the version for kubelet and kubeadm on \
             the machines.",
        ),
        string("join_command").computed(NODE).sensitive().doc(
            "`kubeadm join …` for a shell of root on a machine. Null with `node_labels` or `node_taints`, for which kubeadm \
             has no flags.",
        ),
        object(
            "user_data",
            vec![
                string("cloud_config").computed(NODE).sensitive().doc("For cloud-init: `#cloud-config`."),
                string("shell").computed(NODE).sensitive().doc("A script for `/bin/sh`, run by root."),
            ],
        )
        .computed(NODE)
        // Of an object that is unknown as a whole, core does not see what is sensitive inside.
        .sensitive()
        .doc(
            "User data that joins a machine at its first boot, about 2 KiB. A machine that has joined already is left alone; \
             the token is on disk only while kubeadm runs.",
        ),
    ]
}
