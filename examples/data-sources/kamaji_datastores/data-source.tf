# The datastores that nobody uses.
data "kamaji_datastores" "example" {
  driver = "etcd"
}

output "unused" {
  value = [for store in data.kamaji_datastores.example.datastores : store.name if length(store.used_by) == 0]
}
