// The etcd servers: the management API's and the tenants'.

package main

import (
	"fmt"
	"net"
	"time"
)

// etcds are the etcd servers of the cluster: one for the management API server
// and three, with authentication, that can be data stores of tenants. No
// DataStore object is made for the last one.
var etcds = []struct {
	name   string
	port   int
	tenant bool
}{
	{"management", 2379, false},
	{"default", 2479, true},
	{"second", 2579, true},
	{"quickstart", 2679, true},
}

func etcdEndpoint(port int) string { return fmt.Sprintf("%s:%d", nodeAddress, port) }

func etcdUnits(s *Settings) []Unit {
	var units []Unit
	for _, e := range etcds {
		peer := fmt.Sprintf("http://127.0.0.1:%d", e.port+1)
		units = append(units, Unit{Name: "etcd-" + e.name, Args: []string{
			s.bin("etcd"), "--name=" + e.name, "--data-dir=" + s.path("etcd", e.name),
			fmt.Sprintf("--listen-client-urls=https://127.0.0.1:%d,https://%s", e.port, etcdEndpoint(e.port)),
			"--advertise-client-urls=https://" + etcdEndpoint(e.port),
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=" + e.name + "=" + peer,
			"--unsafe-no-fsync", // its data need not survive a crash of this machine
			"--client-cert-auth", "--trusted-ca-file=" + s.path("pki/etcd-ca.crt"),
			"--cert-file=" + s.path("pki/etcd-server.crt"), "--key-file=" + s.path("pki/etcd-server.key"),
		}})
	}
	return units
}

// startEtcds waits for the etcd servers and switches authentication on where
// Kamaji wants it.
func startEtcds(s *Settings, m *Machine) error {
	for _, e := range etcds {
		unit := "etcd-" + e.name
		if err := waitFor(m, unit, unit, 30*time.Second, func() error { return tcp(etcdEndpoint(e.port)) }); err != nil {
			return err
		}
		if !e.tenant {
			continue
		}
		err := waitFor(m, unit, "authentication of "+unit, 30*time.Second, func() error {
			_, err := hostCommand(s.bin("components"), "etcd-auth", "--endpoint=https://"+etcdEndpoint(e.port),
				"--ca="+s.path("pki/etcd-ca.crt"), "--cert="+s.path("pki/etcd-root.crt"), "--key="+s.path("pki/etcd-root.key"))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tcp tells whether something listens at an address.
func tcp(address string) error {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}
