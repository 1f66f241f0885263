//! The table of `kamaji_worker`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, Mode, RecomputedBy, Schema, Validator, boolean, string, string_list, string_map};

use crate::kamaji::join::attributes;
use crate::kamaji::{names, network};
use crate::managed_object::schema::timeouts;
use crate::tenant_cluster::{drain, reference};

/// What a create waits for, unless the configuration says otherwise.
pub const WAIT_FOR: &str = "ready";
/// What a destroy does on the machine, unless the configuration says otherwise.
pub const ON_DESTROY: &str = "reset";

/// Attributes that a machine that has joined can only be told by joining again.
pub(super) const REJOINED: &[&str] = &["kubelet_extra_args", "cri_socket", "patches", "endpoint"];

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut all = vec![
        reference::attribute(
            "The tenant to join: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Refer to the resource, so that \
             Terraform makes the control plane first. Replace: a machine belongs to one tenant.",
        )
        .replace("the machine leaves the one tenant and joins the other"),
    ];
    all.extend(crate::ssh::schema::machine().into_iter().map(|attribute| {
        match attribute.name {
            "host" => attribute
                .replace("it is another machine")
                .doc("Name or address of the machine, as it is reached by SSH. Replace: it stands for the machine."),
            _ => attribute,
        }
    }));
    all.push(Attribute {
        mode: Mode::OptionalComputed,
        ..string("node_name")
            .rule(names::dns1123_subdomain())
            .replace("a node cannot be renamed")
            .doc("Name of the node; the machine's host name in lower case by default. Replace.")
    });
    all.push(string_map("node_labels").rule(names::labels()).doc(
        "Labels of the node, also those that only an administrator may set (`node-role.kubernetes.io/worker`). Relabel: a change \
         is made in the tenant, and the machine is not touched. Labels of others stay as they are.",
    ));
    all.push(attributes::taints().doc(
        "Taints of the node, there from its first moment. Relabel: a change is made in the tenant. Taints of others stay as they \
         are.",
    ));
    all.push(string("endpoint").rule(network::host_port()).doc(
        "Where the machine reaches the tenant's API, `host:port`. By default the address that Kamaji tells it. Another one must \
         be in the API server's certificate (`network_profile.cert_sans`).",
    ));
    all.extend(attributes::kubeadm());
    let rejoins = |attribute: Attribute| {
        if REJOINED.contains(&attribute.name) { attribute.replace("the machine has to join again") } else { attribute }
    };
    all = all.into_iter().map(rejoins).collect();
    all.extend([
        string("wait_for").default(WAIT_FOR).rule(Validator::one_of(&["joined", "ready"])).doc(
            "What a create waits for. `ready`: until the node is Ready, for which it needs a CNI. `joined`: until it is in the \
             tenant: for tenants whose CNI comes later.",
        ),
        drain::attribute(),
        string("on_destroy").default(ON_DESTROY).rule(Validator::one_of(&["reset", "reset_if_reachable", "leave"])).doc(
            "What a destroy does on the machine, once the node is drained. `reset`: kubeadm's reset; a machine that is not \
             reached is an error, before anything is drained. `reset_if_reachable`: the same, but a machine that is not reached \
             is left with a warning. `leave`: nothing, for a machine that is gone. A destroy reads this from the state: a \
             change has to be applied before it.",
        ),
        timeouts(&[("create", "20m"), ("read", "1m"), ("update", "5m"), ("delete", "15m")]),
    ]);
    all.extend(outputs());
    Schema::new(0, DESCRIPTION, all)
});

const DESCRIPTION: &str = "One machine that joins a tenant as a worker, by SSH.\n\nThe machine brings a container runtime that \
    runs, and kubelet and kubeadm; nothing is installed. The create waits until the tenant takes nodes, looks at the machine \
    and says everything that stands against a join in one error, makes a token that ends with the create, has kubeadm join \
    with it and revokes it, also when the join has failed. The token goes to kubeadm by standard input and a file that only \
    root can read and that is removed; it is in no state, plan, log or list of processes.\n\nKeys and passwords come from `ssh` \
    in the provider block, a key file or an agent. The key of the host is checked: pin it with `host_key`, or have it in the \
    known hosts.\n\nWhat a change costs: *relabel*, it is made in the tenant; *rejoin*, the resource is replaced: the node is drained and \
    reset, and the machine joins again; *replace*, the same, perhaps with another machine. What only kubeadm is told \
    (`ignore_preflight_errors`, `image_pull_policy`, `image_pull_serial`, `skip_phases`, `join_timeouts`) counts at the next join. \
    Everything else is noted and used from then on.\n\nA destroy drains the node, within \
    PodDisruptionBudgets and `timeouts.delete`, deletes it, and resets the machine: `kubeadm reset`, what the CNI has put into \
    `/etc/cni/net.d` and `/var/lib/cni` since the join, and `/var/lib/kubelet`. Rules of the packet filter and devices of a CNI \
    stay until the machine is started anew. It is then ready to join again. A control plane that is \
    destroyed in the same plan goes after its nodes, without `destroy_with_nodes`. Where a whole tenant is destroyed, pods have \
    nowhere to go, and a PodDisruptionBudget keeps the last ones: set `drain = { enabled = false }` and apply that before.\n\nA machine that is a node of the same tenant, but \
    not one that the tenant sees as Ready, is reset and joins again: so a join that was interrupted is repeated. One that is \
    Ready is an error that says how to import it; one of another cluster is an error. A node that somebody has removed from the \
    tenant is planned anew.";

fn outputs() -> Vec<Attribute> {
    let text = |name| string(name).computed(RecomputedBy::Nothing);
    vec![
        text("id").doc("`namespace/name#node`."),
        text("node_uid").doc("UID of the Node."),
        text("machine_id")
            .doc("`/etc/machine-id` of the machine. A destroy resets no other machine that answers in its place."),
        text("kubelet_version").doc("Version of the kubelet, `v1.30.2`, as it reports it."),
        string_list("addresses")
            .computed(RecomputedBy::Nothing)
            .doc("Addresses of the node, as its kubelet reports them."),
        boolean("ready").computed(RecomputedBy::Nothing).doc("Whether the kubelet reports that it works."),
    ]
}
