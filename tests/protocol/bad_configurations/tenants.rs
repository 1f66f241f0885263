//! Mistakes in what looks into tenants: the ephemeral resources and data sources.

use super::mistakes::Mistake;

/// Of the ephemeral resource `kamaji_kubeconfig`.
pub const KUBECONFIG: &[Mistake] = &[
    (r#"{"tenant_control_plane_id": "blue"}"#, "tenant_control_plane_id", "not of the form"),
    (r#"{"user": "root"}"#, "user", "\"root\" is not one of"),
    (r#"{"generator": "Ops_1"}"#, "generator", "Ops_1"),
    (r#"{"user": "admin", "generator": "ops"}"#, "generator", "Keep one of them"),
    (r#"{"user": "admin", "minted": {}}"#, "minted", "Keep one of them"),
    (r#"{"generator": "ops", "minted": {"ttl": "5m"}}"#, "minted", "Keep one of them"),
    (r#"{"minted": {"ttl": "30s"}}"#, "minted.ttl", "from `1m` to `24h`"),
    (r#"{"minted": {"ttl": "25h"}}"#, "minted.ttl", "from `1m` to `24h`"),
    (r#"{"minted": {"ttl": "0s"}}"#, "minted.ttl", "longer than zero"),
    (r#"{"minted": {"ttl": "1d"}}"#, "minted.ttl", "not a duration"),
    (r#"{"minted": {"cluster_role": ""}}"#, "minted.cluster_role", "not the name of a ClusterRole"),
    (r#"{"minted": {"cluster_role": "a/b"}}"#, "minted.cluster_role", "not the name of a ClusterRole"),
];

/// Of the ephemeral resource `kamaji_worker_join`, beside those of the resource.
pub const WORKER_JOIN: &[Mistake] = &[
    (r#"{"tenant_control_plane_id": "/blue"}"#, "tenant_control_plane_id", "not of the form"),
    (r#"{"token_id": "ABCDEF"}"#, "token_id", "\"ABCDEF\" is no id"),
    (r#"{"token_id": "abcdef.0123456789abcdef"}"#, "token_id", "The whole token is no id"),
    (r#"{"token_id": "abcdef", "ttl": "1h"}"#, "ttl", "token_id` names one that is there"),
    (r#"{"token_id": "abcdef", "revoke_on_close": true}"#, "revoke_on_close", "names one that is there"),
    (r#"{"ttl": "30s"}"#, "ttl", "at least a minute"),
    (r#"{"include_default_group": false}"#, "extra_groups", "one of extra_groups"),
    (r#"{"node_labels": {"topology.kubernetes.io/rack": "1"}}"#, "node_labels", "keeps for administrators"),
    (r#"{"endpoint": "api.example.com:6443", "discovery": "token"}"#, "discovery", "whatever `endpoint` says"),
];

/// Of the data source `kamaji_nodes`; those of the other ones are of the same code.
pub const NODES: &[Mistake] = &[
    (r#"{"tenant_control_plane_id": "Tenants/blue"}"#, "tenant_control_plane_id", "not of the form"),
    (r#"{"timeout": "soon"}"#, "timeout", "not a duration"),
    (r#"{"timeout": "0s"}"#, "timeout", "longer than zero"),
];
