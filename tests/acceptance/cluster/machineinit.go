// The first process of a machine.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// initSocket is where the programs inside a machine find its first process.
const initSocket = "/run/machine/init.sock"

// machineInit is the internal command `machine-init DIR`: the first process of
// a machine. It was started in new namespaces, makes the machine's root file
// system, and then starts and watches the units.
func machineInit(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: machine-init DIR")
	}
	dir := args[0]
	m := Machine{Dir: dir}
	b, err := os.ReadFile(dir + "/machine.json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &m.Spec); err != nil {
		return err
	}
	// /proc is still the host's: this is the pid that the host knows.
	record, err := recordOf("self")
	if err != nil {
		return err
	}
	if err := writeJSON(dir+"/init.json", record); err != nil {
		return err
	}
	if err := joinMachineCgroup(m.Spec.Name); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte(m.Spec.Name)); err != nil {
		return err
	}
	if err := makeRoot(&m); err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	// Packets between pods, Services and other machines pass through this one.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	sup := newSupervisor(dir+"/logs", m.Spec.Units)
	go sup.reap()
	os.Remove(dir + "/init.sock")
	outside, err := net.Listen("unix", dir+"/init.sock")
	if err != nil {
		return err
	}
	inside, err := net.Listen("unix", initSocket)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: sup}
	go server.Serve(inside)
	log.Println("machine", m.Spec.Name, "is up")
	return server.Serve(outside)
}

// ServeHTTP answers GET /units, PUT /units/NAME and POST /units/NAME/VERB.
func (s *supervisor) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	p := strings.Split(strings.Trim(q.URL.Path, "/"), "/")
	var err error
	var answer any
	switch {
	case q.Method == "GET" && len(p) == 1 && p[0] == "units":
		answer = s.status()
	case q.Method == "PUT" && len(p) == 2 && p[0] == "units":
		var u Unit
		if err = json.NewDecoder(q.Body).Decode(&u); err == nil {
			s.define(u)
		}
	case q.Method == "POST" && len(p) == 3 && p[0] == "units":
		err = s.act(p[1], p[2])
	default:
		err = fmt.Errorf("no such request: %s %s", q.Method, q.URL.Path)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	json.NewEncoder(w).Encode(answer)
}
