//! The Terraform provider for Kamaji.

#[expect(dead_code, reason = "the Terraform objects that use these rules come with their resources")]
mod kamaji;
#[expect(dead_code, unused_imports, reason = "the Terraform objects that use the API come with their resources")]
mod management_cluster;

fn main() {}
