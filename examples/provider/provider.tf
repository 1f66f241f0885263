terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# The management cluster: the one in which Kamaji runs.
provider "kamaji" {
  config_path    = "~/.kube/config"
  config_context = "management"
}
