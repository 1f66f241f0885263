//! The data source `kamaji_nodes`: which nodes a tenant has, and how they are.

pub mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use tfplugin::data_source::DataSource;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostics, Value};

use crate::configured::Configured;
use crate::kamaji::join::JOIN_ID_LABEL;
use crate::managed_object::selectors::bad_selector;
use crate::tenant_cluster::inquiry::{Answer, Inquiry};
use crate::tenant_cluster::node::{is_ready, readiness};
use crate::tenant_cluster::reference;
use schema::SCHEMA;

/// The data source.
pub struct Nodes {
    inquiry: Inquiry,
}

impl Nodes {
    /// The data source in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { inquiry: Inquiry::new(shared) }
    }
}

#[async_trait]
impl DataSource for Nodes {
    fn type_name(&self) -> &'static str {
        "kamaji_nodes"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let mut result = config;
        let (tenant, operation) = match self.inquiry.tenant(cx, &mut result).await? {
            Answer::Tenant(tenant, operation) => (tenant, operation),
            Answer::Silence(said) => return Ok((result, said)),
        };
        let object = reference::of(&result)?;
        let selector = result.str_at("label_selector").unwrap_or_default();
        let found = tenant.api.nodes_as(&operation, selector, shown).await;
        let mut found = found.map_err(|error| {
            bad_selector(&error)
                .unwrap_or_else(|| tenant.api.diagnostic(&error, &format!("list the nodes of {object}")))
        })?;
        found.sort_by(|one, other| one.str_at("name").cmp(&other.str_at("name")));
        result.set("names", Value::strings(found.iter().filter_map(|node| node.str_at("name"))));
        result.set("nodes", Value::List(found));
        Ok((result, Diagnostics::new()))
    }
}

/// What is shown of a node.
pub fn shown(node: &Json) -> Value {
    let text = |pointer: &str| Value::from(node.pointer(pointer).and_then(Json::as_str));
    let info = |field: &str| text(&format!("/status/nodeInfo/{field}"));
    let list = |pointer: &str| node.pointer(pointer).and_then(Json::as_array).cloned().unwrap_or_default();
    let members = |object: &Json, names: &[&'static str]| {
        Value::object(names.iter().map(|name| (*name, Value::from(object[*name].as_str().unwrap_or_default()))))
    };
    let is_ready = is_ready(node);
    let reason = match readiness(node) {
        _ if is_ready => None,
        Some(condition) => condition["message"].as_str().or(condition["reason"].as_str()).map(str::to_owned),
        None => Some("its kubelet has not reported yet".to_owned()),
    };
    let pod_cidrs = list("/spec/podCIDRs");
    Value::object([
        ("name", text("/metadata/name")),
        ("uid", text("/metadata/uid")),
        ("created_at", text("/metadata/creationTimestamp")),
        ("labels", texts(node.pointer("/metadata/labels"))),
        (
            "taints",
            Value::List(list("/spec/taints").iter().map(|it| members(it, &["key", "value", "effect"])).collect()),
        ),
        ("roles", Value::strings(roles(node))),
        ("ready", is_ready.into()),
        ("not_ready_reason", reason.into()),
        ("unschedulable", node.pointer("/spec/unschedulable").and_then(Json::as_bool).unwrap_or(false).into()),
        ("kubelet_version", info("kubeletVersion")),
        ("container_runtime_version", info("containerRuntimeVersion")),
        ("os_image", info("osImage")),
        ("kernel_version", info("kernelVersion")),
        ("operating_system", info("operatingSystem")),
        ("architecture", info("architecture")),
        ("provider_id", text("/spec/providerID")),
        (
            "addresses",
            Value::List(list("/status/addresses").iter().map(|it| members(it, &["type", "address"])).collect()),
        ),
        ("pod_cidrs", Value::strings(pod_cidrs.iter().filter_map(Json::as_str))),
        ("capacity", texts(node.pointer("/status/capacity"))),
        ("allocatable", texts(node.pointer("/status/allocatable"))),
        ("join_id", Value::from(node["metadata"]["labels"][JOIN_ID_LABEL].as_str())),
    ])
}

/// A map of texts; empty where there is none.
fn texts(map: Option<&Json>) -> Value {
    let members = map.and_then(Json::as_object).into_iter().flatten();
    Value::object(members.filter_map(|(key, value)| Some((key.as_str(), Value::from(value.as_str()?)))))
}

/// The roles of a node as kubectl reads them out of its labels, in order.
fn roles(node: &Json) -> BTreeSet<String> {
    let labels = node.pointer("/metadata/labels").and_then(Json::as_object).into_iter().flatten();
    let role = |(key, value): (&String, &Json)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_owned()),
        None if key == "kubernetes.io/role" => value.as_str().map(str::to_owned),
        None => None,
    };
    labels.filter_map(role).filter(|role| !role.is_empty()).collect()
}
