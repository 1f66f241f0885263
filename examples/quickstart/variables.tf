# The defaults are those of the local management cluster that `make cluster` starts.

variable "name" {
  description = "Name of the tenant and of its datastore"
  type        = string
  default     = "quickstart"
}

variable "namespace" {
  description = "Namespace of the management cluster for the tenant; it must exist"
  type        = string
  default     = "default"
}

variable "kubernetes_version" {
  description = "Kubernetes version of the tenant"
  type        = string
  default     = "v1.30.2"
}

variable "node_address" {
  description = "Address of a node of the management cluster, under which NodePorts answer"
  type        = string
  default     = "10.250.0.2"
}

variable "node_port" {
  description = "A free NodePort of the management cluster, for the tenant's API"
  type        = number
  default     = 30080
}

variable "etcd_endpoint" {
  description = "The etcd for the datastore, host:port"
  type        = string
  default     = "10.250.0.2:2679"
}

variable "etcd_secret" {
  description = "Secret of the management cluster with ca.crt, ca.key, tls.crt and tls.key of the etcd"
  type        = object({ namespace = string, name = string })
  default     = { namespace = "kamaji-system", name = "quickstart-etcd-certs" }
}
