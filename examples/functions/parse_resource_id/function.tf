terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# In a configuration this is the id of a resource, such as kamaji_worker.example.id.
output "worker" {
  value = provider::kamaji::parse_resource_id("tenants/blue#node-1")
}

output "namespace" {
  value = provider::kamaji::parse_resource_id("tenants/blue").namespace
}
