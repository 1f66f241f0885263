//! The mistakes, by the part of the configuration that they are in.

/// A change of the sound configuration (a JSON merge patch), the attribute at which the mistake is, and what is said.
pub type Mistake = (&'static str, &'static str, &'static str);

const METADATA: &[Mistake] = &[
    (r#"{"name": "Blue"}"#, "name", "Blue"),
    (r#"{"name": "1blue"}"#, "name", "1blue"),
    (r#"{"name": "blue-"}"#, "name", "blue-"),
    (r#"{"name": "a234567890123456789012345678901234567890123456789012345678901234"}"#, "name", "63"),
    (r#"{"namespace": "team.a"}"#, "namespace", "team.a"),
    (r#"{"labels": {"no key": "x"}}"#, "labels", "no key"),
    (r#"{"labels": {"team": "a b"}}"#, "labels", "a b"),
    (r#"{"annotations": {"no key": "x"}}"#, "annotations", "no key"),
    (
        r#"{"annotations": {"kamaji.clastix.io/kubeconfig-secret-key": "root.conf"}}"#,
        r#"annotations["kamaji.clastix.io/kubeconfig-secret-key"]"#,
        "super-admin.conf",
    ),
    (
        r#"{"annotations": {"kamaji.clastix.io/migration-timeout": "soon"}}"#,
        r#"annotations["kamaji.clastix.io/migration-timeout"]"#,
        "10m",
    ),
    (
        r#"{"annotations": {"kamaji.clastix.io/cleanup-prior-migration": "yes"}}"#,
        r#"annotations["kamaji.clastix.io/cleanup-prior-migration"]"#,
        "true",
    ),
];

const KUBERNETES: &[Mistake] = &[
    (r#"{"kubernetes": {"version": "v1.33"}}"#, "kubernetes.version", "v1.33"),
    (r#"{"kubernetes": {"version": "v1.3O.2"}}"#, "kubernetes.version", "v1.3O.2"),
    (r#"{"kubernetes": {"version": ">= 1.33.0"}}"#, "kubernetes.version", ">= 1.33.0"),
    (r#"{"kubernetes": {"version": "latest"}}"#, "kubernetes.version", "latest"),
    (r#"{"kubernetes": {"kubelet": {"cgroupfs": "cgroup"}}}"#, "kubernetes.kubelet.cgroupfs", "systemd"),
    (
        r#"{"kubernetes": {"kubelet": {"preferred_address_types": []}}}"#,
        "kubernetes.kubelet.preferred_address_types",
        "default would come back",
    ),
    (
        r#"{"kubernetes": {"kubelet": {"preferred_address_types": ["Internal"]}}}"#,
        "kubernetes.kubelet.preferred_address_types[0]",
        "InternalIP",
    ),
    (
        r#"{"kubernetes": {"admission_controllers": ["NodeRestriction", "PodSecurityy"]}}"#,
        "kubernetes.admission_controllers[1]",
        "PodSecurityy",
    ),
    (r#"{"kubernetes": {"admission_controllers": []}}"#, "kubernetes.admission_controllers", "come back"),
    (
        r#"{"kubernetes": {"kubelet": {"configuration_json_patches": [{"op": "append", "path": "/a"}]}}}"#,
        "kubernetes.kubelet.configuration_json_patches[0].op",
        "append",
    ),
    (
        r#"{"kubernetes": {"kubelet": {"configuration_json_patches": [{"op": "remove", "path": "maxPods"}]}}}"#,
        "kubernetes.kubelet.configuration_json_patches[0].path",
        "/maxPods",
    ),
    (
        r#"{"kubernetes": {"kubelet": {"configuration_json_patches": [{"op": "add", "path": "/maxPods"}]}}}"#,
        "kubernetes.kubelet.configuration_json_patches[0].value",
        "needs `value`",
    ),
    (
        r#"{"kubernetes": {"kubelet": {"configuration_json_patches": [{"op": "remove", "path": "/a", "value": "1"}]}}}"#,
        "kubernetes.kubelet.configuration_json_patches[0].value",
        "has no `value`",
    ),
    (
        r#"{"kubernetes": {"kubelet": {"configuration_json_patches": [{"op": "copy", "path": "/a"}]}}}"#,
        "kubernetes.kubelet.configuration_json_patches[0].from",
        "needs `from`",
    ),
    (
        r#"{"kubernetes": {"kubelet": {"configuration_json_patches": [{"op": "add", "path": "/a", "value": "{"}]}}}"#,
        "kubernetes.kubelet.configuration_json_patches[0].value",
        "jsonencode",
    ),
];

const EXPOSURE: &[Mistake] = &[
    (
        r#"{"control_plane": {"service": {"service_type": "ExternalName"}}}"#,
        "control_plane.service.service_type",
        "NodePort",
    ),
    (
        r#"{"control_plane": {"service": {"service_type": "NodePort"}}, "network_profile": {"port": 30443}}"#,
        "network_profile.address",
        "waits for ever",
    ),
    (
        r#"{"control_plane": {"service": {"service_type": "NodePort"}}, "network_profile": {"address": "192.0.2.1"}}"#,
        "network_profile.port",
        "30000-32767",
    ),
    (
        r#"{"control_plane": {"service": {"service_type": "NodePort"}}, "network_profile": {"address": "192.0.2.1", "port": 443}}"#,
        "network_profile.port",
        "--service-node-port-range",
    ),
    (
        r#"{"control_plane": {"service": {"service_type": "NodePort"}}, "addons": {"konnectivity": {}},
            "network_profile": {"address": "192.0.2.1", "port": 30443}}"#,
        "addons.konnectivity.server.port",
        "8132",
    ),
    (r#"{"network_profile": {"port": 0}}"#, "network_profile.port", "65535"),
    (r#"{"network_profile": {"port": 70000}}"#, "network_profile.port", "70000"),
    (
        r#"{"control_plane": {"service": {"service_type": "ClusterIP"}}, "network_profile": {"load_balancer_class": "x"}}"#,
        "network_profile.load_balancer_class",
        "LoadBalancer",
    ),
    (
        r#"{"control_plane": {"service": {"service_type": "ClusterIP"}},
            "network_profile": {"load_balancer_source_ranges": ["192.0.2.0/24"]}}"#,
        "network_profile.load_balancer_source_ranges",
        "LoadBalancer",
    ),
    (
        r#"{"control_plane": {"service": {"service_type": "ClusterIP", "allocate_load_balancer_node_ports": false}}}"#,
        "control_plane.service.allocate_load_balancer_node_ports",
        "LoadBalancer",
    ),
    (r#"{"network_profile": {"load_balancer_class": ""}}"#, "network_profile.load_balancer_class", "empty"),
    (
        r#"{"network_profile": {"load_balancer_source_ranges": ["192.0.2.1"]}}"#,
        "network_profile.load_balancer_source_ranges[0]",
        "192.0.2.1",
    ),
    (
        r#"{"network_profile": {"allow_address_as_external_ip": true}}"#,
        "network_profile.allow_address_as_external_ip",
        "network_profile.address",
    ),
    (
        r#"{"network_profile": {"allow_address_as_external_ip": true, "address": "192.0.2.1"}}"#,
        "network_profile.allow_address_as_external_ip",
        "load balancer",
    ),
    (
        r#"{"control_plane": {"service": {"additional_ports": [{"name": "Metrics", "port": 9, "target_port": "9"}]}}}"#,
        "control_plane.service.additional_ports[0].name",
        "Metrics",
    ),
    (
        r#"{"control_plane": {"service": {"additional_ports": [{"name": "kube-apiserver", "port": 9, "target_port": "9"}]}}}"#,
        "control_plane.service.additional_ports[0].name",
        "of its own",
    ),
    (
        r#"{"control_plane": {"service": {"additional_ports": [{"name": "a", "port": 6443, "target_port": "9"}]}}}"#,
        "control_plane.service.additional_ports[0].port",
        "network_profile.port",
    ),
    (
        r#"{"control_plane": {"service": {"additional_ports": [{"name": "a", "port": 9, "target_port": "9"},
            {"name": "b", "port": 9, "target_port": "9"}]}}}"#,
        "control_plane.service.additional_ports[1].port",
        "twice",
    ),
    (
        r#"{"control_plane": {"service": {"additional_ports": [{"name": "a", "port": 8, "target_port": "9"},
            {"name": "a", "port": 9, "target_port": "9"}]}}}"#,
        "control_plane.service.additional_ports[1].name",
        "twice",
    ),
    (
        r#"{"control_plane": {"service": {"additional_ports": [{"name": "a", "port": 9, "target_port": "0"}]}}}"#,
        "control_plane.service.additional_ports[0].target_port",
        "65535",
    ),
    (
        r#"{"control_plane": {"service": {"additional_ports": [{"name": "a", "port": 9, "target_port": "9", "protocol": "HTTP"}]}}}"#,
        "control_plane.service.additional_ports[0].protocol",
        "TCP",
    ),
    (r#"{"control_plane": {"ingress": {}}}"#, "control_plane.ingress.hostname", "needs a value"),
    (
        r#"{"control_plane": {"ingress": {"hostname": "https://a.example.com"}}}"#,
        "control_plane.ingress.hostname",
        "https://",
    ),
    (
        r#"{"control_plane": {"gateway": {"parent_refs": [{"name": "g"}]}}}"#,
        "control_plane.gateway.hostname",
        "needs a value",
    ),
    (
        r#"{"control_plane": {"gateway": {"hostname": "a.example.com"}}}"#,
        "control_plane.gateway.parent_refs",
        "Gateway",
    ),
    (
        r#"{"control_plane": {"gateway": {"hostname": "a.example.com:443", "parent_refs": [{"name": "g"}]}}}"#,
        "control_plane.gateway.hostname",
        "a.example.com:443",
    ),
    (
        r#"{"control_plane": {"ingress": {"hostname": "a.example.com"},
            "gateway": {"hostname": "a.example.com", "parent_refs": [{"name": "g"}]}}}"#,
        "control_plane.gateway",
        "not both",
    ),
];

const NETWORKS: &[Mistake] = &[
    (r#"{"network_profile": {"pod_cidr": "10.244.0.0/33"}}"#, "network_profile.pod_cidr", "10.244.0.0/33"),
    (r#"{"network_profile": {"pod_cidr": "10.244.0.1/16"}}"#, "network_profile.pod_cidr", "10.244.0.0/16"),
    (r#"{"network_profile": {"service_cidr": "services"}}"#, "network_profile.service_cidr", "services"),
    (r#"{"network_profile": {"pod_cidr": "10.96.128.0/17"}}"#, "network_profile.pod_cidr", "overlap"),
    (r#"{"network_profile": {"service_cidr": "10.244.0.0/20"}}"#, "network_profile.service_cidr", "overlap"),
    (
        r#"{"network_profile": {"pod_cidrs": ["10.1.0.0/16", "10.2.0.0/16"]}}"#,
        "network_profile.pod_cidrs",
        "same IP family",
    ),
    (
        r#"{"network_profile": {"pod_cidrs": ["10.1.0.0/16", "10.2.0.0/16", "fd00::/64"]}}"#,
        "network_profile.pod_cidrs",
        "3",
    ),
    (
        r#"{"network_profile": {"pod_cidr": "10.1.0.0/16", "pod_cidrs": ["10.2.0.0/16"]}}"#,
        "network_profile.pod_cidr",
        "no effect beside `pod_cidrs`",
    ),
    (r#"{"network_profile": {"address": "10.0.0.256"}}"#, "network_profile.address", "10.0.0.256"),
    (r#"{"network_profile": {"address": "api.example.com"}}"#, "network_profile.address", "host name is not possible"),
    (r#"{"network_profile": {"address": "10.244.3.4"}}"#, "network_profile.address", "10.244.0.0/16"),
    (r#"{"network_profile": {"advertise_address": "10.96.3.4"}}"#, "network_profile.advertise_address", "10.96.0.0/16"),
    (r#"{"network_profile": {"advertise_address": "here"}}"#, "network_profile.advertise_address", "here"),
    (
        r#"{"network_profile": {"dns_service_ips": ["10.96.0.10", "10.97.0.10"]}}"#,
        "network_profile.dns_service_ips[1]",
        "block every later change",
    ),
    (r#"{"network_profile": {"dns_service_ips": ["10.96.0.1"]}}"#, "network_profile.dns_service_ips[0]", "reserved"),
    (r#"{"network_profile": {"dns_service_ips": ["dns"]}}"#, "network_profile.dns_service_ips[0]", "dns"),
    (r#"{"network_profile": {"service_cidr": "10.96.0.0/29"}}"#, "network_profile.service_cidr", "10.96.0.10"),
    (r#"{"network_profile": {"cert_sans": ["https://a.example.com"]}}"#, "network_profile.cert_sans[0]", "scheme"),
    (
        r#"{"network_profile": {"cert_sans": ["a.example.com", "b.example.com:6443"]}}"#,
        "network_profile.cert_sans[1]",
        "port",
    ),
    (r#"{"network_profile": {"cert_sans": ["a_b.example.com"]}}"#, "network_profile.cert_sans[0]", "a_b.example.com"),
    (r#"{"network_profile": {"cluster_domain": "local"}}"#, "network_profile.cluster_domain", "local"),
];

const ADDONS: &[Mistake] = &[
    (r#"{"addons": {"core_dns": {"image_tag": "v1"}}}"#, "addons.core_dns.image_tag", "image_repository"),
    (r#"{"addons": {"konnectivity": {"agent": {"replicas": 2}}}}"#, "addons.konnectivity.agent.replicas", "every node"),
    (
        r#"{"addons": {"konnectivity": {"agent": {"mode": "Deployment", "replicas": 0}}}}"#,
        "addons.konnectivity.agent.replicas",
        "at least 1",
    ),
    (r#"{"addons": {"konnectivity": {"agent": {"mode": "Pod"}}}}"#, "addons.konnectivity.agent.mode", "DaemonSet"),
    (
        r#"{"addons": {"konnectivity": {"agent": {"tolerations": []}}}}"#,
        "addons.konnectivity.agent.tolerations",
        "come back",
    ),
    (
        r#"{"addons": {"konnectivity": {"server": {"port": 6443}}}}"#,
        "addons.konnectivity.server.port",
        "API server already",
    ),
    (r#"{"addons": {"konnectivity": {"server": {"port": 0}}}}"#, "addons.konnectivity.server.port", "65535"),
    (
        r#"{"addons": {"konnectivity": {"server": {"port": 8132, "extra_args": ["--mode=http-connect"]}}}}"#,
        "addons.konnectivity.server.extra_args[0]",
        "--mode",
    ),
];

const DEPLOYMENT: &[Mistake] = &[
    (r#"{"control_plane": {"deployment": {"replicas": -1}}}"#, "control_plane.deployment.replicas", "-1"),
    (
        r#"{"control_plane": {"deployment": {"strategy": {"type": "Rolling"}}}}"#,
        "control_plane.deployment.strategy.type",
        "RollingUpdate",
    ),
    (
        r#"{"control_plane": {"deployment": {"strategy": {"type": "Recreate", "rolling_update": {"max_surge": "1"}}}}}"#,
        "control_plane.deployment.strategy.rolling_update",
        "Recreate",
    ),
    (
        r#"{"control_plane": {"deployment": {"strategy": {"rolling_update": {"max_surge": "0", "max_unavailable": "0%"}}}}}"#,
        "control_plane.deployment.strategy.rolling_update.max_surge",
        "both zero",
    ),
    (
        r#"{"control_plane": {"deployment": {"strategy": {"rolling_update": {"max_surge": "half"}}}}}"#,
        "control_plane.deployment.strategy.rolling_update.max_surge",
        "25%",
    ),
    (
        r#"{"control_plane": {"deployment": {"resources": {"api_server": {"limits": {"memory": "2 GB"}}}}}}"#,
        r#"control_plane.deployment.resources.api_server.limits["memory"]"#,
        "2 GB",
    ),
    (
        r#"{"control_plane": {"deployment": {"resources": {"kine": {"requests": {"cpu": "1500m"}, "limits": {"cpu": "1"}}}}}}"#,
        r#"control_plane.deployment.resources.kine.requests["cpu"]"#,
        "the limit is 1",
    ),
    (
        r#"{"control_plane": {"deployment": {"extra_args": {"api_server": ["v=2"]}}}}"#,
        "control_plane.deployment.extra_args.api_server[0]",
        "--v=2",
    ),
    (
        r#"{"control_plane": {"deployment": {"extra_args": {"controller_manager": ["--v 2"]}}}}"#,
        "control_plane.deployment.extra_args.controller_manager[0]",
        "each flag",
    ),
    (
        r#"{"control_plane": {"deployment": {"extra_args": {"api_server": ["--v=2", "--secure-port=443"]}}}}"#,
        "control_plane.deployment.extra_args.api_server[1]",
        "network_profile.port",
    ),
    (
        r#"{"control_plane": {"deployment": {"extra_args": {"scheduler": ["--leader-elect=false"]}}}}"#,
        "control_plane.deployment.extra_args.scheduler[0]",
        "--leader-elect",
    ),
    (
        r#"{"control_plane": {"deployment": {"extra_args": {"kine": ["--endpoint=x"]}}}}"#,
        "control_plane.deployment.extra_args.kine[0]",
        "data_store",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_containers": [{"name": "kube-scheduler", "image": "i"}]}}}"#,
        "control_plane.deployment.additional_containers[0].name",
        "of its own",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_containers": [{"name": "a", "image": "i"}],
            "additional_init_containers": [{"name": "a", "image": "i"}]}}}"#,
        "control_plane.deployment.additional_containers[0].name",
        "twice",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_containers": [{"name": "a"}]}}}"#,
        "control_plane.deployment.additional_containers[0].image",
        "no image",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_containers": [{"name": "a", "image": "i", "image_pull_policy": "Once"}]}}}"#,
        "control_plane.deployment.additional_containers[0].image_pull_policy",
        "IfNotPresent",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_containers": [{"name": "a", "image": "i",
            "liveness_probe": {"success_threshold": 2, "exec": {"command": ["true"]}}}]}}}"#,
        "control_plane.deployment.additional_containers[0].liveness_probe.success_threshold",
        "liveness",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_containers": [{"name": "a", "image": "i",
            "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2G"}}}]}}}"#,
        r#"control_plane.deployment.additional_containers[0].resources.requests["memory"]"#,
        "2G",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volumes": [{"name": "a"}]}}}"#,
        "control_plane.deployment.additional_volumes[0]",
        "no source",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volumes": [{"name": "a", "empty_dir": {}, "secret": {"secret_name": "s"}}]}}}"#,
        "control_plane.deployment.additional_volumes[0].secret",
        "empty_dir and secret",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volumes": [{"name": "kine-uds", "empty_dir": {}}]}}}"#,
        "control_plane.deployment.additional_volumes[0].name",
        "of its own",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volumes": [{"name": "a", "empty_dir": {}}, {"name": "a", "empty_dir": {}}]}}}"#,
        "control_plane.deployment.additional_volumes[1].name",
        "twice",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volume_mounts": {"api_server": [{"name": "a", "mount_path": "/a"}]}}}}"#,
        "control_plane.deployment.additional_volume_mounts.api_server[0].name",
        "additional_volumes",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volumes": [{"name": "a", "empty_dir": {}}],
            "additional_volume_mounts": {"scheduler": [{"name": "a", "mount_path": "a"}]}}}}"#,
        "control_plane.deployment.additional_volume_mounts.scheduler[0].mount_path",
        "absolute",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volumes": [{"name": "a", "empty_dir": {}}],
            "additional_containers": [{"name": "a", "image": "i",
                "volume_mounts": [{"name": "a", "mount_path": "/a"}, {"name": "a", "mount_path": "/a"}]}]}}}"#,
        "control_plane.deployment.additional_containers[0].volume_mounts[1].mount_path",
        "\"/a\" twice",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volumes": [{"name": "a", "empty_dir": {}}],
            "additional_volume_mounts": {"scheduler": [
                {"name": "a", "mount_path": "/a"}, {"name": "a", "mount_path": "/a"}]}}}}"#,
        "control_plane.deployment.additional_volume_mounts.scheduler[1].mount_path",
        "mounted twice",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_containers": [{"name": "a", "image": "i",
            "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]}}}"#,
        "control_plane.deployment.additional_containers[0].env[1].name",
        "\"A\" twice",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_containers": [{"name": "a", "image": "i",
            "ports": [{"container_port": 1}, {"container_port": 1, "protocol": "TCP"}]}]}}}"#,
        "control_plane.deployment.additional_containers[0].ports[1]",
        "`container_port` and `protocol`",
    ),
    (
        r#"{"control_plane": {"deployment": {"additional_volumes": [{"name": "a", "host_path": {"path": "/a/../b"}}]}}}"#,
        "control_plane.deployment.additional_volumes[0].host_path.path",
        "`..`",
    ),
    (
        r#"{"kubernetes": {"kubelet": {"preferred_address_types": ["Hostname", "InternalIP", "Hostname"]}}}"#,
        "kubernetes.kubelet.preferred_address_types[2]",
        "\"Hostname\" twice",
    ),
    (r#"{"network_profile": {"address": "::ffff:192.0.2.1"}}"#, "network_profile.address", "192.0.2.1"),
    (
        r#"{"network_profile": {"advertise_address": "::ffff:192.0.2.2"}}"#,
        "network_profile.advertise_address",
        "192.0.2.2",
    ),
    (
        r#"{"network_profile": {"load_balancer_source_ranges": ["192.0.2.0/24", "::ffff:198.51.100.0/120"]}}"#,
        "network_profile.load_balancer_source_ranges[1]",
        "198.51.100.0/24",
    ),
    (r#"{"network_profile": {"pod_cidr": "::ffff:10.1.0.0/112"}}"#, "network_profile.pod_cidr", "10.1.0.0/16"),
    (r#"{"network_profile": {"pod_cidrs": ["::ffff:10.1.0.0/112"]}}"#, "network_profile.pod_cidrs", "10.1.0.0/16"),
    (r#"{"network_profile": {"service_cidr": "::ffff:10.2.0.0/112"}}"#, "network_profile.service_cidr", "10.2.0.0/16"),
    (
        r#"{"control_plane": {"deployment": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}}}"#,
        "control_plane.deployment.tolerations[0].value",
        "Equal",
    ),
    (
        r#"{"control_plane": {"deployment": {"tolerations": [{"value": "b"}]}}}"#,
        "control_plane.deployment.tolerations[0].key",
        "Exists",
    ),
    (
        r#"{"control_plane": {"deployment": {"tolerations": [{"key": "a", "effect": "NoSchedule", "toleration_seconds": 5}]}}}"#,
        "control_plane.deployment.tolerations[0].toleration_seconds",
        "NoExecute",
    ),
    (
        r#"{"control_plane": {"deployment": {"tolerations": [{"key": "a", "effect": "Never"}]}}}"#,
        "control_plane.deployment.tolerations[0].effect",
        "NoSchedule",
    ),
    (
        r#"{"control_plane": {"deployment": {"topology_spread_constraints": [
            {"max_skew": 0, "topology_key": "zone", "when_unsatisfiable": "DoNotSchedule"}]}}}"#,
        "control_plane.deployment.topology_spread_constraints[0].max_skew",
        "0",
    ),
    (
        r#"{"control_plane": {"deployment": {"topology_spread_constraints": [
            {"max_skew": 1, "topology_key": "zone", "when_unsatisfiable": "DoNotSchedule"},
            {"max_skew": 2, "topology_key": "zone", "when_unsatisfiable": "DoNotSchedule"}]}}}"#,
        "control_plane.deployment.topology_spread_constraints[1].topology_key",
        "already",
    ),
    (
        r#"{"control_plane": {"deployment": {"topology_spread_constraints": [
            {"max_skew": 1, "topology_key": "zone", "when_unsatisfiable": "ScheduleAnyway", "min_domains": 2}]}}}"#,
        "control_plane.deployment.topology_spread_constraints[0].min_domains",
        "ScheduleAnyway",
    ),
    (
        r#"{"control_plane": {"deployment": {"affinity": {"node_affinity": {
            "required_during_scheduling_ignored_during_execution": {"node_selector_terms": [
                {"match_expressions": [{"key": "zone", "operator": "In"}]}]}}}}}}"#,
        "control_plane.deployment.affinity.node_affinity.required_during_scheduling_ignored_during_execution.\
         node_selector_terms[0].match_expressions[0].values",
        "at least one",
    ),
    (
        r#"{"control_plane": {"deployment": {"affinity": {"pod_anti_affinity": {
            "required_during_scheduling_ignored_during_execution": [{"topology_key": "zone", "label_selector":
                {"match_expressions": [{"key": "app", "operator": "Exists", "values": ["x"]}]}}]}}}}}"#,
        "control_plane.deployment.affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution[0].\
         label_selector.match_expressions[0].values",
        "no value",
    ),
    (
        r#"{"control_plane": {"deployment": {"affinity": {"pod_affinity": {
            "preferred_during_scheduling_ignored_during_execution": [{"weight": 0, "pod_affinity_term":
                {"topology_key": "zone"}}]}}}}}"#,
        "control_plane.deployment.affinity.pod_affinity.preferred_during_scheduling_ignored_during_execution[0].weight",
        "100",
    ),
    (
        r#"{"control_plane": {"deployment": {"pod_additional_metadata": {"labels": {"kamaji.clastix.io/name": "other"}}}}}"#,
        r#"control_plane.deployment.pod_additional_metadata.labels["kamaji.clastix.io/name"]"#,
        "finds the pods",
    ),
    (
        r#"{"control_plane": {"deployment": {"service_account_name": "Robot"}}}"#,
        "control_plane.deployment.service_account_name",
        "Robot",
    ),
    (
        r#"{"control_plane": {"deployment": {"probes": {"liveness": {"period_seconds": 0}}}}}"#,
        "control_plane.deployment.probes.liveness.period_seconds",
        "0",
    ),
    (
        r#"{"control_plane": {"deployment": {"probes": {"api_server": {"startup": {"success_threshold": 3}}}}}}"#,
        "control_plane.deployment.probes.api_server.startup.success_threshold",
        "startup",
    ),
];

