# A control plane behind a load balancer: the address comes from the cloud, or from MetalLB and its kin. A load balancer
# that only has a host name does not work with Kamaji.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# The management cluster is that of the environment: KUBE_CONFIG_PATH.
provider "kamaji" {}

variable "namespace" {
  description = "Namespace of the management cluster, which exists."
  type        = string
  default     = "default"
}

resource "kamaji_tenant_control_plane" "example" {
  name      = "load-balancer"
  namespace = var.namespace

  kubernetes = { version = "v1.30.2" }

  control_plane = {
    service = { service_type = "LoadBalancer" }
  }

  # The name under which people know it; it must lead to the load balancer's address.
  network_profile = { cert_sans = ["team-a.example.com"] }
}

output "endpoint" {
  value = kamaji_tenant_control_plane.example.endpoint.url
}
