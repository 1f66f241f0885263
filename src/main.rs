//! The Terraform provider for Kamaji.

mod datastore;
#[allow(dead_code, reason = "the rules for joining workers come before the resource that uses them")]
mod kamaji;
mod managed_object;
#[allow(dead_code, unused_imports, reason = "a few verbs are used by the tenant's side only")]
mod management_cluster;
mod provider;
mod tenant_cluster;
mod tenant_control_plane;

use std::process::ExitCode;

fn main() -> ExitCode {
    // One crypto provider for everything; kube would otherwise look for a process default and find none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tfplugin::process::serve(provider::KamajiProvider::new)
}
