# A control plane behind a Gateway (Gateway API, TLSRoute): one address for many tenants, told apart by name (SNI). Needs
# Kamaji edge-25.12.1 or newer, and Gateway API 1.5 or newer in the management cluster.

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
  name      = "gateway"
  namespace = var.namespace

  kubernetes = { version = "v1.30.2" }

  control_plane = {
    service = { service_type = "ClusterIP" }

    gateway = {
      hostname    = "team-c.example.com"
      parent_refs = [{ name = "tenants", namespace = "gateways", section_name = "kube-apiserver" }]
    }
  }

  network_profile = { cert_sans = ["team-c.example.com"] }
}
