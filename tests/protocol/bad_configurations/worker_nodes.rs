//! Mistakes in the configuration of a `kamaji_worker_nodes`.

use super::mistakes::Mistake;

/// All of them.
pub const ALL: &[Mistake] = &[
    (r#"{"tenant_control_plane_id": "blue"}"#, "tenant_control_plane_id", "not of the form"),
    // Which nodes.
    (r#"{"node_names": null}"#, "join_ids", "with one of join_ids, node_names and label_selector"),
    (r#"{"join_ids": ["a"]}"#, "node_names", "named by join_ids already"),
    (r#"{"label_selector": "a=b", "node_count": 1}"#, "label_selector", "named by node_names already"),
    (r#"{"node_names": []}"#, "node_names", "other nodes are meant"),
    (r#"{"node_names": null, "join_ids": []}"#, "join_ids", "other nodes are meant"),
    (r#"{"node_names": ["a", "b", "a"]}"#, "node_names", "\"a\" is in the list twice"),
    (r#"{"node_names": ["a", "Machine_1"]}"#, "node_names[1]", "Machine_1"),
    (r#"{"node_names": null, "join_ids": ["a b"]}"#, "join_ids[0]", "a b"),
    (r#"{"node_names": null, "join_ids": [""]}"#, "join_ids[0]", "empty"),
    (r#"{"node_names": null, "label_selector": "", "node_count": 1}"#, "label_selector", "empty"),
    // How many.
    (r#"{"node_names": null, "label_selector": "a=b"}"#, "node_count", "how many nodes"),
    (r#"{"node_count": 3}"#, "node_count", "only 2 are named"),
    (r#"{"node_count": -1}"#, "node_count", "-1 is not between 0 and"),
    (r#"{"node_count": 1.5}"#, "node_count", "whole number"),
    (r#"{"wait_for": "Ready"}"#, "wait_for", "\"Ready\" is not one of"),
    // How they go.
    (r#"{"drain": {"grace_period": "30"}}"#, "drain.grace_period", "no unit"),
    (r#"{"drain": {"grace_period": "1500ms"}}"#, "drain.grace_period", "counted in seconds"),
    (r#"{"timeouts": {"delete": "soon"}}"#, "timeouts.delete", "not a duration"),
];
