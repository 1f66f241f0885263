output "user_data" {
  description = "User data by machine, or under the name of the pool, in the form of `format`. Null with store_secret = false."
  value       = { for name, join in kamaji_worker_join.this : name => join.user_data == null ? null : join.user_data[var.format] }
  sensitive   = true
}

output "user_data_sha256" {
  description = "SHA-256 of each, to trigger on."
  value       = { for name, join in kamaji_worker_join.this : name => join.user_data_sha256 == null ? null : join.user_data_sha256[var.format] }
}

output "token_ids" {
  description = "Public part of each token, for the ephemeral kamaji_worker_join."
  value       = { for name, join in kamaji_worker_join.this : name => join.token_id }
}

output "join_ids" {
  description = "What nodes carry as label terraform.kamaji.clastix.io/join-id."
  value       = { for name, join in kamaji_worker_join.this : name => join.join_id }
}

output "expirations" {
  description = "When each credential expires."
  value       = { for name, join in kamaji_worker_join.this : name => join.expiration }
}
