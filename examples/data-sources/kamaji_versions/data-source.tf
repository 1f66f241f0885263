# What this Kamaji supports, and the way of a tenant there.
data "kamaji_versions" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
}

output "newest_supported" {
  value = data.kamaji_versions.example.newest_supported
}

output "upgrade_steps" {
  value = data.kamaji_versions.example.upgrade_steps
}

resource "kamaji_tenant_control_plane" "example" {
  name      = "example"
  namespace = "default"

  kubernetes    = { version = "v1.29.3" }
  control_plane = { service = { service_type = "ClusterIP" }, deployment = { replicas = 1 } }
}
