import {
  to = kamaji_worker.example
  identity = {
    tenant_control_plane_id = "default/example"
    node_name               = "node-1"
  }
}
