//! The Terraform provider for Kamaji.

#[expect(dead_code, reason = "the Terraform objects that use these rules come with their resources")]
mod kamaji;

fn main() {}
