# terraform apply -invoke=action.kamaji_drain_node.example
action "kamaji_drain_node" "example" {
  config {
    tenant_control_plane_id = kamaji_tenant_control_plane.example.id
    node_names              = ["worker-1", "worker-2"]
    delete_nodes            = true
    delete_emptydir_data    = true

    timeouts = { invoke = "30m" }
  }
}
