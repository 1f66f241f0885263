// Programs for tests of data stores: kine, which Kamaji runs as a sidecar of tenants whose data are not in etcd, and a
// NATS server. PostgreSQL and MariaDB come as Debian packages.

package main

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

const databasesFlags = "-s -w"

const (
	kineUnit     = "kine-registry"
	kineRegistry = nodeAddress + ":5001"
)

// databases is `cluster databases`.
func databases(s *Settings) error {
	source, err := sourceDir("../databases")
	if err != nil {
		return err
	}
	dir, err := cached(s, "databases", source, databasesFlags, func(out string) error {
		say("building kine and a NATS server (two minutes the first time, then kept)")
		if err := goBuild(source, out+"/kine", databasesFlags, "."); err != nil {
			return err
		}
		return goBuild(source, out+"/nats-server", databasesFlags, "./nats-server")
	})
	if err != nil {
		return err
	}
	if err := serveKine(s, dir+"/kine"); err != nil {
		return err
	}
	fmt.Println(dir)
	return nil
}

// serveKine gives the management node the image of kine: Kamaji names one of Docker's registry, and nothing else in the
// cluster comes from there. It stays until the cluster ends.
func serveKine(s *Settings, program string) error {
	m, err := openMachine(s, managementName)
	if err != nil {
		return nil // there is no local cluster
	}
	if same, err := sameContent(program, s.path("kine")); err == nil && same {
		if _, err := m.unit(kineUnit); err == nil {
			return nil
		}
	}
	_ = m.post(kineUnit, "stop") // an older one
	// The machine sees the state, and perhaps not the cache.
	if err := copyFile(program, s.path("kine.new"), 0o755); err != nil {
		return err
	}
	if err := os.Rename(s.path("kine.new"), s.path("kine")); err != nil {
		return err
	}
	hosts := fmt.Sprintf("server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", kineRegistry)
	if err := os.WriteFile(s.path("kine-hosts.toml"), []byte(hosts), 0o644); err != nil {
		return err
	}
	if _, err := m.run(s, "install", "-D", "-m", "644", s.path("kine-hosts.toml"), "/etc/containerd/certs.d/docker.io/hosts.toml"); err != nil {
		return err
	}
	if err := m.add(Unit{Name: kineUnit, Args: []string{s.path("kine"), "registry", kineRegistry}}); err != nil {
		return err
	}
	return waitFor(m, kineUnit, "the image of kine", 30*time.Second, func() error { return tcp(kineRegistry) })
}

func sameContent(one, other string) (bool, error) {
	a, err := os.ReadFile(one)
	if err != nil {
		return false, err
	}
	b, err := os.ReadFile(other)
	return err == nil && bytes.Equal(a, b), err
}
