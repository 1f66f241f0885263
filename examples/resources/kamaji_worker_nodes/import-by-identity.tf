import {
  to = kamaji_worker_nodes.example
  identity = {
    tenant_control_plane_id = "default/example"
    label_selector          = "example.com/pool=general" # or join_ids, or node_names
  }
}
