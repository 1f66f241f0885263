//! Mistakes in the configuration of a `kamaji_worker`.

use super::mistakes::Mistake;

/// All of them.
pub const ALL: &[Mistake] = &[
    // The way to the machine.
    (r#"{"tenant_control_plane_id": "blue"}"#, "tenant_control_plane_id", "not of the form"),
    (r#"{"host": ""}"#, "host", "It is empty"),
    (r#"{"host": "root@10.0.0.7"}"#, "host", "set in `user`"),
    (r#"{"host": "ssh://10.0.0.7"}"#, "host", "without scheme"),
    (r#"{"host": "10.0.0.7:22"}"#, "host", "set in `port`"),
    (r#"{"host": "[fd00::1]"}"#, "host", "no brackets"),
    (r#"{"host": "-oProxyCommand=x"}"#, "host", "letters, digits"),
    (r#"{"port": 0}"#, "port", "between 1 and 65535"),
    (r#"{"port": 65536}"#, "port", "between 1 and 65535"),
    (r#"{"user": "no one"}"#, "user", "not the name of a user"),
    (r#"{"host_key": "SHA256:abc"}"#, "host_key", "cut short"),
    (r#"{"host_key": "16:27:ac:a5:76:28"}"#, "host_key", "neither a fingerprint"),
    (r#"{"host_key": "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48"}"#, "host_key", "not safe"),
    (r#"{"host_key": "ssh-ed25519"}"#, "host_key", "neither a fingerprint"),
    (r#"{"bastion": {"host": "10.0.0.7"}}"#, "bastion.host", "its own bastion"),
    (r#"{"bastion": {"host": "jump:22"}}"#, "bastion.host", "set in `port`"),
    (r#"{"bastion": {"host": "jump", "host_key": "x"}}"#, "bastion.host_key", "neither a fingerprint"),
    // The node.
    (r#"{"node_name": "Node_1"}"#, "node_name", "Node_1"),
    (r#"{"node_labels": {"no key": "x"}}"#, "node_labels", "no key"),
    (r#"{"node_labels": {"pool": "a b"}}"#, "node_labels", "a b"),
    (r#"{"node_taints": [{"key": "a", "effect": "noschedule"}]}"#, "node_taints[0].effect", "not one of"),
    (
        r#"{"node_taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "value": "b", "effect": "NoSchedule"}]}"#,
        "node_taints",
        "two taints",
    ),
    (r#"{"kubelet_extra_args": [{"name": "--max-pods", "value": "5"}]}"#, "kubelet_extra_args[0].name", "--max-pods"),
    (
        r#"{"kubelet_extra_args": [{"name": "node-labels", "value": "a=b"}]}"#,
        "kubelet_extra_args[0].name",
        "node_labels",
    ),
    (r#"{"cri_socket": "/run/containerd/containerd.sock"}"#, "cri_socket", "unix://"),
    (r#"{"endpoint": "https://api.example.com:6443"}"#, "endpoint", "https"),
    (r#"{"ignore_preflight_errors": ["all", "Swap"]}"#, "ignore_preflight_errors", "alone"),
    // Waiting and leaving.
    (r#"{"wait_for": "running"}"#, "wait_for", "\"running\" is not one of"),
    (r#"{"on_destroy": "shutdown"}"#, "on_destroy", "\"shutdown\" is not one of"),
    (r#"{"drain": {"grace_period": "1500ms"}}"#, "drain.grace_period", "counted in seconds"),
    (r#"{"drain": {"enabled": false, "force": true}}"#, "drain.force", "no effect"),
    (r#"{"drain": {"enabled": false, "grace_period": "5s"}}"#, "drain.grace_period", "no effect"),
    (r#"{"timeouts": {"delete": "1d"}}"#, "timeouts.delete", "not a duration"),
];
