# Not shown in the documentation: what the example needs to be applied by itself. The management cluster is that of
# the environment: KUBE_CONFIG_PATH.

terraform {
  required_version = ">= 1.10"
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
    kubernetes = {
      source = "hashicorp/kubernetes"
    }
  }
}

resource "kamaji_tenant_control_plane" "example" {
  name      = "example"
  namespace = "default"
  # The tenant's API must answer from here before the other provider uses it.
  wait_for = "reachable"

  kubernetes      = { version = "v1.30.2" }
  control_plane   = { service = { service_type = "NodePort" } }
  network_profile = { address = var.node_address, port = var.node_port }
}

variable "node_address" {
  description = "An address of a node of the management cluster"
  type        = string
}

variable "node_port" {
  description = "A free NodePort of the management cluster"
  type        = number
}
