# All of the production that still run Kubernetes 1.30, in every namespace.
data "kamaji_tenant_control_planes" "example" {
  label_selector    = "env=prod"
  installed_version = "1.30"
}

output "to_be_upgraded" {
  value = data.kamaji_tenant_control_planes.example.ids
}
