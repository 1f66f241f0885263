import {
  to       = kamaji_datastore.example
  identity = { name = "example" }
}
