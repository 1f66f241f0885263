# terraform apply -invoke=action.kamaji_resume.example
action "kamaji_resume" "example" {
  config {
    tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  }
}
