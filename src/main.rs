//! The program that Terraform starts.

use std::process::ExitCode;

use terraform_provider_kamaji::provider::KamajiProvider;

fn main() -> ExitCode {
    // One crypto provider for everything; kube would otherwise look for a process default and find none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tfplugin::process::serve(KamajiProvider::new)
}
