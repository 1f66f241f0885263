// The root file system of a machine.

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// sysctls that a kubelet sets belong to the whole host. A machine sees files
// in their place that already have the values a kubelet wants, so that the
// host's are never touched.
var coveredSysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// makeRoot gives the calling process, the first of a machine, a root file
// system of its own: the host's, with a layer in memory above it that takes
// what is written, fresh /proc, /run and /tmp, and the machine's own
// directories. It must be alone in new mount and pid namespaces.
func makeRoot(m *Machine) error {
	// From here on nothing that is mounted shows up outside.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	base := m.Dir + "/root"
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	if err := mountAt("tmpfs", base, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, d := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(base+"/"+d, 0o755); err != nil {
			return err
		}
	}
	root := base + "/merged"
	if err := mountAt("overlay", root, "overlay", 0, fmt.Sprintf("lowerdir=/,upperdir=%s/upper,workdir=%s/work", base, base)); err != nil {
		return err
	}
	for _, k := range []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"proc", "/proc", "proc", 0, ""},
		{"/sys", "/sys", "", syscall.MS_BIND | syscall.MS_REC, ""},
		{"/dev", "/dev", "", syscall.MS_BIND | syscall.MS_REC, ""},
		{"tmpfs", "/run", "tmpfs", 0, "mode=755"},
		{"tmpfs", "/tmp", "tmpfs", 0, "mode=1777"},
	} {
		if err := mountAt(k.source, root+k.target, k.kind, k.flags, k.data); err != nil {
			return err
		}
	}
	for _, d := range []string{"/run/netns", "/run/lock", "/run/machine"} {
		if err := os.MkdirAll(root+d, 0o755); err != nil {
			return err
		}
	}
	if err := coverSysctls(root); err != nil {
		return err
	}
	for _, b := range m.Spec.Binds {
		if err := bind(b[0], root+b[1]); err != nil {
			return err
		}
	}
	if err := writeMachineFiles(root, m.Spec); err != nil {
		return err
	}
	old := root + "/.old"
	if err := os.Mkdir(old, 0o700); err != nil {
		return err
	}
	if err := syscall.PivotRoot(root, old); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := syscall.Unmount("/.old", syscall.MNT_DETACH); err != nil {
		return err
	}
	if err := os.Remove("/.old"); err != nil {
		return err
	}
	// Containers see mounts that are made later in their volumes.
	return syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "")
}

func mountAt(source, target, kind string, flags uintptr, data string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// bind shows a file or a directory at another place.
func bind(from, to string) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	if st.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
		err = touch(to)
	}
	if err != nil {
		return err
	}
	if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", to, err)
	}
	return nil
}

func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func coverSysctls(root string) error {
	for name, value := range coveredSysctls {
		target := root + "/proc/sys/" + name
		if !exists(target) {
			continue // a kernel without it
		}
		source := root + "/run/machine/sysctl/" + name
		if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(source, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("cover %s: %w", target, err)
		}
	}
	return nil
}

func writeMachineFiles(root string, spec MachineSpec) error {
	for _, f := range spec.Files {
		path := root + f.Path
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		// A link of the host, as /etc/resolv.conf often is one, would lead out.
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(path, []byte(f.Content), f.Mode); err != nil {
			return err
		}
	}
	for _, l := range spec.Links {
		path := root + l[0]
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(l[1], path); err != nil {
			return err
		}
	}
	return nil
}
