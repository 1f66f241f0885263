# The namespace and name of the control plane, and the name of the node.
terraform import kamaji_worker.example 'default/example#node-1'
