terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

variable "dns_service_ip" {
  type    = string
  default = "10.96.0.53"

  validation {
    condition     = provider::kamaji::cidr_contains("10.96.0.0/16", var.dns_service_ip)
    error_message = "The address of the DNS Service lies in 10.96.0.0/16."
  }
}

output "address_inside" {
  value = provider::kamaji::cidr_contains("10.96.0.0/16", var.dns_service_ip)
}

output "network_inside" {
  value = provider::kamaji::cidr_contains("10.96.0.0/16", "10.0.0.0/8")
}
