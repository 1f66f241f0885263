terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

variable "kubernetes_version" {
  type    = string
  default = "v1.30.2"

  validation {
    condition     = provider::kamaji::version_compare(var.kubernetes_version, "v1.29.0") >= 0
    error_message = "Tenants run v1.29.0 or newer."
  }
}

# "v1.9.0" is older than "v1.10.0", though its text is greater.
output "order" {
  value = provider::kamaji::version_compare("v1.9.0", "v1.10.0")
}
