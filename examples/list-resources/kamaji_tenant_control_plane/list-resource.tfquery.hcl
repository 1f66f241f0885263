# terraform query                                    shows which control planes there are
# terraform query -generate-config-out=generated.tf  also writes their configuration and the imports of them

list "kamaji_tenant_control_plane" "example" {
  provider         = kamaji
  include_resource = true
  limit            = 50

  config {
    namespaces        = ["default", "tenants"]
    label_selector    = "team in (a, b)"
    field_selector    = "metadata.name!=playground"
    installed_version = "1.30"
  }
}
