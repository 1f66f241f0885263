# terraform query                                    shows which datastores there are
# terraform query -generate-config-out=generated.tf  also writes their configuration and the imports of them

list "kamaji_datastore" "example" {
  provider         = kamaji
  include_resource = true

  config {
    driver = "etcd"
  }
}
