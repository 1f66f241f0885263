terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

variable "kubeconfig" {
  description = "Kubeconfig of a tenant, from a secret store"
  type        = string
  sensitive   = true
}

locals {
  tenant = provider::kamaji::parse_kubeconfig(var.kubeconfig)
}

# The address alone is no secret.
output "host" {
  value = nonsensitive(local.tenant.host)
}

output "client_key" {
  value     = local.tenant.client_key
  sensitive = true
}
