terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

locals {
  machines = ["10.0.0.0/16", "10.1.0.0/16"]
}

output "pods_are_free" {
  value = !provider::kamaji::cidr_overlaps("10.244.0.0/16", local.machines...)
}

output "services_are_free" {
  value = !provider::kamaji::cidr_overlaps("10.1.128.0/20", local.machines...)
}
