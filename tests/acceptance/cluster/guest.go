// The small system software of a worker machine: kubeadm, kubelet unit, systemctl.

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// guestCommands are what this program is inside a worker machine, by the name
// it is called: the parts that make a namespace pass for a machine on which
// kubeadm runs as anywhere.
var guestCommands = map[string]func([]string) error{
	"kubeadm":         guestKubeadm,
	"kubelet-unit":    guestKubelet,
	"systemctl":       guestSystemctl,
	"apply-user-data": guestUserData,
}

// guestNames are the names that are links to this program in guestDir.
var guestNames = []string{"kubelet-unit", "systemctl", "apply-user-data"}

// ignoredPreflightErrors are checks of kubeadm that a namespaced machine
// cannot pass: it has no kernel configuration, no bridge module and no swap
// of its own, and Debian has no crictl.
var ignoredPreflightErrors = []string{"SystemVerification", "Swap", "FileExisting-crictl", "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables"}

// guestKubeadm is the machine's kubeadm: the real one, told what to expect.
func guestKubeadm(args []string) error {
	if len(args) > 0 && (args[0] == "join" || args[0] == "init") {
		args = append(slices.Clone(args), "--ignore-preflight-errors="+strings.Join(ignoredPreflightErrors, ","))
	}
	return syscall.Exec(guestDir+"/kubeadm", append([]string{"kubeadm"}, args...), os.Environ())
}

// machineKubeletArgs has the kubelet's arguments that belong to the machine.
const machineKubeletArgs = "/etc/kamaji-local/kubelet-args"

// guestKubelet is the unit kubelet: what Debian's packages do with systemd.
func guestKubelet([]string) error {
	args := []string{"kubelet",
		"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf", "--kubeconfig=/etc/kubernetes/kubelet.conf",
		"--config=/var/lib/kubelet/config.yaml"}
	b, err := os.ReadFile(machineKubeletArgs)
	if err != nil {
		return err
	}
	args = append(args, strings.Fields(string(b))...)
	for _, f := range []struct{ path, variable string }{
		{"/var/lib/kubelet/kubeadm-flags.env", "KUBELET_KUBEADM_ARGS"},
		{"/etc/default/kubelet", "KUBELET_EXTRA_ARGS"},
	} {
		b, err := os.ReadFile(f.path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		args = append(args, environmentArgs(string(b), f.variable)...)
	}
	return syscall.Exec(guestDir+"/kubelet", args, os.Environ())
}

// environmentArgs takes the words of one variable from a file of VAR=words
// lines, as systemd reads them: the value may be in quotes as a whole.
func environmentArgs(file, variable string) []string {
	var args []string
	for _, line := range strings.Split(file, "\n") {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), variable+"=")
		if !ok {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		args = strings.Fields(value)
	}
	return args
}

// guestSystemctl stands in for systemctl: it knows the two units of the machine.
func guestSystemctl(args []string) error {
	verb, units, now := parseSystemctl(args)
	call := func(method, path string, answer any) error {
		client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", initSocket)
		}}}
		return callInit(&client, method, path, nil, answer)
	}
	var all []UnitStatus
	if err := call("GET", "/units", &all); err != nil {
		return err
	}
	if verb == "daemon-reload" {
		return nil
	}
	if len(units) == 0 {
		return fmt.Errorf("systemctl here wants a verb and a unit, not %q", args)
	}
	for _, name := range units {
		i := slices.IndexFunc(all, func(u UnitStatus) bool { return u.Name == name })
		if i < 0 {
			if verb == "is-active" {
				fmt.Println("inactive")
				os.Exit(3)
			}
			fmt.Fprintf(os.Stderr, "Unit %s.service could not be found.\n", name)
			os.Exit(4)
		}
		u := all[i]
		active := "inactive"
		if u.PID != 0 {
			active = "active"
		} else if u.Wanted {
			active = "activating"
		}
		disabled := "/run/machine/disabled-" + name
		var err error
		switch verb {
		case "start", "stop", "restart":
			err = call("POST", "/units/"+name+"/"+verb, nil)
		case "enable", "unmask":
			if err = os.Remove(disabled); errors.Is(err, os.ErrNotExist) {
				err = nil
			}
			if err == nil && now {
				err = call("POST", "/units/"+name+"/start", nil)
			}
		case "disable":
			if err = touch(disabled); err == nil && now {
				err = call("POST", "/units/"+name+"/stop", nil)
			}
		case "is-enabled":
			if exists(disabled) {
				fmt.Println("disabled")
				os.Exit(1)
			}
			fmt.Println("enabled")
		case "is-active":
			fmt.Println(active)
			if active != "active" {
				os.Exit(3)
			}
		case "status":
			fmt.Printf("%s.service\n     Loaded: loaded\n     Active: %s\n   Main PID: %d\n", name, active, u.PID)
			if active != "active" {
				os.Exit(3)
			}
		default:
			err = fmt.Errorf("systemctl here does not know the verb %q", verb)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseSystemctl takes a command line of systemctl apart.
func parseSystemctl(args []string) (verb string, units []string, now bool) {
	for _, a := range args {
		switch {
		case a == "--now":
			now = true
		case strings.HasPrefix(a, "-"): // --quiet, --no-pager and the like
		case verb == "":
			verb = a
		default:
			units = append(units, strings.TrimSuffix(a, ".service"))
		}
	}
	switch verb {
	case "try-restart", "reload-or-restart":
		verb = "restart"
	case "reenable":
		verb = "enable"
	}
	return verb, units, now
}
