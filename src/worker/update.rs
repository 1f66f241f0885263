//! Update: labels and taints, by the tenant's API. Everything else is noted.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tfplugin::plan::without_unknowns;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Context};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::{Scene, Worker, is_taint};
use crate::management_cluster::ApiError;
use crate::tenant_cluster::reach::For;

/// How often a Node is read again whose taints others change at the same time.
const TRIES: usize = 5;
/// How long a machine is tried whose way has changed.
const PATIENCE: Duration = Duration::from_secs(30);

impl Worker {
    pub(super) async fn change(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let ApplyRequest { prior, planned, private, .. } = request;
        let outcome = match self.scene(cx, &planned, "update") {
            Ok(scene) => try_change(&scene, &prior, &planned).await,
            Err(diagnostic) => Err(diagnostic),
        };
        match outcome {
            Ok(()) => ApplyResponse { state: without_unknowns(&planned), private, diagnostics: Diagnostics::new() },
            Err(diagnostic) => ApplyResponse { state: prior, private, diagnostics: diagnostic.into() },
        }
    }
}

async fn try_change(scene: &Scene, prior: &Value, planned: &Value) -> Result<(), Diagnostic> {
    // After an import nothing has shown yet that the host is the machine of the node.
    if prior.get("host").is_null() {
        let logged_in = scene.log_in(planned, PATIENCE).await;
        let (session, _) = logged_in.map_err(|error| error.diagnostic("log in on the machine"))?;
        super::machine::is_it(&session, &scene.operation, planned.str_at("machine_id")).await?;
    }
    let (old, new) = (prior.get("node_labels"), planned.get("node_labels"));
    let labels = if old == new { Vec::new() } else { changed(old, new) };
    let retaints = prior.get("node_taints") != planned.get("node_taints");
    if labels.is_empty() && !retaints {
        return Ok(());
    }
    let tenant = scene.reach.wait(&scene.operation, &scene.object, For::Api).await?;
    let name = planned.str_at("node_name").unwrap_or_default();
    let failed =
        |error: ApiError| tenant.api.diagnostic(&error, &format!("change labels and taints of the node {name}"));
    let mut tries = 0;
    loop {
        tries += 1;
        let Some(live) = tenant.api.node(&scene.operation, name).await.map_err(failed)? else {
            let detail = format!("There is no node {name} any more. Plan again: a refresh shows it.");
            return Err(Diagnostic::error("Node is gone", detail));
        };
        let taints = retaints.then(|| taints(&live, prior.get("node_taints"), planned.get("node_taints")));
        match tenant.api.relabel_node(&scene.operation, &live, &labels, taints, &scene.field_manager).await {
            Ok(()) => return Ok(()),
            Err(ApiError::Conflict { .. }) if tries < TRIES => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// The labels that change: those that go have no value.
fn changed(old: &Value, new: &Value) -> Vec<(String, Option<String>)> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (old, new) = (members(old), members(new));
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), None));
    let set = new.iter().map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned)));
    gone.chain(set).collect()
}

/// The taints of a Node with ours changed: those of others stay, in their order.
fn taints(live: &Json, old: &Value, new: &Value) -> Json {
    let ours =
        |taints: &Value, other: &Json| taints.as_list().unwrap_or_default().iter().any(|taint| is_taint(taint, other));
    let others = live["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<Json> = others.into_iter().filter(|other| !ours(old, other) && !ours(new, other)).collect();
    for taint in new.as_list().unwrap_or_default() {
        let mut one = json!({"key": taint.str_at("key"), "effect": taint.str_at("effect")});
        if let Some(value) = taint.str_at("value").filter(|value| !value.is_empty()) {
            one["value"] = json!(value);
        }
        all.push(one);
    }
    json!(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_dropped_go_and_those_of_others_are_not_named() {
        let map = |pairs: &[(&str, &str)]| Value::object(pairs.iter().map(|(key, value)| (*key, Value::from(*value))));
        let found = changed(&map(&[("a", "1"), ("b", "2")]), &map(&[("b", "3"), ("c", "4")]));
        let expected = [("a", None), ("b", Some("3")), ("c", Some("4"))];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))));
        assert_eq!(changed(&map(&[("a", "1")]), &Value::Null), [("a".to_owned(), None)]);
    }

    #[test]
    fn taints_of_others_stay() {
        let taint = |key: &str, value: Option<&str>| {
            Value::object([("key", Value::from(key)), ("value", value.into()), ("effect", "NoSchedule".into())])
        };
        let live = json!({"spec": {"taints": [
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
            {"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoExecute"}]}});
        let old = Value::List(vec![taint("a", None)]);
        let new = Value::List(vec![taint("b", Some("x"))]);
        assert_eq!(
            taints(&live, &old, &new),
            json!([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
                {"key": "a", "effect": "NoExecute"}, {"key": "b", "effect": "NoSchedule", "value": "x"}])
        );
    }
}
