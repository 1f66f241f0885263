output "tenant" {
  description = "namespace/name of the tenant"
  value       = kamaji_tenant_control_plane.quickstart.id
}

output "endpoint" {
  description = "URL of the tenant's API"
  value       = kamaji_tenant_control_plane.quickstart.endpoint.url
}

output "user_data" {
  description = "User data for machines that are to join the tenant"
  value       = kamaji_worker_join.quickstart.user_data.cloud_config
  sensitive   = true
}
