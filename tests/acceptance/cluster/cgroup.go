// Control groups: every process of the cluster is in one, so that none is missed.

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroupRoots returns the directory of the root cgroup of every hierarchy:
// several with cgroup v1 (and, beside them, perhaps an empty one of v2), one
// with cgroup v2.
func cgroupRoots() []string {
	if exists("/sys/fs/cgroup/cgroup.controllers") {
		return []string{"/sys/fs/cgroup"}
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var roots []string
	for _, m := range parseMounts(string(b)) {
		if (m.Type == "cgroup" || m.Type == "cgroup2") && strings.HasPrefix(m.Point, "/sys/fs/cgroup/") {
			roots = append(roots, m.Point)
		}
	}
	return roots
}

// cgroupDirs returns the directories of one cgroup below our own ("" is our
// own itself) in every hierarchy.
func cgroupDirs(name string) []string {
	var dirs []string
	for _, root := range cgroupRoots() {
		dirs = append(dirs, filepath.Join(root, cgroupName, name))
	}
	return dirs
}

// makeMachineCgroup makes the cgroup of a machine: its kubelet's root, and
// below it "system" for what is no pod.
func makeMachineCgroup(machine string) error {
	for _, root := range cgroupRoots() {
		dir := root
		for _, elem := range []string{cgroupName, machine, "system"} {
			enableControllers(dir)
			parent := dir
			dir = filepath.Join(dir, elem)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
			if err := inheritCPUSet(parent, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// inheritCPUSet gives a new cgroup of the v1 cpuset hierarchy the processors
// and memory nodes of its parent; without any it can hold no process.
func inheritCPUSet(parent, dir string) error {
	for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
		b, err := os.ReadFile(filepath.Join(parent, f))
		if err != nil || exists(filepath.Join(parent, "cgroup.controllers")) {
			continue // not this hierarchy, or cgroup v2, which inherits by itself
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// enableControllers lets the children of a cgroup v2 use its controllers. One
// that cannot be had is left out: the kubelet says which it misses.
func enableControllers(dir string) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, c := range strings.Fields(string(b)) {
		os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0o644)
	}
}

// joinMachineCgroup moves the calling process into the system cgroup of a machine.
func joinMachineCgroup(machine string) error {
	for _, dir := range cgroupDirs(filepath.Join(machine, "system")) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// inCgroup is the internal command `in-cgroup MACHINE COMMAND...`.
func inCgroup(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: in-cgroup MACHINE COMMAND...")
	}
	if err := joinMachineCgroup(args[0]); err != nil {
		return err
	}
	return syscall.Exec(args[1], args[1:], os.Environ())
}

// cgroupMembers returns the pids of all processes in our cgroup (name "") or
// in that of one machine, this process excepted.
func cgroupMembers(name string) []int {
	found := map[int]bool{}
	for _, dir := range cgroupDirs(name) {
		filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.Name() != "cgroup.procs" {
				return nil
			}
			f, err := os.Open(path)
			if err != nil {
				return nil
			}
			defer f.Close()
			for s := bufio.NewScanner(f); s.Scan(); {
				if pid, err := strconv.Atoi(s.Text()); err == nil && pid > 1 && pid != os.Getpid() {
					found[pid] = true
				}
			}
			return nil
		})
	}
	var pids []int
	for pid := range found {
		if r, err := recordOf(strconv.Itoa(pid)); err == nil && r.alive() {
			pids = append(pids, pid)
		}
	}
	sort.Ints(pids)
	return pids
}

// killCgroup ends every process in the cgroup of a machine, or in ours (name "").
func killCgroup(name string) error {
	return poll(15*time.Second, 50*time.Millisecond, func() error {
		pids := cgroupMembers(name)
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(pids) > 0 {
			return fmt.Errorf("processes do not end: %v", pids)
		}
		return nil
	})
}

// removeCgroup removes the cgroup of a machine, or ours (name ""), with all
// below it. The kernel may need a moment after the last process has gone.
func removeCgroup(name string) error {
	return poll(10*time.Second, 50*time.Millisecond, func() error {
		var last error
		for _, top := range cgroupDirs(name) {
			var dirs []string
			filepath.Walk(top, func(path string, info os.FileInfo, err error) error {
				if err == nil && info.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
			for i := len(dirs) - 1; i >= 0; i-- {
				if err := syscall.Rmdir(dirs[i]); err != nil && err != syscall.ENOENT {
					last = fmt.Errorf("cgroup %s: %w", dirs[i], err)
				}
			}
		}
		return last
	})
}

// cgroupWorkingSet is the memory that the cluster uses now, the page cache
// that could be dropped at once left out.
func cgroupWorkingSet() uint64 {
	for _, dir := range cgroupDirs("") {
		for _, names := range [][2]string{{"memory.usage_in_bytes", "total_inactive_file"}, {"memory.current", "inactive_file"}} {
			b, err := os.ReadFile(filepath.Join(dir, names[0]))
			if err != nil {
				continue
			}
			used, _ := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
			stat, _ := os.ReadFile(filepath.Join(dir, "memory.stat"))
			for _, line := range strings.Split(string(stat), "\n") {
				if f := strings.Fields(line); len(f) == 2 && f[0] == names[1] {
					if n, _ := strconv.ParseUint(f[1], 10, 64); n < used {
						return used - n
					}
				}
			}
			return used
		}
	}
	return 0
}
