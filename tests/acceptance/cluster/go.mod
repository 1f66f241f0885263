module kamaji-local/cluster

go 1.22.0

require gopkg.in/yaml.v3 v3.0.1
