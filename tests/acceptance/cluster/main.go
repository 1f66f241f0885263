// Command cluster runs a real Kamaji management cluster on this machine, and
// worker machines that join its tenants: for acceptance tests and for trying
// the provider. README.md beside this file tells how it is made.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const usageText = `usage: cluster COMMAND

  build               build the cluster's programs into the cache (once; minutes)
  up                  start the management cluster; prints the path of its kubeconfig
  down                end everything that up and worker started, remove its state
  leftovers           list what is still there of a cluster; exit 1 if anything is
  env                 print facts as shell variables: eval "$(cluster env)"
  status              list the machines and their components
  kubectl ARGS...     run the bundled kubectl against the management cluster
  logs [NAME]         print the log of a component (without NAME: list them)
  stop NAME           stop one component of the management cluster
  start NAME          start it again and wait until it is healthy
  worker up NAME [--index N] --user-data FILE
                      boot a worker machine that executes the user data
  worker run NAME -- CMD...
                      run a command in a worker machine
  worker down NAME    end a worker machine
  api-server build    build the API server of the newest Kubernetes into the cache (once; minutes)
  api-server run DIR  run it on loopback, without nodes and Kamaji, until standard input ends;
                      prints the path of its kubeconfig
  databases           build kine and a NATS server into the cache (once; two minutes), give the cluster
                      the image of kine, and print the directory of the programs
  validators          build Ignition's validator and unpack cloud-init into the cache (once; half a minute);
                      prints their paths as shell variables
  test-packages       install Debian packages that tests use, if that can be done: PostgreSQL, MariaDB, Ansible
  kubectl-provider    build the provider gavinbunney/kubectl into the cache (once; some minutes); prints its path
  tofu [--force]      print the path of terraform or tofu; builds OpenTofu if neither is there
`

func main() {
	os.Setenv("PATH", os.Getenv("PATH")+":"+systemPath)
	// The same binary is the small system software of a worker machine.
	if run := guestCommands[filepath.Base(os.Args[0])]; run != nil {
		exit(run(os.Args[1:]))
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usageText)
		os.Exit(2)
	}
	exit(command(os.Args[1], os.Args[2:]))
}

func command(name string, args []string) error {
	s, err := loadSettings()
	if err != nil {
		return err
	}
	switch name {
	case "build":
		_, err := buildComponents(s)
		return err
	case "up":
		return up(s)
	case "down":
		return down(s)
	case "leftovers":
		return leftovers(s)
	case "env":
		return printEnv(s)
	case "status":
		return status(s)
	case "kubectl":
		return kubectlCommand(s, args)
	case "logs":
		return logs(s, args)
	case "stop", "start":
		if len(args) != 1 {
			return fmt.Errorf("usage: cluster %s NAME", name)
		}
		if name == "stop" {
			return stopComponent(s, args[0])
		}
		return startComponent(s, args[0])
	case "worker":
		return workerCommand(s, args)
	case "api-server":
		return apiServerCommand(s, args)
	case "databases":
		return databases(s)
	case "validators":
		return validators(s)
	case "test-packages":
		return installTestPackages()
	case "kubectl-provider":
		return kubectlProvider(s)
	case "tofu":
		return tofu(s, args)
	case "machine-init": // internal: the first process of a machine
		return machineInit(args)
	case "in-cgroup": // internal: join a machine's cgroup, then become a command
		return inCgroup(args)
	}
	fmt.Fprint(os.Stderr, usageText)
	return fmt.Errorf("unknown command %q", name)
}

// exit ends the program; the exit status of a command that was run on the
// user's behalf is passed on.
func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	var status *exec.ExitError
	if errors.As(err, &status) {
		os.Exit(status.ExitCode())
	}
	if !errors.Is(err, errQuiet) {
		fmt.Fprintln(os.Stderr, "cluster:", strings.TrimRight(err.Error(), "\n"))
	}
	os.Exit(1)
}

// errQuiet makes the program fail without a further message.
var errQuiet = errors.New("failed")

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
