data "kamaji_bootstrap_tokens" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  # After the token of the pool, so that it is in the list.
  depends_on = [kamaji_worker_join.pool]

  lifecycle {
    postcondition {
      condition     = alltrue([for token in coalesce(self.tokens, []) : token.expiration != null])
      error_message = "A bootstrap token never expires."
    }
  }
}

output "who_can_join" {
  value = {
    for token in coalesce(data.kamaji_bootstrap_tokens.example.tokens, []) :
    token.secret_name => token.expiration if !coalesce(token.expired, true)
  }
}
