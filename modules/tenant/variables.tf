variable "name" {
  description = "Name of the tenant."
  type        = string
}

variable "namespace" {
  description = "Namespace of the management cluster in which its control plane runs."
  type        = string
}

variable "create_namespace" {
  description = "Whether the namespace is made if it does not exist."
  type        = bool
  default     = false
}

variable "kubernetes_version" {
  description = "Kubernetes version, like v1.30.2. Several minor versions are gone through one after the other."
  type        = string
}

variable "data_store" {
  description = "DataStore for its data; Kamaji's default if left out."
  type        = string
  default     = null
}

variable "replicas" {
  description = "Pods of the control plane. 0 lets it sleep."
  type        = number
  default     = 2
}

variable "service_type" {
  description = "How it is reached: LoadBalancer, NodePort or ClusterIP."
  type        = string
  default     = "LoadBalancer"
}

variable "network_profile" {
  description = "Address, port, networks and names, as the attribute of kamaji_tenant_control_plane has them."
  type = object({
    address         = optional(string)
    port            = optional(number)
    cert_sans       = optional(list(string))
    pod_cidr        = optional(string)
    service_cidr    = optional(string)
    dns_service_ips = optional(list(string))
  })
  default = {}
}

variable "addons" {
  description = "Names of the addons: core_dns, kube_proxy, konnectivity."
  type        = set(string)
  default     = ["core_dns", "kube_proxy"]
}

variable "labels" {
  description = "Labels of the control plane."
  type        = map(string)
  default     = null
}

variable "worker_pools" {
  description = "Kinds of machines that join, by name. The credential of each lives for `ttl`."
  type = map(object({
    ttl         = optional(string)
    node_labels = optional(map(string))
    node_taints = optional(list(object({ key = string, value = optional(string), effect = string })))
  }))
  default = {}
}

variable "deletion_protection" {
  description = "Whether plans that would delete the control plane are refused."
  type        = bool
  default     = true
}
