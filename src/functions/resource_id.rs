//! `parse_resource_id`.

use tfplugin::Value;
use tfplugin::function::{Arguments, FunctionError, Signature};
use tfplugin::schema::{object, string, string_list};

use super::Row;
use crate::kamaji::names::is_dns1123_subdomain;
use crate::tenant_cluster::reference;
use crate::{worker, worker_join, worker_nodes};

pub(super) static PARSE: Row = Row::new(
    "parse_resource_id",
    || {
        let result = vec![
            string("namespace").doc("Namespace of the control plane; null for cluster-wide objects."),
            string("name").doc("Name of the control plane, or of the cluster-wide object."),
            string(reference::ATTRIBUTE).doc("`namespace/name` of the control plane; null for cluster-wide objects."),
            string("join_id").doc("The join, in the id of a `kamaji_worker_join`."),
            string("node_name").doc("The node, in the id of a `kamaji_worker`."),
            string_list("join_ids").doc("The joins, in the id of a `kamaji_worker_nodes`."),
            string_list("node_names").doc("The nodes, in the id of a `kamaji_worker_nodes`."),
            string("label_selector").doc("The labels of the nodes, in the id of a `kamaji_worker_nodes`."),
        ];
        Signature::new(
            "Takes the id of an object of this provider apart.",
            "Takes the `id` of a resource of this provider apart, which is also its import id: `name` of a `kamaji_datastore` and \
             a `kamaji_kubeconfig_generator`, `namespace/name` of a `kamaji_tenant_control_plane`, `namespace/name/join_id` of a \
             `kamaji_worker_join`, `namespace/name#node` of a `kamaji_worker`, and `namespace/name/node_names=a,b` (or \
             `join_ids=…`, `label_selector=…`) of a `kamaji_worker_nodes`.",
            vec![string("id").required().doc("The id.")],
            object("parts", result).doc("What is in the id; what is not in it is null."),
        )
    },
    |arguments| parse(arguments).ok_or_else(|| unreadable(arguments.text(0))),
);

fn parse(arguments: &Arguments) -> Option<Value> {
    let id = arguments.text(0);
    let mut parts = Value::object(PARSE.signature.result.nested().iter().map(|part| (part.name, Value::Null)));
    let tenant = if let Ok((tenant, node)) = worker::parse_id(id) {
        parts.set("node_name", node.into());
        tenant
    } else if let Some((tenant, selection)) = worker_nodes::parse_id(id) {
        selection.fill(&mut parts);
        tenant
    } else if let Some((tenant, join)) = worker_join::parse_id(id) {
        parts.set("join_id", join.into());
        tenant
    } else {
        id
    };
    match reference::parse(tenant) {
        Ok(object) => {
            parts.set("namespace", object.namespace.into());
            parts.set("name", object.name.into());
            parts.set(reference::ATTRIBUTE, tenant.into());
        }
        Err(_) if is_dns1123_subdomain(id) => parts.set("name", id.into()),
        Err(_) => return None,
    }
    Some(parts)
}

fn unreadable(id: &str) -> FunctionError {
    let text = format!(
        "{id:?} is not the id of an object of this provider. Give the `id` of a resource: \"name\", \"namespace/name\", \
         \"namespace/name/join_id\", \"namespace/name#node\" or \"namespace/name/node_names=a,b\"."
    );
    FunctionError::new(text).at(0)
}
