resource "kamaji_worker_nodes" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id

  # The machines that joined with this user data: one of them.
  join_ids   = [kamaji_worker_join.example.join_id]
  node_count = 1

  drain    = { delete_emptydir_data = true }
  timeouts = { create = "30m" }

  # Made after the machines, and destroyed before them.
  depends_on = [terraform_data.machine]
}

output "addresses" {
  value = { for node in kamaji_worker_nodes.example.nodes : node.name => node.addresses }
}
