# All of it in one apply: a datastore, a tenant on it, a machine that joins the tenant, and an object in the tenant. One
# destroy undoes it in the opposite order.

terraform {
  required_version = ">= 1.10"
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
    kubernetes = {
      source = "hashicorp/kubernetes"
    }
  }
}

# The management cluster is that of the environment: KUBE_CONFIG_PATH.
provider "kamaji" {}

resource "kamaji_datastore" "example" {
  name      = "whole"
  driver    = "etcd"
  endpoints = [var.etcd_endpoint]

  tls_config = {
    certificate_authority = {
      certificate = { secret_reference = merge(var.etcd_secret, { key_path = "ca.crt" }) }
      private_key = { secret_reference = merge(var.etcd_secret, { key_path = "ca.key" }) }
    }
    client_certificate = {
      certificate = { secret_reference = merge(var.etcd_secret, { key_path = "tls.crt" }) }
      private_key = { secret_reference = merge(var.etcd_secret, { key_path = "tls.key" }) }
    }
  }
}

resource "kamaji_tenant_control_plane" "example" {
  name       = "whole"
  namespace  = "default"
  data_store = kamaji_datastore.example.name

  kubernetes      = { version = "v1.30.2" }
  network_profile = { address = var.node_address, port = var.node_port }
  addons          = { core_dns = {}, kube_proxy = {} }

  control_plane = {
    service    = { service_type = "NodePort" }
    deployment = { replicas = 1 }
  }

  # The tenant's API must answer from here before anything uses it.
  wait_for = "reachable"

  # It goes together with its machines.
  destroy_with_nodes = true
}

# The credential, and the user data that holds it.
resource "kamaji_worker_join" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  ttl                     = "1h"
}

# A machine. With a cloud this is a resource of its provider, which takes the user data as an argument; here it is a machine
# of the local cluster, which `make cluster` starts.
resource "terraform_data" "machine" {
  input = { name = "${kamaji_tenant_control_plane.example.namespace}-whole", program = var.cluster_program }

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

# Credentials for the tenant, in no state and no plan.
ephemeral "kamaji_kubeconfig" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
}

# What works in the tenant.
provider "kubernetes" {
  host                   = ephemeral.kamaji_kubeconfig.example.host
  cluster_ca_certificate = ephemeral.kamaji_kubeconfig.example.cluster_ca_certificate
  client_certificate     = ephemeral.kamaji_kubeconfig.example.client_certificate
  client_key             = ephemeral.kamaji_kubeconfig.example.client_key
}

resource "kubernetes_config_map_v1" "example" {
  metadata {
    name = "made-by-terraform"
  }
  data = {
    machine = terraform_data.machine.output.name
  }
}

# Pods of the tenant run once the machine is a node.
resource "kubernetes_deployment_v1" "example" {
  metadata {
    name = "made-by-terraform"
  }
  spec {
    replicas = 1
    selector {
      match_labels = { app = "made-by-terraform" }
    }
    template {
      metadata {
        labels = { app = "made-by-terraform" }
      }
      spec {
        container {
          name  = "pause"
          image = "registry.k8s.io/pause:3.9"
        }
      }
    }
  }
  depends_on = [terraform_data.machine]
}
