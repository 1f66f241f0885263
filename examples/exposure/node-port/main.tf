# A control plane on a port of the management cluster's nodes: no load balancer is needed, and one port per tenant.

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

variable "node_address" {
  description = "Address of a node of the management cluster, or of what distributes to all of them."
  type        = string
}

variable "node_port" {
  description = "A free node port, usually from 30000 to 32767. Each tenant has its own."
  type        = number
}

resource "kamaji_tenant_control_plane" "example" {
  name      = "node-port"
  namespace = var.namespace

  kubernetes = { version = "v1.30.2" }

  control_plane = {
    service = { service_type = "NodePort" }
  }

  # Kamaji cannot know the address, and waits for ever without it.
  network_profile = {
    address = var.node_address
    port    = var.node_port
  }
}
