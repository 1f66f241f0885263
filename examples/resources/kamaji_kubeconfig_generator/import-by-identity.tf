import {
  to       = kamaji_kubeconfig_generator.example
  identity = { name = "operators" }
}
