# Not shown in the documentation: what the example needs to be applied by itself. The management cluster is that of
# the environment: KUBE_CONFIG_PATH.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

resource "kamaji_tenant_control_plane" "example" {
  name      = "example"
  namespace = "default"

  kubernetes      = { version = "v1.30.2" }
  control_plane   = { service = { service_type = "NodePort" } }
  network_profile = { address = var.node_address, port = var.node_port }
}

resource "kamaji_worker_join" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  ttl                     = "1h"
  node_labels             = { "example.com/pool" = "general" }
}

# A machine of the local cluster, which `make cluster` starts.
resource "terraform_data" "machine" {
  input = { name = "${kamaji_tenant_control_plane.example.namespace}-waited-for", program = var.cluster_program }

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-SHELL
      umask 077
      file=$(mktemp)
      trap 'rm -f "$file"' EXIT
      printf '%s' "$USER_DATA" > "$file"
      "$PROGRAM" worker up "$NAME" --user-data "$file"
    SHELL
    environment = {
      PROGRAM   = self.input.program
      NAME      = self.input.name
      USER_DATA = kamaji_worker_join.example.user_data.cloud_config
    }
  }

  provisioner "local-exec" {
    when    = destroy
    command = "'${self.input.program}' worker down '${self.input.name}'"
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

variable "cluster_program" {
  description = "The program that runs the local cluster and its machines"
  type        = string
}
