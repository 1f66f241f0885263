// Waiting for conditions, with deadlines and reasons.

package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// poll repeats a check until it succeeds, and gives its last error when the
// time is over.
func poll(deadline, pause time.Duration, check func() error) error {
	end := time.Now().Add(deadline)
	for {
		err := check()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("gave up after %s: %w", deadline, err)
		}
		time.Sleep(pause)
	}
}

// permanent is an error that no waiting will mend.
type permanent struct{ error }

// patiently repeats a check until it succeeds, the time is over, or its error
// is permanent.
func patiently(deadline time.Duration, check func() error) error {
	for end := time.Now().Add(deadline); ; time.Sleep(50 * time.Millisecond) {
		err := check()
		if _, hopeless := err.(permanent); err == nil || hopeless || time.Now().After(end) {
			return err
		}
	}
}

// waitFor waits for something that a component of a machine has to bring
// about. It gives up early when the component itself has ended, and its error
// carries the end of the component's log.
func waitFor(m *Machine, unit, what string, deadline time.Duration, check func() error) error {
	end := time.Now().Add(deadline)
	for {
		err := check()
		if err == nil {
			return nil
		}
		if _, hopeless := err.(permanent); !hopeless {
			if u, e := m.unit(unit); e == nil && (u.PID != 0 || u.Restarts == 0) && time.Now().Before(end) {
				time.Sleep(150 * time.Millisecond)
				continue
			} else if e != nil {
				err = fmt.Errorf("%v (and the machine does not answer: %v)", err, e)
			} else if u.PID == 0 {
				err = fmt.Errorf("%v (%s has ended: %s)", err, unit, u.LastExit)
			}
		}
		return fmt.Errorf("%s: gave up after at most %s: %v\nend of %s:\n%s",
			what, deadline, err, m.logPath(unit), tail(m.logPath(unit), 25))
	}
}

// tail returns the last lines of a file, indented.
func tail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return "    " + err.Error()
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "    " + err.Error()
	}
	const most = 64 << 10
	from := max(st.Size()-most, 0)
	b := make([]byte, st.Size()-from)
	n, _ := f.ReadAt(b, from)
	all := strings.Split(strings.TrimRight(string(b[:n]), "\n"), "\n")
	all = all[max(len(all)-lines, 0):]
	return "    " + strings.Join(all, "\n    ")
}
