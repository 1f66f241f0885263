// Stopping and starting single components, for tests of failures.

package main

import (
	"fmt"
	"strings"
	"time"
)

// stopComponent is `cluster stop NAME`.
func stopComponent(s *Settings, name string) error {
	m, err := openMachine(s, managementName)
	if err != nil {
		return fmt.Errorf("the cluster is not up: %w", err)
	}
	if _, err := m.unit(name); err != nil {
		return err
	}
	if err := m.post(name, "stop"); err != nil {
		return err
	}
	say("%s is stopped", name)
	return nil
}

// startComponent is `cluster start NAME`.
func startComponent(s *Settings, name string) error {
	m, err := openMachine(s, managementName)
	if err != nil {
		return fmt.Errorf("the cluster is not up: %w", err)
	}
	if _, err := m.unit(name); err != nil {
		return err
	}
	begin := time.Now()
	if err := m.post(name, "start"); err != nil {
		return err
	}
	if err := waitComponent(s, m, name); err != nil {
		return err
	}
	say("%s is healthy after %.1f s", name, time.Since(begin).Seconds())
	return nil
}

// waitComponent waits until a component of the management node does its work.
func waitComponent(s *Settings, m *Machine, name string) error {
	const deadline = 90 * time.Second
	at := func(url string) error {
		return waitFor(m, name, name, deadline, func() error { return healthy(url) })
	}
	switch name {
	case "kube-apiserver":
		return waitAPIServer(s, m, deadline)
	case "kube-controller-manager":
		return at("https://" + nodeAddress + ":10257/healthz")
	case "kube-scheduler":
		return at("https://" + nodeAddress + ":10259/healthz")
	case "kube-proxy":
		return at("http://" + nodeAddress + ":10256/healthz")
	case "registry":
		return at("http://" + registryAddress + "/v2/")
	case "kubelet":
		if err := at("http://" + nodeAddress + ":10248/healthz"); err != nil {
			return err
		}
		return waitNode(s, m, deadline)
	case "containerd":
		return waitContainerd(s, m)
	case "kamaji":
		return waitKamaji(m)
	}
	if strings.HasPrefix(name, "etcd-") {
		for _, e := range etcds {
			if name == "etcd-"+e.name {
				return waitFor(m, name, name, deadline, func() error { return tcp(etcdEndpoint(e.port)) })
			}
		}
	}
	// The helpers have no health address: they are well when they stay.
	begin := time.Now()
	return waitFor(m, name, name, deadline, func() error {
		u, err := m.unit(name)
		if err == nil && u.PID == 0 {
			return permanent{fmt.Errorf("it has ended: %s", u.LastExit)}
		}
		if time.Since(begin) < time.Second {
			return fmt.Errorf("not a second old yet")
		}
		return err
	})
}
