# With Terraform 1.10 or OpenTofu 1.11 use the ephemeral resource of this name: what is read here is in the state.
data "kamaji_kubeconfig" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  accept_secret_in_state  = true
}

# Not a secret.
output "tenant_api" {
  value = data.kamaji_kubeconfig.example.host
}

output "kubeconfig" {
  value     = data.kamaji_kubeconfig.example.kubeconfig
  sensitive = true
}
