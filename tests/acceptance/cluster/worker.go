// Worker machines: booting, entering, ending one.

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

const workerUsage = `usage: cluster worker up NAME [--index N] --user-data FILE
       cluster worker run NAME -- COMMAND...
       cluster worker down NAME`

// guestDir is where a worker machine sees the programs of the cluster.
const guestDir = "/usr/local/lib/kamaji-local"

func workerCommand(s *Settings, args []string) error {
	if len(args) < 2 {
		return errors.New(workerUsage)
	}
	if s.External != "" {
		return errors.New("KUBECONFIG is set to another cluster: worker machines are made for the cluster of `cluster up` only")
	}
	if err := requireRoot(); err != nil {
		return err
	}
	name, rest := args[1], args[2:]
	switch args[0] {
	case "up":
		index, userData := 0, ""
		for len(rest) >= 2 {
			switch rest[0] {
			case "--index":
				n, err := strconv.Atoi(rest[1])
				if err != nil || n < 2 || n > 254 {
					return errors.New("--index: a number from 2 to 254 is wanted")
				}
				index = n
			case "--user-data":
				userData = rest[1]
			default:
				return errors.New(workerUsage)
			}
			rest = rest[2:]
		}
		if len(rest) > 0 || userData == "" {
			return errors.New(workerUsage)
		}
		return workerUp(s, name, index, userData)
	case "run":
		if len(rest) > 0 && rest[0] == "--" {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return errors.New(workerUsage)
		}
		m, err := openWorker(s, name)
		if err != nil {
			return err
		}
		return runAttached(s, m, nil, rest...)
	case "down":
		return workerDown(s, name)
	}
	return errors.New(workerUsage)
}

var machineName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func openWorker(s *Settings, name string) (*Machine, error) {
	m, err := openMachine(s, name)
	if err != nil || name == managementName {
		return nil, fmt.Errorf("no worker machine %q", name)
	}
	return m, nil
}

