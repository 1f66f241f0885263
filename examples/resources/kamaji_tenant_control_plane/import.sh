# namespace/name
terraform import kamaji_tenant_control_plane.example 'default/example'
