# Machines of one kind: what each needs to join a tenant.

locals {
  # One credential for each machine, or one for all of the pool.
  shared = var.machines == null
  joins  = local.shared ? toset([var.pool]) : var.machines
}

resource "kamaji_worker_join" "this" {
  for_each = local.joins

  tenant_control_plane_id = var.tenant_control_plane_id
  description             = local.shared ? "Machines of pool ${var.pool}" : "Machine ${each.key} of pool ${var.pool}"

  # A machine boots once; a pool goes on growing.
  ttl            = coalesce(var.ttl, local.shared ? "24h" : "1h")
  renewal_policy = local.shared ? "extend" : "never"
  renew_before   = local.shared ? var.renew_before : null
  store_secret   = var.store_secret
  keepers        = var.keepers

  kubernetes_version = var.kubernetes_version
  endpoint           = var.endpoint

  node_name          = local.shared ? null : each.key
  node_labels        = merge(var.node_labels, { (var.pool_label) = var.pool })
  node_taints        = var.node_taints
  kubelet_extra_args = var.kubelet_extra_args

  installer     = var.installer
  proxy         = var.proxy
  pre_commands  = var.pre_commands
  post_commands = var.post_commands
}
