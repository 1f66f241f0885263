// Debian packages: those that the machines need, and those that only tests use.

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// debianPackage is a package and a file, in one of the folders of programs or with its whole path, that shows that it
// (or the same thing from elsewhere) is installed.
type debianPackage struct{ name, file string }

// machinePackages are those that the machines need.
var machinePackages = []debianPackage{
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"containernetworking-plugins", "/usr/lib/cni/ptp"},
	{"iproute2", "ip"},
	{"iptables", "iptables"},
	{"nftables", "nft"},
	{"conntrack", "conntrack"},
	{"ethtool", "ethtool"},
	{"socat", "socat"},
	{"util-linux", "nsenter"},
	{"openssh-server", "sshd"},
	{"openssh-client", "ssh-keygen"},
	{"mount", "mount"},
	{"kmod", "modprobe"},
	{"ca-certificates", "/etc/ssl/certs"},
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// testPackages are those that the acceptance tests use programs of. Tests leave out what is not there.
var testPackages = []debianPackage{
	{"postgresql", "/usr/lib/postgresql"},
	{"mariadb-server", "mariadbd"},
	{"ansible", "ansible-playbook"},
}

// missingOf names the packages of which no file is there, in the folders of a path.
func missingOf(packages []debianPackage, path string) []string {
	var missing []string
	for _, p := range packages {
		found := exists(p.file)
		for _, dir := range strings.Split(path, ":") {
			found = found || exists(dir+"/"+p.file)
		}
		if !found {
			missing = append(missing, p.name)
		}
	}
	return missing
}

// installMachinePackages looks where the machines look.
func installMachinePackages() error { return installPackages(machinePackages, systemPath) }

// installTestPackages is `cluster test-packages`.
func installTestPackages() error {
	if err := installPackages(testPackages, os.Getenv("PATH")); err != nil {
		say("some tests will be left out: %v", err)
	}
	return nil
}

// installPackages installs what is missing, where that can be done.
func installPackages(packages []debianPackage, path string) error {
	missing := missingOf(packages, path)
	if len(missing) == 0 {
		return nil
	}
	names := strings.Join(missing, " ")
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("these are missing and cannot be installed from here (root and apt-get are needed): %s", names)
	}
	say("installing %s", names)
	run := func(args ...string) error {
		c := exec.Command(apt, args...)
		c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := run("update"); err != nil {
		return err
	}
	if err := run(append([]string{"install", "-y", "--no-install-recommends"}, missing...)...); err != nil {
		return err
	}
	if missing = missingOf(packages, path); len(missing) > 0 {
		return fmt.Errorf("still missing after their installation: %s", strings.Join(missing, " "))
	}
	return nil
}
