output "name" {
  description = "Its name, for `data_store` of a control plane: tenants are made after it and destroyed before."
  value       = kamaji_datastore.this.name
}

output "certificates" {
  description = "Fingerprints and expiry of the certificates that are in use."
  value       = kamaji_datastore.this.certificates
}
