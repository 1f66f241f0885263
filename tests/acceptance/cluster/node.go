// What makes a machine a node: container runtime, its network, kubelet, kube-proxy.

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const registryAddress = nodeAddress + ":5000"

const containerdSocket = "/run/containerd/containerd.sock"

// nodeFiles are the files of any machine that is a node: name resolution, the
// container runtime and its network. CNI plugins are ptp ones: between pods of
// one node everything is routed, so that Services work without the settings
// that a bridge would need.
func nodeFiles(name, pods string, masquerade bool) []MachineFile {
	return []MachineFile{
		{"/etc/resolv.conf", 0o644, "nameserver " + nodeAddress + "\noptions ndots:1 timeout:1\n"},
		{"/etc/hostname", 0o644, name + "\n"},
		{"/etc/hosts", 0o644, "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 " + name + "\n"},
		// Every registry is the cluster's own one.
		{"/etc/containerd/certs.d/_default/hosts.toml", 0o644, fmt.Sprintf(`server = "http://%[1]s"
[host."http://%[1]s"]
  capabilities = ["pull", "resolve"]
`, registryAddress)},
		{"/etc/containerd/config.toml", 0o644, `version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "kamaji.local/pause:1"
  # a machine without CAP_SYS_RESOURCE cannot lower the score
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`},
		{"/etc/cni/net.d/10-kamaji-local.conflist", 0o644, fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "kamaji-local", "plugins": [
  {"type": "ptp", "ipMasq": %t, "mtu": 1500, "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`, masquerade, pods)},
	}
}

// managementSpec describes the management node.
func managementSpec(s *Settings) MachineSpec {
	files := nodeFiles(managementName, podRange, false)
	files = append(files,
		MachineFile{"/etc/kamaji-local/kubelet.yaml", 0o600, strings.NewReplacer(
			"PKI", s.path("pki"), "SOCKET", containerdSocket, "CGROUP", "/"+cgroupName+"/"+managementName, "ADDRESS", nodeAddress,
		).Replace(kubeletConfig)},
		MachineFile{"/etc/kamaji-local/kube-proxy.yaml", 0o600, strings.NewReplacer(
			"PKI", s.path("pki"), "NAME", managementName, "PODS", podRange,
		).Replace(kubeProxyConfig)},
	)
	units := append(etcdUnits(s), controlPlaneUnits(s)...)
	units = append(units,
		Unit{Name: "containerd", Args: []string{"/usr/bin/containerd"}},
		Unit{Name: "kubelet", Args: []string{
			s.bin("kubelet"), "--config=/etc/kamaji-local/kubelet.yaml", "--kubeconfig=" + s.path("pki/node.conf"),
			"--hostname-override=" + managementName, "--node-ip=" + nodeAddress,
		}},
		Unit{Name: "kube-proxy", Args: []string{s.bin("kube-proxy"), "--config=/etc/kamaji-local/kube-proxy.yaml"}},
		kamajiUnit(s),
	)
	for i := range units {
		units[i].Disabled = true // up starts them one stage after the other
	}
	dir := machineDir(s, managementName)
	return MachineSpec{
		Name:  managementName,
		Binds: [][2]string{{s.State, s.State}, {dir + "/containerd", "/var/lib/containerd"}, {dir + "/kubelet", "/var/lib/kubelet"}},
		Files: files,
		Units: units,
	}
}

const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: "PKI/ca.crt"}}
authorization: {mode: Webhook}
tlsCertFile: "PKI/kubelet.crt"
tlsPrivateKeyFile: "PKI/kubelet.key"
containerRuntimeEndpoint: "unix://SOCKET"
cgroupDriver: cgroupfs
cgroupRoot: CGROUP
enforceNodeAllocatable: []
healthzBindAddress: ADDRESS
clusterDNS: [ADDRESS]
clusterDomain: cluster.local
resolvConf: /etc/resolv.conf
oomScoreAdj: 0
failSwapOn: false
serializeImagePulls: false
maxPods: 200
evictionHard: {memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%", nodefs.inodesFree: "1%"}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 10s
syncFrequency: 10s
`

const kubeProxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: "PKI/kube-proxy.conf"}
hostnameOverride: NAME
oomScoreAdj: 0
mode: iptables
clusterCIDR: "PODS"
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 0s, syncPeriod: 30s}
`

// waitContainerd waits for the container runtime of a machine.
func waitContainerd(s *Settings, m *Machine) error {
	return waitFor(m, "containerd", "containerd of "+m.Spec.Name, 30*time.Second, func() error {
		_, err := m.run(s, "ctr", "version")
		return err
	})
}

func waitNode(s *Settings, m *Machine, deadline time.Duration) error {
	return waitFor(m, "kubelet", "management node", deadline, func() error { return nodeReady(s) })
}

func nodeReady(s *Settings) error {
	out, err := kubectl(s, "get", "node", managementName, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
	if err == nil && out != "True" {
		err = errors.New("node " + managementName + " is not Ready: " + out)
	}
	return err
}
