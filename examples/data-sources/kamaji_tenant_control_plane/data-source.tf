# Where another configuration made it: `id = "namespace/name"`, or `namespace` and `name`.
data "kamaji_tenant_control_plane" "example" {
  id = kamaji_tenant_control_plane.example.id
}

output "endpoint" {
  value = data.kamaji_tenant_control_plane.example.endpoint.url
}
