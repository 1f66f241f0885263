# A MySQL or MariaDB as the datastore of tenants. Its credentials are in no state and no plan: the provider keeps them in a
# Secret of the management cluster, to which the DataStore refers.

terraform {
  required_version = ">= 1.11"

  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# The management cluster is that of the environment: KUBE_CONFIG_PATH.
provider "kamaji" {}

variable "endpoint" {
  description = "The database, host:port."
  type        = string
}

variable "password" {
  description = "Password of the administrator."
  type        = string
  ephemeral   = true
}

variable "password_version" {
  description = "Another number whenever the password changes."
  type        = number
  default     = 1
}

variable "ca_certificate" {
  description = "Certificate of the CA that signed the certificate of the database, PEM."
  type        = string
}

variable "client_certificate" {
  description = "Client certificate, PEM."
  type        = string
}

variable "client_key" {
  description = "Its private key, PEM."
  type        = string
  ephemeral   = true
}

resource "kamaji_datastore" "example" {
  name      = "example-mysql"
  driver    = "MySQL"
  endpoints = [var.endpoint]

  basic_auth = {
    username = { content_wo = "kamaji", content_wo_version = 1 }
    password = { content_wo = var.password, content_wo_version = var.password_version }
  }

  tls_config = {
    certificate_authority = {
      certificate = { content_wo = var.ca_certificate, content_wo_version = 1 }
    }
    client_certificate = {
      certificate = { content_wo = var.client_certificate, content_wo_version = 1 }
      private_key = { content_wo = var.client_key, content_wo_version = 1 }
    }
  }

  # The apply fails if the database does not let us in.
  check_connection = "require"
}

output "ready" {
  value = kamaji_datastore.example.ready
}
