// Starting, restarting and reaping processes inside a machine.

package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// supervisor starts the units of a machine, restarts those that end by
// themselves, and reaps every process that loses its parent: it is process 1.
type supervisor struct {
	mu    sync.Mutex
	logs  string
	order []string
	units map[string]*unitState
	byPID map[int]*unitState
}

type unitState struct {
	Unit
	pid      int
	wanted   bool
	restarts int
	lastExit string
	ended    chan struct{} // closed when the running process has ended
}

// stopGrace is how long a unit may take to end before it is killed.
const stopGrace = 5 * time.Second

func newSupervisor(logs string, units []Unit) *supervisor {
	s := &supervisor{logs: logs, units: map[string]*unitState{}, byPID: map[int]*unitState{}}
	for _, u := range units {
		s.define(u)
	}
	return s
}

func (s *supervisor) define(u Unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.units[u.Name]; old != nil {
		old.Unit = u
		return
	}
	s.units[u.Name] = &unitState{Unit: u}
	s.order = append(s.order, u.Name)
}

func (s *supervisor) status() []UnitStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []UnitStatus{}
	for _, name := range s.order {
		u := s.units[name]
		all = append(all, UnitStatus{Name: name, PID: u.pid, Wanted: u.wanted, Restarts: u.restarts, LastExit: u.lastExit})
	}
	return all
}

func (s *supervisor) act(name, verb string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[name]
	if u == nil {
		return fmt.Errorf("no unit %q", name)
	}
	switch verb {
	case "start":
		return s.start(u)
	case "stop":
		s.stop(u)
		return nil
	case "restart":
		s.stop(u)
		return s.start(u)
	}
	return fmt.Errorf("cannot %q a unit", verb)
}

// start is called with the lock held: the reaper cannot see the new process
// end before it is known.
func (s *supervisor) start(u *unitState) error {
	u.wanted = true
	if u.pid != 0 {
		return nil
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	out, err := os.OpenFile(filepath.Join(s.logs, u.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	pid, err := syscall.ForkExec(u.Args[0], u.Args, &syscall.ProcAttr{
		Dir:   "/",
		Env:   append([]string{"PATH=" + systemPath, "HOME=/root"}, u.Env...),
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		u.lastExit = err.Error()
		return fmt.Errorf("%s: %w", u.Args[0], err)
	}
	u.pid, u.ended = pid, make(chan struct{})
	s.byPID[pid] = u
	return nil
}

// stop ends the unit's own process (not its children: pods outlive their
// kubelet) and waits for it. Called with the lock held, which is given up
// while it waits.
func (s *supervisor) stop(u *unitState) {
	u.wanted = false
	if u.pid == 0 {
		return
	}
	pid, ended := u.pid, u.ended
	syscall.Kill(pid, syscall.SIGTERM)
	s.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(stopGrace):
		syscall.Kill(pid, syscall.SIGKILL)
		<-ended
	}
	s.mu.Lock()
}

// reap waits for every child, the units' and those inherited.
func (s *supervisor) reap() {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil { // no child at all for now
			time.Sleep(50 * time.Millisecond)
			continue
		}
		s.mu.Lock()
		if u := s.byPID[pid]; u != nil {
			delete(s.byPID, pid)
			u.pid = 0
			close(u.ended)
			u.lastExit = describeExit(ws)
			if u.wanted {
				log.Println("unit", u.Name, "ended:", u.lastExit)
				u.restarts++
				go s.again(u)
			}
		}
		s.mu.Unlock()
	}
}

// again starts a unit anew a second after it ended, unless it was stopped or
// started meanwhile.
func (s *supervisor) again(u *unitState) {
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.wanted && u.pid == 0 {
		if err := s.start(u); err != nil {
			log.Println(err)
		}
	}
}

func describeExit(ws syscall.WaitStatus) string {
	if ws.Signaled() {
		return "signal " + ws.Signal().String()
	}
	return fmt.Sprintf("exit status %d", ws.ExitStatus())
}
