terraform {
  required_version = ">= 1.8"

  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}
