resource "kamaji_worker_join" "pool" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id

  # Long enough for the machines to boot. Machines that have joined stay.
  ttl = "1h"

  node_labels = {
    "example.com/pool" = "general"
  }
  node_taints = [
    { key = "dedicated", value = "general", effect = "NoSchedule" },
  ]
}

# Any machine whose image has containerd, kubelet and kubeadm, for example:
#   user_data = kamaji_worker_join.pool.user_data.cloud_config
output "user_data" {
  value     = kamaji_worker_join.pool.user_data.cloud_config
  sensitive = true
}
