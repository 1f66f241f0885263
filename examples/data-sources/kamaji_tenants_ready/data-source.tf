resource "kamaji_tenant_control_plane" "example" {
  for_each = toset(["red", "blue"])

  name      = each.key
  namespace = "default"
  # Returns at once: the data source below waits for all of them in one slot.
  wait_for = "accepted"

  kubernetes    = { version = "v1.30.2" }
  control_plane = { service = { service_type = "ClusterIP" }, deployment = { replicas = 1 } }
}

data "kamaji_tenants_ready" "example" {
  ids     = values(kamaji_tenant_control_plane.example)[*].id
  timeout = "15m"
}

# What needs the whole fleet refers to it.
output "fleet" {
  value = { for tenant in data.kamaji_tenants_ready.example.tenant_control_planes : tenant.id => tenant.installed_version }
}
