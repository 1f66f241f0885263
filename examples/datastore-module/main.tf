# An etcd as the datastore of tenants, by the module.

terraform {
  required_version = ">= 1.11"

  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# The management cluster is that of the environment: KUBE_CONFIG_PATH.
provider "kamaji" {}

variable "etcd_endpoint" {
  description = "The etcd, host:port."
  type        = string
}

variable "etcd_certificates" {
  description = "The keys ca.crt, ca.key, tls.crt and tls.key, PEM."
  type        = map(string)
  ephemeral   = true
}

module "etcd" {
  source = "../../modules/datastore-etcd"

  name      = "example-module"
  endpoints = [var.etcd_endpoint]

  ca_certificate   = var.etcd_certificates["ca.crt"]
  ca_private_key   = var.etcd_certificates["ca.key"]
  root_certificate = var.etcd_certificates["tls.crt"]
  root_private_key = var.etcd_certificates["tls.key"]

  # Without this a destroy would be refused.
  deletion_protection = false
}

output "certificates" {
  value = module.etcd.certificates
}
