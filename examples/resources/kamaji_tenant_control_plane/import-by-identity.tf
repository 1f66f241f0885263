import {
  to = kamaji_tenant_control_plane.example
  identity = {
    namespace = "default"
    name      = "example"
  }
}
