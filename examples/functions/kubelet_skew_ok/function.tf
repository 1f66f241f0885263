terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

locals {
  target = "v1.33.1"
  # In a configuration: data.kamaji_nodes.example.nodes[*].kubelet_version
  kubelets = ["v1.31.4", "v1.30.2", "v1.29.9"]
}

# Nodes that have to be upgraded before the control plane.
output "too_old" {
  value = [for version in local.kubelets : version if !provider::kamaji::kubelet_skew_ok(version, local.target)]
}
