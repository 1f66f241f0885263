# Not shown in the documentation: what the example needs to be applied by itself. The management cluster is that of
# the environment: KUBE_CONFIG_PATH.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

resource "kamaji_tenant_control_plane" "example" {
  name      = "example"
  namespace = "default"

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
