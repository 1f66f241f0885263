# the name
terraform import kamaji_kubeconfig_generator.example 'operators'
