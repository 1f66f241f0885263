package main

import (
	"log"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// adaptKubeProxyConfig lets kube-proxy run in a machine that is only a network
// namespace. There the limits of connection tracking belong to the host and
// cannot be written, which kube-proxy takes for a fatal error: its configuration
// is replaced by a copy that leaves them alone.
func adaptKubeProxyConfig() {
	f, err := os.OpenFile("/proc/sys/net/netfilter/nf_conntrack_max", os.O_WRONLY, 0)
	if err == nil {
		f.Close()
		return
	}
	for i, a := range os.Args {
		path, ok := strings.CutPrefix(a, "--config=")
		if !ok {
			continue
		}
		copied, err := withoutConntrackLimits(path)
		if err != nil {
			log.Println("kube-proxy configuration left as it is:", err)
			return
		}
		os.Args[i] = "--config=" + copied
	}
}

func withoutConntrackLimits(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var c map[string]any
	if err := yaml.Unmarshal(b, &c); err != nil {
		return "", err
	}
	c["conntrack"] = map[string]any{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
	if b, err = yaml.Marshal(c); err != nil {
		return "", err
	}
	copied := filepath.Join(os.TempDir(), "kube-proxy.conf")
	return copied, os.WriteFile(copied, b, 0o600)
}
