//! Mistakes in the configuration of a `kamaji_worker_join`.

use super::mistakes::Mistake;

/// All of them.
pub const ALL: &[Mistake] = &[
    // The tenant.
    (r#"{"tenant_control_plane_id": "blue"}"#, "tenant_control_plane_id", "not of the form"),
    (r#"{"tenant_control_plane_id": "Tenants/blue"}"#, "tenant_control_plane_id", "not of the form"),
    // The life of the token.
    (r#"{"ttl": "1d"}"#, "ttl", "not a duration"),
    (r#"{"ttl": "-1h"}"#, "ttl", "not a duration"),
    (r#"{"ttl": "30s"}"#, "ttl", "at least a minute"),
    (r#"{"ttl": "0s"}"#, "ttl", "longer than zero"),
    (r#"{"renewal_policy": "always"}"#, "renewal_policy", "\"always\" is not one of"),
    (r#"{"renewal_policy": "extend", "renew_before": "24h"}"#, "renew_before", "less than ttl"),
    (r#"{"ttl": "1h", "renewal_policy": "rotate", "renew_before": "90m"}"#, "renew_before", "less than ttl"),
    (r#"{"renew_before": "1h"}"#, "renew_before", "nothing is renewed"),
    (r#"{"renewal_policy": "extend", "renew_before": "soon"}"#, "renew_before", "not a duration"),
    // The token.
    (r#"{"description": ""}"#, "description", "empty"),
    (r#"{"extra_groups": ["system:masters"]}"#, "extra_groups[0]", "system:bootstrappers:"),
    (r#"{"extra_groups": ["system:bootstrappers:a", "system:bootstrappers:A"]}"#, "extra_groups[1]", "lower-case"),
    (r#"{"include_default_group": false}"#, "extra_groups", "one of extra_groups"),
    (r#"{"token_wo": "abcdef", "token_wo_version": 1}"#, "token_wo", "Its value is not shown"),
    (r#"{"token_wo": "ABCDEF.0123456789abcdef", "token_wo_version": 1}"#, "token_wo", "Not a bootstrap token"),
    (r#"{"token_wo": "abcdeg.0123456789abcdef"}"#, "token_wo_version", "1 at first"),
    (r#"{"token_wo_version": 1}"#, "token_wo", "not given"),
    (
        r#"{"token_wo": "abcdeg.0123456789abcdef", "token_wo_version": 1, "store_secret": true}"#,
        "store_secret",
        "never stored",
    ),
    // Version and address.
    (r#"{"kubernetes_version": "latest"}"#, "kubernetes_version", "latest"),
    (r#"{"endpoint": "https://api.example.com:6443"}"#, "endpoint", "https"),
    (r#"{"endpoint": "api.example.com"}"#, "endpoint", "port"),
    (r#"{"endpoint": "fd00::1:6443"}"#, "endpoint", "["),
    (r#"{"endpoint": "api.example.com:6443", "discovery": "token"}"#, "discovery", "whatever `endpoint` says"),
    (r#"{"discovery": "kubeconfig"}"#, "discovery", "\"kubeconfig\" is not one of"),
    // The node.
    (r#"{"node_name": "Machine_1"}"#, "node_name", "Machine_1"),
    (r#"{"node_labels": {"node-role.kubernetes.io/worker": ""}}"#, "node_labels", "keeps for administrators"),
    (r#"{"node_labels": {"topology.kubernetes.io/rack": "1"}}"#, "node_labels", "keeps for administrators"),
    (r#"{"node_labels": {"a b": "1"}}"#, "node_labels", "a b"),
    (r#"{"node_labels": {"a": "b c"}}"#, "node_labels", "b c"),
    (r#"{"node_taints": [{"key": "a", "effect": "noSchedule"}]}"#, "node_taints[0].effect", "is not one of"),
    (r#"{"node_taints": [{"key": "a=b", "effect": "NoSchedule"}]}"#, "node_taints[0].key", "a=b"),
    (r#"{"node_taints": [{"key": "a", "value": "b:c", "effect": "NoSchedule"}]}"#, "node_taints[0].value", "b:c"),
    (
        r#"{"node_taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]}"#,
        "node_taints",
        "two taints with key",
    ),
    // kubeadm and kubelet.
    (
        r#"{"kubelet_extra_args": [{"name": "--max-pods", "value": "5"}]}"#,
        "kubelet_extra_args[0].name",
        "Leave out the dashes",
    ),
    (
        r#"{"kubelet_extra_args": [{"name": "node-labels", "value": "a=b"}]}"#,
        "kubelet_extra_args[0].name",
        "Use `node_labels`",
    ),
    (
        r#"{"kubelet_extra_args": [{"name": "v", "value": "1\n2"}]}"#,
        "kubelet_extra_args[0].value",
        "line break cannot stand here",
    ),
    (
        r#"{"kubernetes_version": "v1.30.0",
            "kubelet_extra_args": [{"name": "v", "value": "1"}, {"name": "v", "value": "2"}]}"#,
        "kubelet_extra_args[1].name",
        "needs kubeadm v1.31",
    ),
    (r#"{"cri_socket": "/run/containerd/containerd.sock"}"#, "cri_socket", "unix:///run/containerd/containerd.sock"),
    (r#"{"cri_socket": "npipe:////./pipe/x"}"#, "cri_socket", "not the URL of a socket"),
    (r#"{"ignore_preflight_errors": ["all", "Swap"]}"#, "ignore_preflight_errors", "Keep either \"all\""),
    (r#"{"ignore_preflight_errors": ["Swap errors"]}"#, "ignore_preflight_errors", "not the name of a check"),
    (r#"{"image_pull_policy": "always"}"#, "image_pull_policy", "is not one of"),
    (r#"{"kubernetes_version": "v1.30.2", "image_pull_serial": false}"#, "image_pull_serial", "needs kubeadm v1.31"),
    (r#"{"skip_phases": ["control-plane-join"]}"#, "skip_phases[0]", "is not one of"),
    (r#"{"patches": {"kube-apiserver.yaml": "a: b"}}"#, "patches", "nothing else to patch"),
    (r#"{"patches": {"kubeletconfiguration+patch.yaml": "a: b"}}"#, "patches", "something else"),
    (r#"{"patches": {"kubeletconfiguration.yaml": " "}}"#, "patches", "is empty"),
    (r#"{"join_timeouts": {"discovery": "5 minutes"}}"#, "join_timeouts.discovery", "not a duration"),
    (
        r#"{"kubernetes_version": "v1.29.0", "join_timeouts": {"tls_bootstrap": "1m"}}"#,
        "join_timeouts.tls_bootstrap",
        "needs kubeadm v1.31",
    ),
    // Around the join.
    (r#"{"proxy": {"no_proxy": ["10.0.0.0/8"]}}"#, "proxy", "http_proxy or https_proxy"),
    (r#"{"proxy": {"http_proxy": "proxy:3128"}}"#, "proxy.http_proxy", "http://host:port"),
    (r#"{"proxy": {"http_proxy": "http://proxy:3128", "no_proxy": ["a,b"]}}"#, "proxy.no_proxy[0]", "a,b"),
    (r#"{"extra_files": [{"path": "etc/a", "content": ""}]}"#, "extra_files[0].path", "does not start at the root"),
    (r#"{"extra_files": [{"path": "/etc/../a", "content": ""}]}"#, "extra_files[0].path", "\"..\""),
    (
        r#"{"extra_files": [{"path": "/etc/a", "content": "", "permissions": "644"}]}"#,
        "extra_files[0].permissions",
        "four octal digits",
    ),
    (r#"{"extra_files": [{"path": "/etc/a", "content": "", "owner": "root"}]}"#, "extra_files[0].owner", "user:group"),
    (
        r#"{"extra_files": [{"path": "/etc/a", "content": "1"}, {"path": "/etc/a", "content": "2"}]}"#,
        "extra_files",
        "two files at",
    ),
    (r#"{"pre_commands": [" "]}"#, "pre_commands[0]", "A command is empty"),
    (
        r#"{"user_data_parts": [{"content_type": "text/plain", "content": "a"}]}"#,
        "user_data_parts[0].content_type",
        "is not one of",
    ),
    // The installer.
    (r#"{"installer": {"type": "rpm"}}"#, "installer.type", "is not one of"),
    (r#"{"installer": {"type": "none", "version": "v1.36.2"}}"#, "installer.version", "Nothing is installed"),
    (r#"{"installer": {"type": "yaki", "version": "main"}}"#, "installer.sha256", "Give its SHA-256"),
    (
        r#"{"installer": {"type": "yaki", "url": "http://mirror/yaki",
            "sha256": "6d1e8e5f83bc98270a2e038b35ae30f4f3872d25755534ecd0c4709ff9566292"}}"#,
        "installer.url",
        "https",
    ),
    (r#"{"installer": {"type": "yaki", "sha256": "6d1e"}}"#, "installer.sha256", "64 hexadecimal digits"),
    (r#"{"installer": {"type": "yaki", "environment": {"JOIN_ASCP": "true"}}}"#, "installer.environment", "JOIN_ASCP"),
    // Time-outs.
    (r#"{"timeouts": {"create": "ten minutes"}}"#, "timeouts.create", "not a duration"),
];
