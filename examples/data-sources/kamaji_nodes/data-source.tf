# The nodes that joined with the user data of a pool.
data "kamaji_nodes" "pool" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  label_selector          = "terraform.kamaji.clastix.io/join-id=${kamaji_worker_join.pool.join_id}"
}

output "not_ready" {
  value = { for node in coalesce(data.kamaji_nodes.pool.nodes, []) : node.name => node.not_ready_reason if !node.ready }
}

output "kubelets" {
  value = distinct([for node in coalesce(data.kamaji_nodes.pool.nodes, []) : node.kubelet_version])
}
