# the name
terraform import kamaji_datastore.example 'example'
