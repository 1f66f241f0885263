// Machines as seen from the host: making, asking, entering, ending one.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is a directory of the state and, when it is up, a first process in
// namespaces of its own: mounts, processes, network, host name, IPC. When that
// process ends, the kernel ends all others of the machine and takes back its
// mounts and network devices: nothing of a machine can outlive it.
type Machine struct {
	Dir  string
	Spec MachineSpec
}

// MachineSpec is what the first process reads to make its machine.
type MachineSpec struct {
	Name  string
	Index int // the last part of a worker's address
	// Directories of the host that are seen inside, from -> to. The rest of
	// the host's root file system is seen too, but what is written to it stays
	// in memory and inside.
	Binds [][2]string
	Links [][2]string // symbolic links, path -> target
	Files []MachineFile
	Units []Unit
}

// MachineFile is a file that the machine has from the beginning.
type MachineFile struct {
	Path    string
	Mode    os.FileMode
	Content string
}

// Unit is a program that a machine's first process starts and restarts.
type Unit struct {
	Name     string
	Args     []string
	Env      []string `json:",omitempty"`
	Disabled bool     `json:",omitempty"` // not started with the machine
}

// UnitStatus is what a machine says about a unit.
type UnitStatus struct {
	Name     string
	PID      int // 0 when it does not run
	Wanted   bool
	Restarts int
	LastExit string
}

func machineDir(s *Settings, name string) string { return s.path("machines", name) }

// openMachine reads a machine from the state, whether or not it is up.
func openMachine(s *Settings, name string) (*Machine, error) {
	m := &Machine{Dir: machineDir(s, name)}
	b, err := os.ReadFile(m.Dir + "/machine.json")
	if err != nil {
		return nil, err
	}
	return m, json.Unmarshal(b, &m.Spec)
}

// machines returns the names of all machines in the state.
func machines(s *Settings) []string {
	var names []string
	entries, _ := os.ReadDir(s.path("machines"))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (m *Machine) record() (ProcessRecord, error) { return readRecord(m.Dir + "/init.json") }

// pid is the machine's first process, 0 when the machine is not up.
func (m *Machine) pid() int {
	if r, err := m.record(); err == nil && r.alive() {
		return r.PID
	}
	return 0
}

func (m *Machine) logPath(unit string) string { return filepath.Join(m.Dir, "logs", unit+".log") }

// boot starts the machine's first process and waits until it has made the
// machine. The network is connected before any unit starts.
func (m *Machine) boot(s *Settings, connect func(pid int) error) error {
	if err := os.MkdirAll(m.Dir+"/logs", 0o700); err != nil {
		return err
	}
	for _, b := range m.Spec.Binds {
		if !exists(b[0]) {
			if err := os.MkdirAll(b[0], 0o755); err != nil {
				return err
			}
		}
	}
	if err := makeMachineCgroup(m.Spec.Name); err != nil {
		return err
	}
	if err := writeJSON(m.Dir+"/machine.json", m.Spec); err != nil {
		return err
	}
	log, err := os.OpenFile(m.logPath("init"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(s.bin("cluster"), "machine-init", m.Dir)
	c.Dir = "/"
	c.Env = []string{"PATH=" + systemPath, "HOME=/root"}
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	answers := func() error {
		select {
		case err := <-ended:
			return permanent{fmt.Errorf("its first process ended: %v\n%s", err, tail(m.logPath("init"), 20))}
		default:
			_, err := m.units()
			return err
		}
	}
	if err := patiently(15*time.Second, answers); err != nil {
		return fmt.Errorf("machine %s: %w", m.Spec.Name, err)
	}
	if err := connect(m.pid()); err != nil {
		return err
	}
	for _, u := range m.Spec.Units {
		if u.Disabled {
			continue
		}
		if err := m.post(u.Name, "start"); err != nil {
			return err
		}
	}
	return nil
}

// destroy ends the machine and removes its cgroup and its directory.
func (m *Machine) destroy() error {
	if r, err := m.record(); err == nil {
		if err := r.kill(15 * time.Second); err != nil {
			return err
		}
	}
	name := filepath.Base(m.Dir)
	if err := killCgroup(name); err != nil {
		return err
	}
	if err := removeCgroup(name); err != nil {
		return err
	}
	unmountBelow(m.Dir)
	return os.RemoveAll(m.Dir)
}

// The machine's first process answers HTTP on a socket in its directory.

func (m *Machine) call(method, path string, body, answer any) error {
	client := http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", m.Dir+"/init.sock")
			},
		},
	}
	return callInit(&client, method, path, body, answer)
}

func callInit(client *http.Client, method, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	q, err := http.NewRequest(method, "http://machine"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r, err := client.Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if b, err = io.ReadAll(r.Body); err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", strings.TrimSpace(string(b)))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(b, answer)
}

func (m *Machine) units() ([]UnitStatus, error) {
	var all []UnitStatus
	err := m.call("GET", "/units", nil, &all)
	return all, err
}

func (m *Machine) unit(name string) (UnitStatus, error) {
	all, err := m.units()
	if err != nil {
		return UnitStatus{}, err
	}
	for _, u := range all {
		if u.Name == name {
			return u, nil
		}
	}
	return UnitStatus{}, fmt.Errorf("machine %s has no component %q", m.Spec.Name, name)
}

func (m *Machine) post(unit, verb string) error {
	return m.call("POST", "/units/"+unit+"/"+verb, nil, nil)
}

// add defines one more unit and starts it.
func (m *Machine) add(u Unit) error {
	if err := m.call("PUT", "/units/"+u.Name, u, nil); err != nil {
		return err
	}
	return m.post(u.Name, "start")
}

// command prepares a command that runs inside the machine, in its cgroup, with
// a fresh environment.
func (m *Machine) command(s *Settings, args ...string) (*exec.Cmd, error) {
	pid := m.pid()
	if pid == 0 {
		return nil, fmt.Errorf("machine %s is not up", m.Spec.Name)
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return nil, err
	}
	c := exec.Command(s.bin("cluster"), append([]string{"in-cgroup", m.Spec.Name,
		nsenter, "--target", strconv.Itoa(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}, args...)...)
	c.Dir = "/"
	c.Env = []string{"PATH=" + systemPath, "HOME=/root", "LANG=C.UTF-8", "TERM=" + os.Getenv("TERM")}
	return c, nil
}

// run runs a command inside the machine and returns what it printed.
func (m *Machine) run(s *Settings, args ...string) (string, error) {
	c, err := m.command(s, args...)
	if err != nil {
		return "", err
	}
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), err
}
