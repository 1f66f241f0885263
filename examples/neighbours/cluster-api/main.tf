# A control plane that Cluster API made from a KamajiControlPlane: read as it is, and given a label of our own.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# The management cluster is that of the environment: KUBE_CONFIG_PATH.
provider "kamaji" {
  ignore_labels      = ["cluster\\.x-k8s\\.io/"]
  ignore_annotations = ["cluster\\.x-k8s\\.io/"]
}

variable "namespace" {
  description = "Namespace of the management cluster that the KamajiControlPlane is in."
  type        = string
  default     = "default"
}

# Most configurations need no more than this: it writes nothing.
data "kamaji_tenant_control_plane" "example" {
  name      = "capi"
  namespace = var.namespace
}

output "endpoint" {
  value = data.kamaji_tenant_control_plane.example.endpoint.url
}

# Only for a field that nobody else owns, here a label.
import {
  to = kamaji_tenant_control_plane.example
  id = "${var.namespace}/capi"
}

resource "kamaji_tenant_control_plane" "example" {
  name      = "capi"
  namespace = var.namespace
  labels    = { "example.com/team" = "payments" }

  # Required here, and the KamajiControlPlane's: whatever is there stays.
  kubernetes    = { version = "v1.30.0" }
  control_plane = { service = { service_type = "LoadBalancer" } }

  lifecycle {
    ignore_changes = [kubernetes, control_plane, network_profile, addons, data_store]
  }

  # A destroy takes it out of the state and leaves it to its owner.
  on_destroy = "orphan"
}
