# The token is in the tenant and nowhere else: the resource has its life, the ephemeral twin renders it.
resource "kamaji_worker_join" "pool" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  ttl                     = "24h"
  renewal_policy          = "rotate"
  renew_before            = "6h"
  store_secret            = false
}

ephemeral "kamaji_worker_join" "pool" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  token_id                = kamaji_worker_join.pool.token_id
  node_labels             = { "example.com/pool" = "a" }
}

# Machines fetch it from a secret store at their boot, with an identity of their own.
resource "aws_secretsmanager_secret_version" "pool" {
  secret_id                = aws_secretsmanager_secret.pool.id
  secret_string_wo         = ephemeral.kamaji_worker_join.pool.user_data.cloud_config
  secret_string_wo_version = parseint(substr(sha256(kamaji_worker_join.pool.token_id), 0, 6), 16)
}
