variable "node_address" {
  description = "Address of a node of the management cluster, under which NodePorts answer"
  type        = string
}

variable "node_port" {
  description = "A free NodePort of the management cluster, for the tenant's API"
  type        = number
}

variable "etcd_endpoint" {
  description = "The etcd for the datastore, host:port"
  type        = string
}

variable "etcd_secret" {
  description = "Secret of the management cluster with ca.crt, ca.key, tls.crt and tls.key of the etcd"
  type        = object({ namespace = string, name = string })
  default     = { namespace = "kamaji-system", name = "quickstart-etcd-certs" }
}

variable "cluster_program" {
  description = "The program that runs the local cluster and its machines"
  type        = string
}