const DATA: &[Mistake] = &[
    (r#"{"data_store": "Default"}"#, "data_store", "Default"),
    (r#"{"data_store_overrides": [{"data_store": "events"}]}"#, "data_store_overrides[0].resource", "resource"),
    (r#"{"data_store_overrides": [{"resource": "/events"}]}"#, "data_store_overrides[0].data_store", "data_store"),
    (
        r#"{"data_store_overrides": [{"resource": "events", "data_store": "events"}]}"#,
        "data_store_overrides[0].resource",
        "/events",
    ),
    (
        r#"{"data_store_overrides": [{"resource": "/events", "data_store": "a"}, {"resource": "/events", "data_store": "b"}]}"#,
        "data_store_overrides[1].resource",
        "already",
    ),
];

const SETTINGS: &[Mistake] = &[
    (r#"{"wait_for": "up"}"#, "wait_for", "reachable"),
    (r#"{"timeouts": {"create": "soon"}}"#, "timeouts.create", "soon"),
    (r#"{"timeouts": {"delete": "-5m"}}"#, "timeouts.delete", "-5m"),
];

pub const ALL: [&[Mistake]; 8] = [METADATA, KUBERNETES, EXPOSURE, NETWORKS, ADDONS, DEPLOYMENT, DATA, SETTINGS];
