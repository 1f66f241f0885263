# Not shown in the documentation: what the example needs to be applied by itself. The management cluster is that of
# the environment: KUBE_CONFIG_PATH.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

provider "kamaji" {
  ssh = { private_key_file = var.private_key_file }
}

resource "kamaji_tenant_control_plane" "example" {
  name      = "example"
  namespace = "default"

  kubernetes      = { version = "v1.30.2" }
  control_plane   = { service = { service_type = "NodePort" } }
  network_profile = { address = var.node_address, port = var.node_port }
  addons          = { core_dns = {}, kube_proxy = {} }
}

variable "node_address" {
  description = "An address of a node of the management cluster"
  type        = string
}

variable "node_port" {
  description = "A free NodePort of the management cluster"
  type        = number
}

variable "host" {
  description = "Address of a machine with a container runtime, kubelet and kubeadm"
  type        = string
}

variable "host_key" {
  description = "Fingerprint of the machine's SSH host key"
  type        = string
}

variable "private_key_file" {
  description = "The file of a key that lets root in"
  type        = string
}
