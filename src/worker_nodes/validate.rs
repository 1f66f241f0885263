//! Rules across the attributes.

use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::selection::{ATTRIBUTES, LABEL_SELECTOR, NODE_NAMES};

/// What is wrong with a configuration, as far as it is known.
pub(super) fn problems(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let given: Vec<&str> = ATTRIBUTES.into_iter().filter(|name| !config.get(name).is_null()).collect();
    match given.as_slice() {
        [] => found.push(
            Diagnostic::error(
                "Nodes are not named",
                "Say which nodes are meant, with one of join_ids, node_names and label_selector: for example `join_ids = \
                 [kamaji_worker_join.blue.join_id]`.",
            )
            .at(Path::of("join_ids")),
        ),
        [_] => {}
        [first, others @ ..] => {
            for other in others {
                let detail = format!("Nodes are named by {first} already. Remove {other}, or {first}.");
                found.push(Diagnostic::error("Nodes are named twice", detail).at(Path::of(other)));
            }
        }
    }
    let count = config.get("node_count");
    if given == [LABEL_SELECTOR] && count.is_null() {
        let detail = "A label selector does not say how many nodes there are to be. Set node_count.";
        found.push(Diagnostic::error("Number of nodes is missing", detail).at(Path::of("node_count")));
    }
    if let (Some(count), Some(names)) = (count.as_i64(), config.get(NODE_NAMES).as_list())
        && usize::try_from(count).is_ok_and(|count| count > names.len())
    {
        let detail = format!(
            "{count} nodes are waited for, but only {} are named. Remove node_count, or name more.",
            names.len()
        );
        found.push(Diagnostic::error("More nodes than names", detail).at(Path::of("node_count")));
    }
    found
}
