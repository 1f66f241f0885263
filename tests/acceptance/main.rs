//! The promise: real Terraform, a real API server, real Kamaji and real kubelets.
//!
//! `make test` runs these; `cargo test --features acceptance --test acceptance [NAME]` runs some. They share one cluster
//! and run in parallel, each in a namespace of its own.
//!
//! Some tests ask programs that are not built here, if the environment names them, and say so if it does not:
//! `KUBEADM_PROGRAMS` (kubeadm of other versions, separated by colons), `KUBERNETES_PROVIDER` (the program of
//! hashicorp/kubernetes, alone in its directory) and `KUBECTL_PROVIDER` (that of gavinbunney/kubectl). `ansible-playbook` runs
//! if it is on the PATH.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test fails by panicking, and says where its files are"
)]

mod actions;
mod api_down;
mod bad_input;
mod changes;
mod datastores;
mod deferral;
mod denials;
mod drift;
mod examples;
mod features;
mod functions;
mod harness;
mod import;
mod interruption;
mod joins;
mod kubeconfig_generators;
mod live_changes;
mod migration;
mod minted;
mod moved;
mod neighbours;
mod pipelines;
mod protection;
mod public_token;
mod query;
mod release;
mod secrets;
mod sharing;
mod tenant;
mod troubled_tenants;
mod whole_configuration;
mod worker;
mod worker_nodes;
mod worker_over_ssh;
