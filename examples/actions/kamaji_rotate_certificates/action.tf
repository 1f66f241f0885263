# terraform apply -invoke=action.kamaji_rotate_certificates.example
action "kamaji_rotate_certificates" "example" {
  config {
    tenant_control_plane_id = kamaji_tenant_control_plane.example.id
    rotate                  = ["certificates", "kubeconfigs"]
  }
}
