# A tenant: its control plane, and what each kind of machine needs to join it.

resource "kamaji_tenant_control_plane" "this" {
  name             = var.name
  namespace        = var.namespace
  create_namespace = var.create_namespace
  labels           = var.labels
  data_store       = var.data_store

  kubernetes     = { version = var.kubernetes_version }
  upgrade_policy = "sequential"

  control_plane = {
    service    = { service_type = var.service_type }
    deployment = { replicas = var.replicas }
  }

  network_profile = var.network_profile

  addons = {
    core_dns     = contains(var.addons, "core_dns") ? {} : null
    kube_proxy   = contains(var.addons, "kube_proxy") ? {} : null
    konnectivity = contains(var.addons, "konnectivity") ? {} : null
  }

  deletion_protection = var.deletion_protection
}

resource "kamaji_worker_join" "this" {
  for_each = var.worker_pools

  tenant_control_plane_id = kamaji_tenant_control_plane.this.id
  ttl                     = each.value.ttl
  node_labels             = each.value.node_labels
  node_taints             = each.value.node_taints
}
