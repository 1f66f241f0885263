terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# "10.96.0.10"
output "ipv4" {
  value = provider::kamaji::dns_service_ip("10.96.0.0/16")
}

# "fd00::10"
output "ipv6" {
  value = provider::kamaji::dns_service_ip("fd00::/108")
}
