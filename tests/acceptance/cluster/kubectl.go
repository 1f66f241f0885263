// Talking to the management cluster, or to the one of KUBECONFIG.

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// kubectl runs the bundled kubectl against the management cluster.
func kubectl(s *Settings, args ...string) (string, error) { return kubectlInput(s, nil, args...) }

func kubectlInput(s *Settings, input []byte, args ...string) (string, error) {
	c := exec.Command(s.bin("kubectl"), args...)
	c.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig())
	c.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, complaints(stderr.String()))
	}
	return stdout.String(), nil
}

// complaints leaves out the log of failed tries that comes before kubectl's own
// last word.
func complaints(stderr string) string {
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(stderr), "\n") {
		if !strings.Contains(line, "memcache.go:") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// kubectlCommand is `cluster kubectl ARGS...`.
func kubectlCommand(s *Settings, args []string) error {
	program, kubeconfig, err := kubectlFor(s)
	if err != nil {
		return err
	}
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	return c.Run()
}

// kubectlFor finds a kubectl and the kubeconfig that goes with it.
func kubectlFor(s *Settings) (program, kubeconfig string, err error) {
	if s.External == "" {
		if !exists(s.kubeconfig()) {
			return "", "", errors.New("the cluster is not up")
		}
		return s.bin("kubectl"), s.kubeconfig(), nil
	}
	if program, err = exec.LookPath("kubectl"); err == nil {
		return program, s.External, nil
	}
	dir, err := buildComponents(s)
	return dir + "/kubectl", s.External, err
}

// checkExternal looks whether the cluster of KUBECONFIG can be used.
func checkExternal(s *Settings) error {
	program, kubeconfig, err := kubectlFor(s)
	if err != nil {
		return err
	}
	c := exec.Command(program, "get", "crd", "tenantcontrolplanes.kamaji.clastix.io", "datastores.kamaji.clastix.io", "-o", "name", "--request-timeout=20s")
	c.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("the cluster of KUBECONFIG (%s) does not answer or has no Kamaji: %s", kubeconfig, complaints(stderr.String()))
	}
	return nil
}
