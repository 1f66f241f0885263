// Settings: what the environment says, and the addresses that are fixed.

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Addresses of the cluster. They exist on this machine only, behind one veth
// pair; all of them are reached through the management node.
const (
	hostLink          = "kamaji0"       // this machine's end of the veth pair
	hostAddress       = "10.250.0.1"    // its address
	nodeAddress       = "10.250.0.2"    // the management node: API 6443, NodePorts
	nodePrefix        = "24"            //
	workerGateway     = "10.250.1.1"    // the management node, on the workers' bridge
	workerRange       = "10.250.1.0/24" // worker N has 10.250.1.N
	workerPodRange    = "10.245.%d.0/24"
	serviceRange      = "10.96.0.0/16"
	podRange          = "10.244.0.0/24"
	loadBalancerRange = "10.251.0.0/24"
	nodePortRange     = "30000-32767"
)

// cgroupName is the cgroup below which every process of the cluster lives.
const cgroupName = "kamaji-local"

// managementName is the machine that is the management node.
const managementName = "management"

// maxSocketPath is the longest path that a unix socket can have.
const maxSocketPath = 107

// Settings is what the environment says about where things are.
type Settings struct {
	State        string // everything of the running cluster
	Cache        string // built programs
	External     string // kubeconfig of a cluster that is not ours to manage
	KamajiBinary string // another Kamaji manager than the bundled one
	CRDDirectory string // the custom resource definitions that go with it
}

func loadSettings() (*Settings, error) {
	s := &Settings{
		State:        os.Getenv("KAMAJI_CLUSTER_STATE"),
		Cache:        os.Getenv("KAMAJI_CLUSTER_CACHE"),
		External:     os.Getenv("KUBECONFIG"),
		KamajiBinary: os.Getenv("KAMAJI_BIN"),
		CRDDirectory: os.Getenv("KAMAJI_CRD_DIR"),
	}
	if s.State == "" {
		s.State = "/var/lib/terraform-provider-kamaji/cluster"
	}
	if s.Cache == "" {
		dir, err := os.UserCacheDir() // $XDG_CACHE_HOME or ~/.cache
		if err != nil {
			return nil, fmt.Errorf("no place for built programs: set KAMAJI_CLUSTER_CACHE (%w)", err)
		}
		s.Cache = dir
	}
	s.Cache = filepath.Join(s.Cache, "terraform-provider-kamaji")
	for _, p := range []*string{&s.State, &s.Cache, &s.KamajiBinary, &s.CRDDirectory} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return nil, err
		}
		*p = abs
	}
	if n := len(machineDir(s, managementName) + "/init.sock"); n+8 > maxSocketPath {
		return nil, fmt.Errorf("KAMAJI_CLUSTER_STATE is too long for unix sockets: %s", s.State)
	}
	// A KUBECONFIG that names our own cluster, as `cluster env` prints it, does
	// not make that cluster somebody else's.
	if abs, err := filepath.Abs(s.External); err == nil && s.External != "" && abs == s.kubeconfig() {
		s.External = ""
	}
	return s, nil
}

func (s *Settings) path(elem ...string) string {
	return filepath.Join(append([]string{s.State}, elem...)...)
}

// kubeconfig is the admin kubeconfig of the management cluster of up.
func (s *Settings) kubeconfig() string { return s.path("pki", "admin.conf") }

// bin is the path of a program as the machines see it.
func (s *Settings) bin(name string) string { return s.path("bin", name) }

func requireRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("root is needed: the cluster makes network namespaces, mounts and cgroups")
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
