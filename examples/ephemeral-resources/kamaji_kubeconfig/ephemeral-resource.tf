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

# The same with a credential that is made for this run, has the rights of one role, and is revoked at the end.
ephemeral "kamaji_kubeconfig" "minted" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  minted                  = { cluster_role = "edit", ttl = "10m" }
}

provider "kubernetes" {
  alias                  = "minted"
  host                   = ephemeral.kamaji_kubeconfig.minted.host
  cluster_ca_certificate = ephemeral.kamaji_kubeconfig.minted.cluster_ca_certificate
  token                  = ephemeral.kamaji_kubeconfig.minted.token
}
