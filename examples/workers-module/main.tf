# Workers by the module: two machines that are known by name, and a pool of any size.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# The management cluster is that of the environment: KUBE_CONFIG_PATH.
provider "kamaji" {}

variable "namespace" {
  description = "Namespace of the management cluster, which exists."
  type        = string
  default     = "default"
}

variable "node_address" {
  description = "Address of a node of the management cluster."
  type        = string
}

variable "node_port" {
  description = "A free node port."
  type        = number
}

module "blue" {
  source = "../../modules/tenant"

  name               = "blue"
  namespace          = var.namespace
  kubernetes_version = "v1.30.2"
  service_type       = "NodePort"
  replicas           = 1
  network_profile    = { address = var.node_address, port = var.node_port }

  # Without this a destroy would be refused.
  deletion_protection = false
}

module "database" {
  source = "../../modules/workers"

  tenant_control_plane_id = module.blue.id
  pool                    = "database"
  machines                = ["database-0", "database-1"]
  node_taints             = [{ key = "dedicated", value = "database", effect = "NoSchedule" }]
}

module "general" {
  source = "../../modules/workers"

  tenant_control_plane_id = module.blue.id
  pool                    = "general"
  format                  = "ignition"
  kubelet_extra_args      = [{ name = "max-pods", value = "200" }]
}

# Give each to the resource that makes the machine.
output "user_data" {
  value     = merge(module.database.user_data, module.general.user_data)
  sensitive = true
}
