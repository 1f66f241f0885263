resource "kamaji_datastore" "example" {
  name      = "example"
  driver    = "etcd"
  endpoints = [var.etcd_endpoint]

  # Kamaji reads the certificates from a Secret of the management cluster; they are not in Terraform's state.
  tls_config = {
    certificate_authority = {
      certificate = { secret_reference = { namespace = "kamaji-system", name = "etcd-certs", key_path = "ca.crt" } }
      private_key = { secret_reference = { namespace = "kamaji-system", name = "etcd-certs", key_path = "ca.key" } }
    }
    client_certificate = {
      certificate = { secret_reference = { namespace = "kamaji-system", name = "etcd-certs", key_path = "tls.crt" } }
      private_key = { secret_reference = { namespace = "kamaji-system", name = "etcd-certs", key_path = "tls.key" } }
    }
  }
}
