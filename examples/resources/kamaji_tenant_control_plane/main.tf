# Not shown in the documentation: what the example needs to be applied by itself. The management cluster is that of
# the environment: KUBE_CONFIG_PATH.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

variable "node_address" {
  description = "An address of a node of the management cluster"
  type        = string
}

variable "node_port" {
  description = "A free NodePort of the management cluster"
  type        = number
}
