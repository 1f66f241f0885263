// Bringing the cluster up and down, and looking at it.

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// up is `cluster up`. Its last line on standard output is the path of the
// kubeconfig.
func up(s *Settings) error {
	if s.External != "" {
		if err := checkExternal(s); err != nil {
			return err
		}
		say("KUBECONFIG is set: nothing is started, its cluster answers and has Kamaji")
		fmt.Println(s.External)
		return nil
	}
	if err := requireRoot(); err != nil {
		return err
	}
	stages := newStages()
	var components string
	if err := stages.run("build", "the cluster's programs", func() (err error) {
		components, err = buildComponents(s)
		return err
	}); err != nil {
		return err
	}
	unlock, err := lockState(s)
	if err != nil {
		return err
	}
	defer unlock()
	wanted := fingerprint(s, components)
	if running, err := os.ReadFile(s.path("fingerprint")); err == nil {
		trouble := patiently(20*time.Second, func() error { return healthyCluster(s) })
		if trouble == nil && string(running) != wanted {
			return fmt.Errorf("a cluster of other programs or settings is running, end it first (cluster down)\nrunning: %swanted:  %s", running, wanted)
		}
		if trouble == nil {
			say("the cluster is up already")
			fmt.Println(s.kubeconfig())
			return nil
		}
		say("what is there is no healthy cluster: %v", trouble)
	}
	if err := checkForeign(s); err != nil {
		return err
	}
	if left := findLeftovers(s); len(left) > 0 {
		if err := stages.run("cleaning", "what an earlier cluster left behind", func() error { return cleanup(s) }); err != nil {
			return err
		}
	}
	m := &Machine{Dir: machineDir(s, managementName)}
	for _, stage := range []struct {
		name, doing string
		work        func() error
	}{
		{"packages", "Debian packages of the container runtime and its network", installMachinePackages},
		{"state", "certificates and programs in " + s.State, func() error { return prepareState(s, components, wanted) }},
		{"network", "the management node's namespaces, addresses and routes", func() error {
			m.Spec = managementSpec(s)
			return m.boot(s, connectManagement)
		}},
		{"etcd", "one etcd for the management API, three for tenants", func() error {
			return startUnits(m, etcdUnits(s), func() error { return startEtcds(s, m) })
		}},
		{"apiserver", "kube-apiserver", func() error {
			return startUnits(m, controlPlaneUnits(s)[:1], func() error { return waitAPIServer(s, m, 90*time.Second) })
		}},
		{"controllers", "controllers, scheduler, names, load balancer, registry", func() error {
			return startUnits(m, controlPlaneUnits(s)[1:], func() error { return nil })
		}},
		{"node", "containerd, kubelet, kube-proxy", func() error {
			if err := m.post("containerd", "start"); err != nil {
				return err
			}
			if err := waitContainerd(s, m); err != nil {
				return err
			}
			return startUnits(m, []Unit{{Name: "kubelet"}, {Name: "kube-proxy"}}, func() error { return nil })
		}},
		{"kamaji", "definitions, data stores, manager, webhooks", func() error { return installKamaji(s, m) }},
		{"ready", "the node accepts pods", func() error { return waitNode(s, m, 90*time.Second) }},
	} {
		if err := stages.run(stage.name, stage.doing, stage.work); err != nil {
			return fmt.Errorf("%w\n(what was started is still there; `cluster down` ends it)", err)
		}
	}
	if err := os.WriteFile(s.path("fingerprint"), []byte(wanted), 0o600); err != nil {
		return err
	}
	stages.report()
	fmt.Println(s.kubeconfig())
	return nil
}

func startUnits(m *Machine, units []Unit, wait func() error) error {
	for _, u := range units {
		if err := m.post(u.Name, "start"); err != nil {
			return err
		}
	}
	return wait()
}

// lockState makes commands that change the cluster wait for each other.
func lockState(s *Settings) (func(), error) {
	parent := filepath.Dir(s.State)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	return lock(parent, "another command of the cluster")
}

// marker names the file that says that a directory is a cluster's state: only
// such a directory is ever removed.
const marker = "kamaji-local-cluster"

