# terraform apply -invoke=action.kamaji_pause.example
action "kamaji_pause" "example" {
  config {
    tenant_control_plane_id = kamaji_tenant_control_plane.example.id
    reason                  = "its datastore is restored from a backup"
  }
}
