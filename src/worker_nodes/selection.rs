//! Which nodes of a tenant are meant: by the join that they came with, by name, or by their labels.

use serde_json::Value as Json;
use tfplugin::Value;

use crate::kamaji::join::JOIN_ID_LABEL;

/// The attributes, one of which is set.
pub(super) const ATTRIBUTES: [&str; 3] = [JOIN_IDS, NODE_NAMES, LABEL_SELECTOR];
pub(super) const JOIN_IDS: &str = "join_ids";
pub(super) const NODE_NAMES: &str = "node_names";
pub(super) const LABEL_SELECTOR: &str = "label_selector";

/// Nodes of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Those that joined with one of these joins.
    Joins(Vec<String>),
    /// Those of these names.
    Names(Vec<String>),
    /// Those whose labels fit.
    Labels(String),
}

impl Selection {
    /// Reads it; [`None`] if it is not known.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let texts = |name: &str| {
            let items = value.get(name).as_list()?.iter().map(|item| item.as_str().map(str::to_owned));
            items.collect::<Option<Vec<String>>>()
        };
        texts(JOIN_IDS)
            .map(Self::Joins)
            .or_else(|| texts(NODE_NAMES).map(Self::Names))
            .or_else(|| value.str_at(LABEL_SELECTOR).map(|labels| Self::Labels(labels.to_owned())))
    }

    /// Reads `join_ids=a,b`, `node_names=a,b` or `label_selector=pool=a`: what follows the tenant in an id.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (attribute, value) = text.split_once('=')?;
        let list =
            || value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        match attribute {
            _ if value.trim().is_empty() => None,
            JOIN_IDS => Some(Self::Joins(list())),
            NODE_NAMES => Some(Self::Names(list())),
            LABEL_SELECTOR => Some(Self::Labels(value.to_owned())),
            _ => None,
        }
    }

    /// Sets the attribute that says it.
    pub(crate) fn fill(&self, value: &mut Value) {
        match self {
            Self::Joins(ids) => value.set(JOIN_IDS, Value::strings(ids.clone())),
            Self::Names(names) => value.set(NODE_NAMES, Value::strings(names.clone())),
            Self::Labels(labels) => value.set(LABEL_SELECTOR, labels.as_str().into()),
        }
    }

    /// What follows the tenant in an id.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Joins(ids) => format!("{JOIN_IDS}={}", ids.join(",")),
            Self::Names(names) => format!("{NODE_NAMES}={}", names.join(",")),
            Self::Labels(labels) => format!("{LABEL_SELECTOR}={labels}"),
        }
    }

    /// The label selector to ask the API with; empty for all nodes.
    pub(super) fn labels(&self) -> String {
        match self {
            Self::Joins(ids) => format!("{JOIN_ID_LABEL} in ({})", ids.join(",")),
            Self::Names(_) => String::new(),
            Self::Labels(labels) => labels.clone(),
        }
    }

    /// True for a node that is meant, among those that [`Self::labels`] finds.
    pub(super) fn takes(&self, node: &Json) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| node["metadata"]["name"] == name.as_str()),
            Self::Joins(ids) => {
                let id = node["metadata"]["labels"][JOIN_ID_LABEL].as_str();
                id.is_some_and(|id| ids.iter().any(|wanted| wanted == id))
            }
            Self::Labels(_) => true,
        }
    }

    /// How many nodes there are if each join is that of one machine; [`None`] where nothing says so.
    pub(super) fn count(&self) -> Option<usize> {
        match self {
            Self::Joins(items) | Self::Names(items) => Some(items.len()),
            Self::Labels(_) => None,
        }
    }

    /// What this one names that `other` does not; [`None`] if nothing, or if they are not comparable.
    pub(super) fn without(&self, other: &Self) -> Option<Self> {
        let rest = |items: &[String], kept: &[String]| {
            let rest: Vec<String> = items.iter().filter(|item| !kept.contains(item)).cloned().collect();
            (!rest.is_empty()).then_some(rest)
        };
        match (self, other) {
            (Self::Joins(items), Self::Joins(kept)) => rest(items, kept).map(Self::Joins),
            (Self::Names(items), Self::Names(kept)) => rest(items, kept).map(Self::Names),
            _ => None,
        }
    }

    /// In words, after "nodes": `of the joins a, b`.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Joins(ids) => format!("of the joins {}", ids.join(", ")),
            Self::Names(names) => format!("named {}", names.join(", ")),
            Self::Labels(labels) => format!("with the labels {labels}"),
        }
    }
}

/// How many nodes are waited for; [`None`] if that is not known.
pub(super) fn wanted(value: &Value) -> Option<usize> {
    match value.get("node_count") {
        Value::Unknown => None,
        Value::Null => Selection::of(value)?.count(),
        count => count.as_i64().and_then(|count| usize::try_from(count).ok()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(names: &[&str]) -> Selection {
        Selection::Names(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[rstest::rstest]
    #[case("join_ids=a,b", Some("join_ids=a,b"))]
    #[case("node_names=a, b,", Some("node_names=a,b"))]
    #[case("label_selector=pool in (a,b),x!=y", Some("label_selector=pool in (a,b),x!=y"))]
    #[case("label_selector=example.com/pool=a", Some("label_selector=example.com/pool=a"))]
    #[case("label_selector=", None)]
    #[case("names=a", None)]
    #[case("a", None)]
    fn an_id_says_which_nodes(#[case] text: &str, #[case] id: Option<&str>) {
        assert_eq!(Selection::parse(text).map(|selection| selection.id()).as_deref(), id);
    }

    #[test]
    fn nodes_are_told_apart() {
        let node = json!({"metadata": {"name": "a", "labels": {JOIN_ID_LABEL: "j"}}});
        assert!(names(&["a", "b"]).takes(&node) && !names(&["b"]).takes(&node));
        let joins = |id: &str| Selection::Joins(vec![id.to_owned()]);
        assert!(joins("j").takes(&node) && !joins("k").takes(&node));
        assert_eq!(joins("j").labels(), "terraform.kamaji.clastix.io/join-id in (j)");
    }

    #[test]
    fn what_is_taken_out_of_a_list_is_known() {
        assert_eq!(names(&["a", "b"]).without(&names(&["b", "c"])), Some(names(&["a"])));
        assert_eq!(names(&["a"]).without(&names(&["a", "c"])), None);
        assert_eq!(names(&["a"]).without(&Selection::Labels("x=y".to_owned())), None);
    }

    #[test]
    fn the_number_is_that_of_the_names_unless_it_is_given() {
        let mut value = Value::object([("node_count", Value::Null), (NODE_NAMES, Value::strings(["a", "b"]))]);
        assert_eq!(wanted(&value), Some(2));
        value.set("node_count", 1.into());
        assert_eq!(wanted(&value), Some(1));
        value.set("node_count", Value::Unknown);
        assert_eq!(wanted(&value), None);
    }
}
