terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

variable "memory" {
  description = "Memory limit of the API server"
  type        = string
  default     = "2Gi"

  validation {
    condition     = provider::kamaji::quantity_compare(var.memory, "512Mi") >= 0
    error_message = "An API server needs 512Mi of memory."
  }
}

# 1Gi is more than 1G.
output "order" {
  value = provider::kamaji::quantity_compare("1Gi", "1G")
}
