# Not shown in the documentation: what the example needs to be run by itself. The management cluster is that of
# the environment: KUBE_CONFIG_PATH.

terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}
