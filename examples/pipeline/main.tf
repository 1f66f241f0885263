# A tenant that a pipeline makes. The script `run` beside this file plans and applies it without a terminal.

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
  description = "Namespace of the management cluster for the tenant; it must exist"
  type        = string
  default     = "default"
}

variable "node_address" {
  description = "Address of a node of the management cluster, under which NodePorts answer"
  type        = string
}

variable "node_port" {
  description = "A free NodePort of the management cluster, for the tenant's API"
  type        = number
}

resource "kamaji_tenant_control_plane" "pipeline" {
  name       = "pipeline"
  namespace  = var.namespace
  kubernetes = { version = "v1.30.2" }

  network_profile = { address = var.node_address, port = var.node_port }

  control_plane = {
    service    = { service_type = "NodePort" }
    deployment = { replicas = 1 }
  }

  # The tenant of an example may go; without this a destroy would be refused.
  deletion_protection = false

  # Less than the time limit of the job, so that the job sees the diagnosis and not the end of its time.
  timeouts = { create = "10m", update = "20m", delete = "10m" }
}

output "endpoint" {
  description = "URL of the tenant's API"
  value       = kamaji_tenant_control_plane.pipeline.endpoint.url
}
