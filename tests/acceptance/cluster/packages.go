// Debian packages that the machines need.

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// packages lists the Debian packages that the machines need, each with a file
// that shows that it (or the same thing from elsewhere) is installed.
var packages = []struct{ name, file string }{
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

func missingPackages() []string {
	var missing []string
	for _, p := range packages {
		found := exists(p.file)
		for _, dir := range strings.Split(systemPath, ":") {
			found = found || exists(dir+"/"+p.file)
		}
		if !found {
			missing = append(missing, p.name)
		}
	}
	return missing
}

// installPackages installs what is missing, where that can be done.
func installPackages() error {
	missing := missingPackages()
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
	if missing = missingPackages(); len(missing) > 0 {
		return fmt.Errorf("still missing after their installation: %s", strings.Join(missing, " "))
	}
	return nil
}
