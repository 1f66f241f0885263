# A kubeconfig for the operators of every production tenant, with the address inside the management cluster.
resource "kamaji_kubeconfig_generator" "example" {
  name = "operators"

  user   = { string_value = "operators" }
  groups = [{ string_value = "tenant-operators" }]

  tenant_control_plane_selector = {
    match_labels = { env = "production" }
  }
}
