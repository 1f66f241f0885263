# A tenant by the module: control plane and join of one kind of machine.

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
  description = "Address of a node of the management cluster."
  type        = string
}

variable "node_port" {
  description = "A free node port."
  type        = number
}

module "team_a" {
  source = "../../modules/tenant"

  name               = "team-a"
  namespace          = var.namespace
  kubernetes_version = "v1.30.2"
  service_type       = "NodePort"
  replicas           = 1
  network_profile    = { address = var.node_address, port = var.node_port }

  worker_pools = {
    general = { ttl = "1h", node_labels = { "example.com/pool" = "general" } }
  }

  # Without this a destroy would be refused.
  deletion_protection = false
}

output "endpoint" {
  value = module.team_a.endpoint
}
