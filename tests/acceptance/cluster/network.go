// The network between host, management node and workers.

package main

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
)

// hostCommand runs a program of the host and returns what it printed.
func hostCommand(args ...string) (string, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), err
}

// ip runs `ip` with the arguments in one string, on the host (pid 0) or in the
// network of a machine.
func ip(pid int, args string, values ...any) error {
	command := append([]string{"ip"}, strings.Fields(fmt.Sprintf(args, values...))...)
	if pid != 0 {
		command = append([]string{"nsenter", "--target", strconv.Itoa(pid), "--net", "--"}, command...)
	}
	_, err := hostCommand(command...)
	return err
}

// bridgeAddress is the hardware address of the gateway of worker machines.
const bridgeAddress = "02:6b:61:6d:61:6a"

// hostRoutes are the ranges that are reached through the management node.
var hostRoutes = []string{serviceRange, podRange, loadBalancerRange, workerRange}

// connectManagement joins the management node to the host, and gives it a
// bridge for worker machines.
func connectManagement(pid int) error {
	steps := []struct {
		pid  int
		args string
	}{
		{0, fmt.Sprintf("link add %s type veth peer name eth0 netns %d", hostLink, pid)},
		{0, fmt.Sprintf("addr add %s/%s dev %s", hostAddress, nodePrefix, hostLink)},
		{0, "link set " + hostLink + " up"},
		{pid, "link set lo up"},
		{pid, fmt.Sprintf("addr add %s/%s dev eth0", nodeAddress, nodePrefix)},
		{pid, "link set eth0 up"},
		{pid, "route add default via " + hostAddress},
		{pid, "link add workers type bridge"},
		// Of its own: otherwise it is that of one of its links, and changes when that machine ends, to the surprise of the others.
		{pid, "link set workers address " + bridgeAddress},
		{pid, "addr add " + workerGateway + "/24 dev workers"},
		{pid, "link set workers up"},
	}
	for _, r := range hostRoutes {
		steps = append(steps, struct {
			pid  int
			args string
		}{0, "route add " + r + " via " + nodeAddress + " dev " + hostLink})
	}
	for _, s := range steps {
		if err := ip(s.pid, "%s", s.args); err != nil {
			return err
		}
	}
	return nil
}

// connectWorker joins a worker machine to the bridge of the management node.
func connectWorker(management, pid, index int) error {
	link := fmt.Sprintf("worker%d", index)
	// A machine that ended may have left its link: connections that it had are still being given up.
	ip(management, "link del %s", link)
	for _, s := range []struct {
		pid  int
		args string
	}{
		{management, fmt.Sprintf("link add %s type veth peer name eth0 netns %d", link, pid)},
		{management, fmt.Sprintf("link set %s master workers up", link)},
		{pid, "link set lo up"},
		{pid, fmt.Sprintf("addr add %s/24 dev eth0", workerAddress(index))},
		{pid, "link set eth0 up"},
		{pid, "route add default via " + workerGateway},
	} {
		if err := ip(s.pid, "%s", s.args); err != nil {
			return err
		}
	}
	return nil
}

func workerAddress(index int) string {
	return strings.TrimSuffix(workerGateway, ".1") + "." + strconv.Itoa(index)
}

// routesOfOurs finds the lines of `ip route` that lead to the cluster.
func routesOfOurs(routes string) []string {
	var ours []string
	for _, line := range strings.Split(routes, "\n") {
		f := strings.Fields(line)
		for i := 0; i+1 < len(f); i++ {
			if f[i] == "dev" && f[i+1] == hostLink || f[i] == "via" && f[i+1] == nodeAddress {
				ours = append(ours, strings.Join(f, " "))
				break
			}
		}
	}
	return ours
}

func hasHostLink() bool {
	_, err := net.InterfaceByName(hostLink)
	return err == nil
}
