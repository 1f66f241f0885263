//! The Terraform provider for Kamaji.

pub mod actions;
pub mod bootstrap_tokens;
pub mod collector;
pub mod configured;
pub mod database;
pub mod datastore;
pub mod datastores;
pub mod functions;
pub mod kamaji;
pub mod kubeconfig;
pub mod kubeconfig_generator;
pub mod kubernetes_types;
pub mod managed_object;
pub mod management_cluster;
pub mod nodes;
pub mod provider;
pub mod ssh;
pub mod tenant_cluster;
pub mod tenant_control_plane;
pub mod tenant_control_planes;
pub mod tenants_ready;
pub mod versions;
pub mod worker;
pub mod worker_join;
pub mod worker_nodes;
pub mod yaml;
