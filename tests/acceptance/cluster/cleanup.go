// Ending everything, and finding what is still there.

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cleanup ends and removes everything of a cluster, whole or in pieces: what
// up started, what a killed up began, what is left after the machines' first
// processes were killed. It may be run at any time and more than once.
func cleanup(s *Settings) error {
	// Ending a machine's first process ends the machine. The management node
	// goes last: workers use it.
	names := machines(s)
	for i, n := range names {
		if n == managementName {
			names = append(append(names[:i:i], names[i+1:]...), n)
			break
		}
	}
	for _, n := range names {
		if err := (&Machine{Dir: machineDir(s, n)}).destroy(); err != nil {
			return fmt.Errorf("machine %s: %w", n, err)
		}
	}
	// A machine whose record is lost is still found by its cgroup.
	if err := killCgroup(""); err != nil {
		return err
	}
	if err := removeCgroup(""); err != nil {
		return err
	}
	unmountBelow(s.State)
	// The veth pair goes when its other end's namespace does, and its routes
	// with it; a namespace may need a moment to go.
	if hasHostLink() {
		ip(0, "link del %s", hostLink)
	}
	if err := poll(10*time.Second, 50*time.Millisecond, func() error {
		if hasHostLink() {
			return fmt.Errorf("network device %s does not go away", hostLink)
		}
		return nil
	}); err != nil {
		return err
	}
	return removeState(s)
}

// removeState removes the state directory, if it is one.
func removeState(s *Settings) error {
	entries, err := os.ReadDir(s.State)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return os.RemoveAll(s.State)
	}
	if err != nil {
		return err
	}
	if !exists(s.path(marker)) && !onlyBegun(entries) {
		return fmt.Errorf("%s is not removed: it does not look like the state of a cluster (no file %s in it)", s.State, marker)
	}
	return os.RemoveAll(s.State)
}

// onlyBegun tells whether a directory is the state of an up that was ended
// before it could write its marker.
func onlyBegun(entries []os.DirEntry) bool {
	for _, e := range entries {
		if e.Name() != "bin" && e.Name() != "etcd" && e.Name() != "machines" {
			return false
		}
	}
	return true
}

// checkForeign refuses to touch a cluster that runs from another state
// directory: there is room for one on a machine.
func checkForeign(s *Settings) error {
	for _, pid := range cgroupMembers("") {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if dir := initDirectory(string(b)); dir != "" && !strings.HasPrefix(dir, s.State+"/") {
			return fmt.Errorf("another cluster is running on this machine, with KAMAJI_CLUSTER_STATE=%s", filepath.Dir(filepath.Dir(dir)))
		}
	}
	return nil
}

// initDirectory gives the directory of a machine from its first process's
// command line, "" for any other process.
func initDirectory(cmdline string) string {
	args := strings.Split(strings.TrimRight(cmdline, "\x00"), "\x00")
	if len(args) == 3 && args[1] == "machine-init" {
		return args[2]
	}
	return ""
}

// findLeftovers lists what is there of a cluster, running or not.
func findLeftovers(s *Settings) []string {
	var left []string
	for _, n := range machines(s) {
		if r, err := readRecord(machineDir(s, n) + "/init.json"); err == nil && r.alive() {
			left = append(left, fmt.Sprintf("process %d: first process of machine %s", r.PID, n))
		}
	}
	for _, pid := range cgroupMembers("") {
		left = append(left, fmt.Sprintf("process %d: %s", pid, commandOf(pid)))
	}
	for _, point := range mountsBelow(s.State) {
		left = append(left, "mount "+point)
	}
	for _, dir := range cgroupDirs("") {
		if exists(dir) {
			left = append(left, "cgroup "+dir)
		}
	}
	if hasHostLink() {
		left = append(left, "network device "+hostLink)
	}
	if routes, err := hostCommand("ip", "-4", "route", "show", "table", "all"); err == nil {
		for _, r := range routesOfOurs(routes) {
			left = append(left, "route "+r)
		}
	}
	left = append(left, namespacesOfOurs()...)
	if entries, err := os.ReadDir(s.State); err == nil && len(entries) > 0 {
		left = append(left, "state directory "+s.State)
	}
	return left
}

// namespacesOfOurs lists network namespaces with a name on the host in which our
// management node has its address. The machines make none there: any is a fault.
func namespacesOfOurs() []string {
	var found []string
	entries, _ := os.ReadDir("/run/netns")
	for _, e := range entries {
		out, err := hostCommand("ip", "-n", e.Name(), "-4", "-o", "addr")
		if err == nil && strings.Contains(out, " "+nodeAddress+"/") {
			found = append(found, "network namespace "+e.Name())
		}
	}
	return found
}

func commandOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "?"
	}
	text := strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
	if len(text) > 100 {
		text = text[:100] + "..."
	}
	return text
}

// leftovers is `cluster leftovers`.
func leftovers(s *Settings) error {
	left := findLeftovers(s)
	for _, l := range left {
		fmt.Println(l)
	}
	if len(left) > 0 {
		return errQuiet
	}
	say("nothing is left")
	return nil
}
