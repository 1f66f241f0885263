# Terraform owns the control plane, a GitOps tool a label of it and the number of its pods (tenant.yaml).

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# The management cluster is that of the environment: KUBE_CONFIG_PATH.
provider "kamaji" {
  # What the tools mark their objects with: neither read nor removed, also not by an import.
  ignore_labels      = ["^app\\.kubernetes\\.io/instance$", "^kustomize\\.toolkit\\.fluxcd\\.io/"]
  ignore_annotations = ["^argocd\\.argoproj\\.io/", "^kustomize\\.toolkit\\.fluxcd\\.io/"]
}

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
  name      = "gitops"
  namespace = var.namespace
  labels    = { "example.com/team" = "payments" }

  kubernetes = { version = "v1.30.2" }

  # No `deployment.replicas`: what is left out belongs to whoever sets it.
  control_plane = {
    service = { service_type = "NodePort" }
  }

  network_profile = {
    address = var.node_address
    port    = var.node_port
  }
}
