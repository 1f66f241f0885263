# An etcd as the datastore of tenants. Certificates and keys are in no state and no plan.

resource "kamaji_datastore" "this" {
  name      = var.name
  labels    = var.labels
  driver    = "etcd"
  endpoints = var.endpoints

  tls_config = {
    certificate_authority = {
      certificate = { content_wo = var.ca_certificate, content_wo_version = var.credentials_version }
      private_key = { content_wo = var.ca_private_key, content_wo_version = var.credentials_version }
    }
    client_certificate = {
      certificate = { content_wo = var.root_certificate, content_wo_version = var.credentials_version }
      private_key = { content_wo = var.root_private_key, content_wo_version = var.credentials_version }
    }
  }

  credentials_secret  = { namespace = var.credentials_namespace }
  check_connection    = var.check_connection
  deletion_protection = var.deletion_protection
}
