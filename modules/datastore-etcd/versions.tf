terraform {
  required_version = ">= 1.11"

  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}
