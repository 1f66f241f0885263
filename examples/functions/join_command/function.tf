terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

variable "token" {
  description = "Bootstrap token of the tenant"
  type        = string
  sensitive   = true
}

variable "ca_certificate" {
  description = "Certificate of the tenant's CA, PEM"
  type        = string
}

output "join_command" {
  value = provider::kamaji::join_command({
    endpoint       = "blue.example.com:6443"
    token          = var.token
    ca_certificate = var.ca_certificate
    node_name      = "node-1"
  })
  sensitive = true
}
