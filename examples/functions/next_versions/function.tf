terraform {
  required_providers {
    kamaji = {
      source = "clastix/kamaji"
    }
  }
}

# ["v1.31.0", "v1.32.0", "v1.33.1"]
output "steps" {
  value = provider::kamaji::next_versions("v1.30.2", "v1.33.1")
}

# With a release of one's own on the way: ["v1.31.9", "v1.32.0", "v1.33.1"]
output "steps_with_patches" {
  value = provider::kamaji::next_versions("v1.30.2", "v1.33.1", "v1.31.9")
}
