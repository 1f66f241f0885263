resource "kamaji_tenant_control_plane" "example" {
  name      = "example"
  namespace = "default"

  kubernetes = {
    version = "v1.30.2"
  }

  control_plane = {
    service    = { service_type = "NodePort" }
    deployment = { replicas = 2 }
  }

  # With a NodePort: an address of a node and a free port of its range. With a LoadBalancer neither is needed.
  network_profile = {
    address   = var.node_address
    port      = var.node_port
    cert_sans = ["example.tenants.internal"]
  }

  addons = {
    core_dns   = {}
    kube_proxy = {}
  }
}
