terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

variable "token" {
  description = "Token of a service account in the tenant"
  type        = string
  sensitive   = true
}

variable "ca_certificate" {
  description = "Certificate of the tenant's CA, PEM"
  type        = string
}

output "kubeconfig" {
  value = provider::kamaji::build_kubeconfig({
    cluster                = "blue"
    user                   = "deployer"
    host                   = "https://blue.example.com:6443"
    cluster_ca_certificate = var.ca_certificate
    token                  = var.token
  })
  sensitive = true
}
