data "kamaji_datastore" "example" {
  name = "default"
}

output "used_by" {
  value = data.kamaji_datastore.example.used_by
}
