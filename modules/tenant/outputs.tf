output "id" {
  description = "namespace/name, for kamaji_kubeconfig and others."
  value       = kamaji_tenant_control_plane.this.id
}

output "endpoint" {
  description = "URL of its API."
  value       = kamaji_tenant_control_plane.this.endpoint.url
}

output "cluster_ca_certificate" {
  description = "Certificate of its CA, PEM."
  value       = kamaji_tenant_control_plane.this.cluster_ca_certificate
}

output "user_data" {
  description = "By worker pool: user data for machines, as cloud_config and shell."
  value       = { for name, join in kamaji_worker_join.this : name => join.user_data }
  sensitive   = true
}
