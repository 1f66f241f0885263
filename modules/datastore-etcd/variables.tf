variable "name" {
  description = "Name of the DataStore."
  type        = string
}

variable "endpoints" {
  description = "The members of the etcd, host:port."
  type        = list(string)
}

variable "ca_certificate" {
  description = "Certificate of the CA of the etcd, PEM."
  type        = string
  ephemeral   = true
}

variable "ca_private_key" {
  description = "Private key of the CA, PEM (PKCS#1). Kamaji signs a client certificate for each tenant with it."
  type        = string
  ephemeral   = true
}

variable "root_certificate" {
  description = "Client certificate of the user root, PEM."
  type        = string
  ephemeral   = true
}

variable "root_private_key" {
  description = "Private key of the client certificate, PEM."
  type        = string
  ephemeral   = true
}

variable "credentials_version" {
  description = "Another number whenever a certificate or key changes."
  type        = number
  default     = 1
}

variable "credentials_namespace" {
  description = "Namespace of the Secret in which the certificates and keys are kept."
  type        = string
  default     = "kamaji-system"
}

variable "check_connection" {
  description = "Whether each member is tried before anything is written: when_reachable, off or require."
  type        = string
  default     = "require"
}

variable "labels" {
  description = "Labels of the DataStore."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Whether plans that would delete the datastore are refused."
  type        = bool
  default     = true
}
