ephemeral "kamaji_kubeconfig" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
}

# A provider that works inside the tenant, in the same apply that makes it.
provider "kubernetes" {
  host                   = ephemeral.kamaji_kubeconfig.example.host
  cluster_ca_certificate = ephemeral.kamaji_kubeconfig.example.cluster_ca_certificate
  client_certificate     = ephemeral.kamaji_kubeconfig.example.client_certificate
  client_key             = ephemeral.kamaji_kubeconfig.example.client_key
}
