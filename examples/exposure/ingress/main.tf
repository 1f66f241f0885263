# A control plane behind an Ingress: one address for many tenants, told apart by name (SNI). The ingress controller must
# pass TLS through; the annotation is that of ingress-nginx.

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
  name      = "ingress"
  namespace = var.namespace

  kubernetes = { version = "v1.30.2" }

  control_plane = {
    service = { service_type = "ClusterIP" }

    ingress = {
      hostname           = "team-b.example.com:443"
      ingress_class_name = "nginx"

      additional_metadata = {
        annotations = { "nginx.ingress.kubernetes.io/ssl-passthrough" = "true" }
      }
    }
  }

  # Kamaji does not put the host name of an Ingress into an existing certificate by itself.
  network_profile = { cert_sans = ["team-b.example.com"] }
}
