# terraform apply -invoke=action.kamaji_restart.example
action "kamaji_restart" "example" {
  config {
    tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  }
}

# Or with each change of something that the pods read when they start.
resource "terraform_data" "audit_policy" {
  input = "a file that the pods mount"

  lifecycle {
    action_trigger {
      events  = [after_update]
      actions = [action.kamaji_restart.example]
    }
  }
}
