resource "kamaji_worker_join" "example" {
  tenant_control_plane_id = kamaji_tenant_control_plane.example.id
  ttl                     = "2h"

  node_labels = {
    "example.com/pool" = "general"
  }
  node_taints = [
    { key = "example.com/dedicated", value = "batch", effect = "NoSchedule" },
  ]
}

# Give this to machines as their user data: `user_data` of an aws_instance or an openstack_compute_instance_v2, for
# instance. Their image must have a container runtime, kubelet and kubeadm.
output "user_data" {
  value     = kamaji_worker_join.example.user_data.cloud_config
  sensitive = true
}