// prepareState fills the state directory with programs and certificates.
func prepareState(s *Settings, components, fingerprint string) error {
	for _, d := range []string{"bin", "etcd", "machines"} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.State, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(s.path(marker), []byte(fingerprint), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("hosts"), nil, 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := copyFile(self, s.bin("cluster"), 0o755); err != nil {
		return err
	}
	for _, n := range guestNames {
		if err := os.Symlink("cluster", s.bin(n)); err != nil {
			return err
		}
	}
	for _, f := range []string{"components", "pause"} {
		if err := linkOrCopy(components+"/"+f, s.bin(f)); err != nil {
			return err
		}
	}
	for _, n := range componentNames {
		if n == "kamaji" && s.KamajiBinary != "" {
			if err := copyFile(s.KamajiBinary, s.bin(n), 0o755); err != nil {
				return err
			}
		} else if err := os.Symlink("components", s.bin(n)); err != nil {
			return err
		}
	}
	if err := os.Symlink(components+"/crds", s.bin("crds")); err != nil {
		return err
	}
	_, err = hostCommand(s.bin("components"), "pki", "--dir="+s.path("pki"), "--address="+nodeAddress,
		"--port=6443", "--service-ip=10.96.0.1", "--node="+managementName)
	return err
}

// linkOrCopy saves the copy of a big file where a link will do.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	return copyFile(from, to, 0o755)
}

// fingerprint tells clusters of different programs or settings apart.
func fingerprint(s *Settings, components string) string {
	text := "components " + filepath.Base(components)
	if st, err := os.Stat(s.KamajiBinary); err == nil {
		text += fmt.Sprintf(" KAMAJI_BIN %s (%d bytes of %s)", s.KamajiBinary, st.Size(), st.ModTime().UTC().Format(time.RFC3339))
	}
	if s.CRDDirectory != "" {
		text += " KAMAJI_CRD_DIR " + s.CRDDirectory
	}
	return text + "\n"
}

// healthyCluster tells what is wrong with the cluster that should be running.
func healthyCluster(s *Settings) error {
	m, err := openMachine(s, managementName)
	if err != nil {
		return permanent{err}
	}
	if m.pid() == 0 {
		return permanent{errors.New("the management node has ended")}
	}
	units, err := m.units()
	if err != nil {
		return err
	}
	for _, u := range units {
		if u.PID == 0 {
			return permanent{fmt.Errorf("%s does not run (%s)", u.Name, u.LastExit)}
		}
	}
	if err := ready(s); err != nil {
		return err
	}
	if _, err := kubectl(s, "get", "crd", "tenantcontrolplanes.kamaji.clastix.io", "datastores.kamaji.clastix.io"); err != nil {
		return err
	}
	if err := healthy("http://" + nodeAddress + ":8081/readyz"); err != nil {
		return err
	}
	return nodeReady(s)
}

// down is `cluster down`.
func down(s *Settings) error {
	if s.External != "" {
		say("KUBECONFIG is set: nothing of ours to end")
		return nil
	}
	if err := requireRoot(); err != nil {
		return err
	}
	unlock, err := lockState(s)
	if err != nil {
		return err
	}
	defer unlock()
	if err := checkForeign(s); err != nil {
		return err
	}
	begin := time.Now()
	if err := cleanup(s); err != nil {
		return err
	}
	say("down after %.1f s", time.Since(begin).Seconds())
	return nil
}

// status is `cluster status`.
func status(s *Settings) error {
	for _, name := range machines(s) {
		m, err := openMachine(s, name)
		if err != nil {
			return err
		}
		fmt.Printf("machine %s: first process %d (pids below are those inside)\n", name, m.pid())
		units, err := m.units()
		if err != nil {
			fmt.Println("   does not answer:", err)
			continue
		}
		for _, u := range units {
			state := fmt.Sprintf("pid %d", u.PID)
			if u.PID == 0 {
				state = "stopped"
			}
			fmt.Printf("   %-24s %-12s restarts %d %s\n", u.Name, state, u.Restarts, u.LastExit)
		}
	}
	return nil
}

// logs is `cluster logs [NAME]`.
func logs(s *Settings, args []string) error {
	files, err := filepath.Glob(s.path("machines/*/logs/*.log"))
	if err != nil {
		return err
	}
	found := false
	for _, f := range files {
		rel, _ := filepath.Rel(s.path("machines"), f)
		name := filepath.Base(f)
		if len(args) == 0 {
			fmt.Println(f)
			continue
		}
		if name == args[0]+".log" || filepath.Dir(filepath.Dir(rel)) == args[0] {
			found = true
			fmt.Printf("==> %s\n", f)
			c := exec.Command("cat", f)
			c.Stdout = os.Stdout
			if err := c.Run(); err != nil {
				return err
			}
		}
	}
	if len(args) > 0 && !found {
		return fmt.Errorf("no log of %q", args[0])
	}
	return nil
}
