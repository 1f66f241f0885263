// Facts about the cluster for shells.

package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// Of the NodePorts, the API server gives these to nobody by itself as long as
// it has others: ports that are chosen by hand belong here.
const firstStaticNodePort, lastStaticNodePort = 30000, 30085

// printEnv is `cluster env`.
func printEnv(s *Settings) error {
	program, kubeconfig, err := kubectlFor(s)
	if err != nil {
		return err
	}
	get := func(args ...string) (string, error) {
		c := exec.Command(program, append([]string{"--kubeconfig=" + kubeconfig, "--request-timeout=20s"}, args...)...)
		out, err := c.Output()
		return string(out), err
	}
	node := nodeAddress
	if s.External != "" {
		if node, err = get("get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`); err != nil {
			return errors.New("the cluster of KUBECONFIG does not answer")
		}
	}
	ports, err := get("get", "services", "-A", "-o", "jsonpath={.items[*].spec.ports[*].nodePort}")
	if err != nil {
		return errors.New("the cluster does not answer")
	}
	facts := [][2]string{
		{"KUBECONFIG", kubeconfig},
		{"KAMAJI_CLUSTER_KUBECTL", program},
		{"KAMAJI_CLUSTER_NODE_ADDRESS", node},
		{"KAMAJI_CLUSTER_FREE_NODEPORTS", strings.Join(freeNodePorts(ports, 20), " ")},
	}
	if s.External == "" {
		facts = append(facts, [][2]string{
			{"KAMAJI_CLUSTER_STATE", s.State},
			{"KAMAJI_CLUSTER_NODE_NAME", managementName},
			{"KAMAJI_CLUSTER_NODEPORTS", nodePortRange},
			{"KAMAJI_CLUSTER_LOADBALANCERS", loadBalancerRange},
			{"KAMAJI_CLUSTER_DATASTORES", "default second"},
			{"KAMAJI_CLUSTER_ETCD_ENDPOINT", etcdEndpoint(etcds[3].port)},
			{"KAMAJI_CLUSTER_ETCD_SECRET_NAMESPACE", kamajiNamespace},
			{"KAMAJI_CLUSTER_ETCD_SECRET_NAME", quickstartSecret},
			{"KAMAJI_CLUSTER_WORKER_ADDRESSES", workerRange},
		}...)
		for _, name := range machines(s) {
			if m, err := openMachine(s, name); err == nil && name != managementName {
				variable := "KAMAJI_CLUSTER_WORKER_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
				facts = append(facts, [2]string{variable, workerAddress(m.Spec.Index)})
			}
		}
	}
	for _, f := range facts {
		fmt.Printf("export %s=%s\n", f[0], shellQuote(f[1]))
	}
	return nil
}

// freeNodePorts picks ports that no Service has, given those that are in use.
func freeNodePorts(used string, most int) []string {
	taken := map[string]bool{}
	for _, p := range strings.Fields(used) {
		taken[p] = true
	}
	var free []string
	for p := firstStaticNodePort; p <= lastStaticNodePort && len(free) < most; p++ {
		if text := strconv.Itoa(p); !taken[text] {
			free = append(free, text)
		}
	}
	return free
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
