# A datastore, a tenant control plane on it, and what a machine needs to join the tenant.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# The management cluster is that of the environment: KUBE_CONFIG_PATH.
provider "kamaji" {}

# Where the tenants' data is. The certificates stay in a Secret of the management cluster; only its name is here.
resource "kamaji_datastore" "quickstart" {
  name      = var.name
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

  # Without this a destroy of the quickstart would be refused.
  deletion_protection = false
}

resource "kamaji_tenant_control_plane" "quickstart" {
  name       = var.name
  namespace  = var.namespace
  data_store = kamaji_datastore.quickstart.name

  kubernetes      = { version = var.kubernetes_version }
  network_profile = { address = var.node_address, port = var.node_port }
  addons          = { core_dns = {}, kube_proxy = {} }

  control_plane = {
    service    = { service_type = "NodePort" }
    deployment = { replicas = 1 }
  }

  # Without these a destroy would be refused, the second one while a machine is joined.
  deletion_protection = false
  destroy_with_nodes  = true
}

resource "kamaji_worker_join" "quickstart" {
  tenant_control_plane_id = kamaji_tenant_control_plane.quickstart.id
  ttl                     = "1h"
  node_labels             = { "example.com/pool" = "quickstart" }
}
