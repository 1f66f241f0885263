variable "tenant_control_plane_id" {
  description = "The tenant: `id` of a kamaji_tenant_control_plane."
  type        = string
}

variable "pool" {
  description = "Name of the kind of machines. Their nodes carry it as label."
  type        = string
}

variable "pool_label" {
  description = "Key of the label that nodes carry the name of the pool under."
  type        = string
  default     = "example.com/pool"
}

variable "machines" {
  description = "Names of the machines, which are those of their nodes: each has a credential of its own. If left out, machines of any number and name share one, which is renewed."
  type        = set(string)
  default     = null

  validation {
    condition     = var.machines == null || length(coalesce(var.machines, [])) > 0
    error_message = "Name at least one machine, or leave machines out for a pool that shares a credential."
  }
}

variable "format" {
  description = "Form of the user data: cloud_config, shell, mime, ignition or bottlerocket."
  type        = string
  default     = "cloud_config"

  validation {
    condition     = contains(["cloud_config", "shell", "mime", "ignition", "bottlerocket"], var.format)
    error_message = "The form of the user data is one of cloud_config, shell, mime, ignition, bottlerocket."
  }
}

variable "ttl" {
  description = "How long a credential can be used: 1h for a machine of its own, 24h for a pool by default."
  type        = string
  default     = null
}

variable "renew_before" {
  description = "How long before its end the credential of a pool is renewed: longer than the time between two applies."
  type        = string
  default     = "12h"
}

variable "store_secret" {
  description = "Whether credentials and user data are in the state. If not, render them with the ephemeral kamaji_worker_join from `token_ids`."
  type        = bool
  default     = true
}

variable "keepers" {
  description = "Anything. A change makes new credentials and new user data."
  type        = map(string)
  default     = null
}

variable "kubernetes_version" {
  description = "Version of kubelet and kubeadm on the machines. By default the one that the tenant runs when the credential is made."
  type        = string
  default     = null
}

variable "endpoint" {
  description = "Where machines reach the tenant's API, host:port, if not where Kamaji tells them."
  type        = string
  default     = null
}

variable "node_labels" {
  description = "Labels of the nodes, beside that of the pool."
  type        = map(string)
  default     = {}
}

variable "node_taints" {
  description = "Taints of the nodes."
  type        = list(object({ key = string, value = optional(string), effect = string }))
  default     = null
}

variable "kubelet_extra_args" {
  description = "Arguments of the kubelet."
  type        = list(object({ name = string, value = string }))
  default     = null
}

variable "installer" {
  description = "Who installs container runtime, kubelet and kubeadm: nobody by default, { type = \"yaki\" } for bare images."
  type = object({
    type        = string
    version     = optional(string)
    url         = optional(string)
    sha256      = optional(string)
    environment = optional(map(string))
  })
  default = null
}

variable "proxy" {
  description = "The proxy through which machines download."
  type = object({
    http_proxy  = optional(string)
    https_proxy = optional(string)
    no_proxy    = optional(list(string))
  })
  default = null
}

variable "pre_commands" {
  description = "Shell commands before the machine joins."
  type        = list(string)
  default     = null
}

variable "post_commands" {
  description = "Shell commands after it has joined."
  type        = list(string)
  default     = null
}
