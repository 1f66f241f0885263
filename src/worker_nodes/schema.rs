//! The table of `kamaji_worker_nodes`.

use std::sync::LazyLock;

use tfplugin::schema::{
    Attribute, Problem, RecomputedBy, Schema, Validator, list_of, number, string, string_list, string_map,
};

use crate::kamaji::names;
use crate::managed_object::schema::{not_empty, timeouts};
use crate::nodes::schema::node;
use crate::tenant_cluster::{drain, reference};

/// What a node has to be, unless the configuration says otherwise.
pub const WAIT_FOR: &str = "ready";

/// What is shown of a node: what does not change from hour to hour.
pub(super) const SHOWN: &[&str] = &[
    "name",
    "uid",
    "created_at",
    "ready",
    "not_ready_reason",
    "unschedulable",
    "kubelet_version",
    "container_runtime_version",
    "architecture",
    "provider_id",
    "addresses",
    "join_id",
];

/// Attributes whose change makes an apply look for the nodes again.
pub(super) const WAITING: &[&str] =
    &["tenant_control_plane_id", "join_ids", "node_names", "label_selector", "node_count", "wait_for", "triggers"];

/// Attributes that an apply finds out.
pub(super) const FOUND: &[&str] = &["names", "nodes", "ready_count"];

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let found = || RecomputedBy::Change(WAITING);
    Schema::new(
        0,
        DESCRIPTION,
        vec![
            reference::attribute(
                "The tenant: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Refer to the resource, so that \
                 Terraform makes the control plane first.",
            )
            .replace("the nodes are those of one tenant; the old ones are drained and deleted"),
            string_list("join_ids")
                .rule(Validator::each(names::label_value()))
                .rule(Validator::each(Validator::non_empty()))
                .rule(not_empty("without join_ids other nodes are meant"))
                .rule(different())
                .doc(
                    "The nodes that joined with one of these: `join_id` of a `kamaji_worker_join`. One of `join_ids`, \
                     `node_names` and `label_selector` is given. Nodes of an id that is taken out of the list are drained and \
                     deleted by the apply.",
                ),
            string_list("node_names")
                .rule(Validator::each(names::dns1123_subdomain()))
                .rule(not_empty("without node_names other nodes are meant"))
                .rule(different())
                .doc(
                    "The nodes of these names, which by default are the host names of the machines. A node whose name is taken out \
                     of the list is drained and deleted by the apply.",
                ),
            string("label_selector").rule(Validator::non_empty()).doc(
                "The nodes whose labels fit, in the form of `kubectl -l`: `example.com/pool=blue`. A change drains nothing.",
            ),
            number("node_count").rule(Validator::at_least(0)).doc(
                "How many nodes are waited for, at least. By default one for each of `join_ids` or `node_names`. A smaller \
                 number drains nothing: it does not say which node goes.",
            ),
            string("wait_for").default(WAIT_FOR).rule(Validator::one_of(&["ready", "registered"])).doc(
                "What a node has to be to count. `ready`: its kubelet reports that it works, which needs a network plugin in the \
                 tenant. `registered`: it has joined.",
            ),
            string_map("triggers").doc(
                "Anything, for example the ids of the machines. A change makes an apply wait again for the nodes.",
            ),
            drain::attribute(),
            timeouts(&[("create", "20m"), ("read", "1m"), ("update", "20m"), ("delete", "15m")]),
            string("id")
                .computed(RecomputedBy::Change(&["join_ids", "node_names", "label_selector"]))
                .doc("`namespace/name` of the tenant, and which nodes: `tenants/blue/node_names=blue-0,blue-1`."),
            string_list("names").computed(found()).doc("The names of the nodes, in order."),
            list_of("nodes", shown()).computed(found()).doc("The nodes, by name, as they were at the last refresh."),
            number("ready_count").computed(found()).doc("How many of them are what `wait_for` says."),
        ],
    )
});

fn shown() -> Vec<Attribute> {
    node().into_iter().filter(|attribute| SHOWN.contains(&attribute.name)).collect()
}

/// No entry is there twice.
fn different() -> Validator {
    Validator::new("a list without repetitions", |value| {
        let items: Vec<&str> = value.as_list().unwrap_or_default().iter().filter_map(tfplugin::Value::as_str).collect();
        let twice = items.iter().enumerate().find(|(at, item)| items.iter().take(*at).any(|before| before == *item));
        match twice {
            Some((_, item)) => {
                Err(Problem::new("Entry is given twice", format!("{item:?} is in the list twice. Keep one.")))
            }
            None => Ok(()),
        }
    })
}

const DESCRIPTION: &str = "Waits until machines that join by user data are nodes of a tenant, and takes them out of the tenant \
    before the machines go.\n\nA create returns when `node_count` nodes are Ready; what depends on this resource can use them. \
    A destroy drains the nodes: it cordons all of them, evicts their pods as far as PodDisruptionBudgets allow, and deletes \
    the Nodes. Let this resource depend on the machines (`depends_on`): Terraform then makes it after them, and destroys it \
    before them.\n\nUse one resource for each machine (`for_each`) where machines are to go one by one: when a machine is \
    removed, Terraform destroys its resource first, which drains the node. For one resource with many machines Terraform \
    removes a machine before it updates this resource, unless the machine has `create_before_destroy`. With \
    `replace_triggered_by` on the machine, a machine that is replaced is drained before it goes and waited for when it \
    is back.\n\nA refresh shows how the nodes are. If fewer than `node_count` are left, the next plan is to wait for them. A tenant \
    that sleeps or does not answer fails no plan: the state stays as it is, with a warning.\n\nA destroy deletes the Nodes that \
    are selected then, also of machines that run on: those have to join again. A control plane \
    that is destroyed in the same plan goes after them, without `destroy_with_nodes`. Where a whole \
    tenant is destroyed, pods have nowhere to go, and a PodDisruptionBudget keeps the last ones: set `drain = { enabled = \
    false }` and apply that before. To let go of the nodes without touching them, \
    take the resource out of the state (`terraform state rm`).";
