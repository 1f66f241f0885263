# Keys come from the provider block, because a destroy needs them, too:
#
#   provider "kamaji" {
#     ssh = { private_key_file = "~/.ssh/id_ed25519" }
#   }

resource "kamaji_worker" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id

  host     = var.host
  host_key = var.host_key # `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine

  node_labels = {
    "example.com/pool"               = "bare-metal"
    "node-role.kubernetes.io/worker" = ""
  }

  drain = { delete_emptydir_data = true }
}
