//! The Terraform provider for Kamaji.
fn main() {}
