# terraform query                                    shows which generators there are
# terraform query -generate-config-out=generated.tf  also writes their configuration and the imports of them

list "kamaji_kubeconfig_generator" "example" {
  provider         = kamaji
  include_resource = true

  config {
    label_selector = "team=a"
  }
}