func workerUp(s *Settings, name string, index int, userData string) error {
	if !machineName.MatchString(name) || name == managementName {
		return fmt.Errorf("%q cannot be the name of a worker machine", name)
	}
	data, err := os.ReadFile(userData)
	if err != nil {
		return err
	}
	if _, err := parseUserData(data); err != nil {
		return err // before a machine is made for it
	}
	m, err := bootWorker(s, name, index)
	if err != nil {
		return err
	}
	say("machine %s is up at %s; its user data runs", name, workerAddress(m.Spec.Index))
	if err := os.WriteFile(m.Dir+"/user-data", data, 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(m.logPath("user-data"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := runAttached(s, m, log, guestDir+"/apply-user-data", m.Dir+"/user-data"); err != nil {
		return fmt.Errorf("the user data of %s failed (its output: %s; the machine is left running): %v", name, m.logPath("user-data"), err)
	}
	say("the user data of %s has run", name)
	return nil
}

// bootWorker makes the machine, up to its container runtime.
func bootWorker(s *Settings, name string, index int) (*Machine, error) {
	unlock, err := lockState(s)
	if err != nil {
		return nil, err
	}
	defer unlock()
	management, err := openMachine(s, managementName)
	if err != nil || management.pid() == 0 {
		return nil, errors.New("the cluster is not up")
	}
	if exists(machineDir(s, name)) {
		return nil, fmt.Errorf("there is a worker machine %s already", name)
	}
	if index, err = chooseIndex(s, index); err != nil {
		return nil, err
	}
	m := &Machine{Dir: machineDir(s, name), Spec: workerSpec(s, name, index)}
	if err := m.boot(s, func(pid int) error { return connectWorker(management.pid(), pid, index) }); err != nil {
		return nil, err
	}
	if err := writeHosts(s); err != nil {
		return nil, err
	}
	return m, waitContainerd(s, m)
}

// chooseIndex gives a worker its place: the one that is asked for, or the
// first free one from 10 on.
func chooseIndex(s *Settings, wanted int) (int, error) {
	taken := map[int]string{}
	for _, n := range machines(s) {
		if m, err := openMachine(s, n); err == nil {
			taken[m.Spec.Index] = n
		}
	}
	if other := taken[wanted]; wanted != 0 && other != "" {
		return 0, fmt.Errorf("index %d belongs to worker machine %s", wanted, other)
	}
	for i := 10; wanted == 0 && i < 255; i++ {
		if taken[i] == "" {
			wanted = i
		}
	}
	if wanted == 0 {
		return 0, errors.New("no address is left for another worker machine")
	}
	return wanted, nil
}

// writeHosts tells the names of the workers to the cluster's name server:
// tenants' API servers call kubelets by their node's name.
func writeHosts(s *Settings) error {
	var b strings.Builder
	for _, n := range machines(s) {
		if m, err := openMachine(s, n); err == nil && n != managementName {
			fmt.Fprintf(&b, "%s %s\n", workerAddress(m.Spec.Index), n)
		}
	}
	return os.WriteFile(s.path("hosts"), []byte(b.String()), 0o600)
}

// workerSpec describes a worker as a machine image would be: a container
// runtime that runs, kubeadm and kubelet that are installed.
func workerSpec(s *Settings, name string, index int) MachineSpec {
	dir := machineDir(s, name)
	guest := func(path, program string) [2]string { return [2]string{path, guestDir + "/" + program} }
	return MachineSpec{
		Name: name, Index: index,
		Binds: [][2]string{
			{dir, dir}, {s.path("bin"), guestDir},
			{dir + "/containerd", "/var/lib/containerd"}, {dir + "/kubelet", "/var/lib/kubelet"}, {dir + "/kubernetes", "/etc/kubernetes"},
		},
		Links: [][2]string{
			guest("/usr/bin/kubeadm", "cluster"), guest("/usr/local/bin/kubeadm", "cluster"),
			guest("/usr/bin/systemctl", "cluster"), guest("/usr/local/bin/systemctl", "cluster"),
			guest("/usr/bin/kubelet", "kubelet"), guest("/usr/local/bin/kubelet", "kubelet"),
			guest("/usr/bin/kubectl", "kubectl"), guest("/usr/local/bin/kubectl", "kubectl"),
		},
		Files: append(nodeFiles(name, fmt.Sprintf(workerPodRange, index), true),
			MachineFile{machineKubeletArgs, 0o644, strings.Join([]string{
				"--node-ip=" + workerAddress(index),
				"--cgroup-driver=cgroupfs",
				"--cgroup-root=/" + cgroupName + "/" + name,
				"--enforce-node-allocatable=",
				"--fail-swap-on=false",
				"--oom-score-adj=0",
				// The disk is the host's: how full that is must not keep pods off.
				"--eviction-hard=memory.available<100Mi,nodefs.available<1%,imagefs.available<1%,nodefs.inodesFree<1%",
				"--image-gc-high-threshold=100",
			}, "\n") + "\n"},
			// As Debian's packages have it, for the user data to use.
			MachineFile{"/etc/default/kubelet", 0o644, "KUBELET_EXTRA_ARGS=\n"},
			MachineFile{"/etc/machine-id", 0o444, fmt.Sprintf("%032x\n", index)},
		),
		Units: []Unit{
			{Name: "containerd", Args: []string{"/usr/bin/containerd"}},
			{Name: "kubelet", Args: []string{guestDir + "/kubelet-unit"}, Disabled: true},
		},
	}
}

func workerDown(s *Settings, name string) error {
	unlock, err := lockState(s)
	if err != nil {
		return err
	}
	defer unlock()
	if !exists(machineDir(s, name)) {
		say("there is no worker machine %s", name)
		return nil
	}
	if name == managementName || filepath.Base(name) != name {
		return fmt.Errorf("%q is no worker machine", name)
	}
	if err := (&Machine{Dir: machineDir(s, name)}).destroy(); err != nil {
		return err
	}
	return writeHosts(s)
}

// runAttached runs a command in a machine with our own input and output, and
// writes the output to a log as well where there is one.
func runAttached(s *Settings, m *Machine, log io.Writer, args ...string) error {
	c, err := m.command(s, args...)
	if err != nil {
		return err
	}
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if log != nil {
		c.Stdin = nil
		c.Stdout = io.MultiWriter(os.Stderr, log)
		c.Stderr = c.Stdout
	}
	return c.Run()
}
