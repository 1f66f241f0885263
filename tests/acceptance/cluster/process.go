// Processes: naming one so that a pid that is used again is never taken for it.

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ProcessRecord names one process for good: a pid alone may belong to somebody
// else later, a pid with its start time and the boot it was in cannot.
type ProcessRecord struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"` // clock ticks since boot
	BootID    string `json:"bootID"`
}

// recordOf describes the process with the given name below /proc ("self" or a
// pid), as the /proc that is mounted now sees it.
func recordOf(name string) (ProcessRecord, error) {
	b, err := os.ReadFile("/proc/" + name + "/stat")
	if err != nil {
		return ProcessRecord{}, err
	}
	pid, _, start, err := parseStat(string(b))
	if err != nil {
		return ProcessRecord{}, err
	}
	return ProcessRecord{PID: pid, StartTime: start, BootID: bootID()}, nil
}

// parseStat reads pid, state and start time from /proc/PID/stat. The second
// field is the program's name in parentheses and may itself contain both
// spaces and parentheses.
func parseStat(s string) (pid int, state string, start uint64, err error) {
	open, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
	if open < 0 || end < open {
		return 0, "", 0, fmt.Errorf("not a stat line: %q", s)
	}
	rest := strings.Fields(s[end+1:])
	if len(rest) < 20 {
		return 0, "", 0, fmt.Errorf("stat line too short: %q", s)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(s[:open])); err != nil {
		return 0, "", 0, err
	}
	start, err = strconv.ParseUint(rest[19], 10, 64) // field 22
	return pid, rest[0], start, err
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// alive tells whether exactly the recorded process still runs. A zombie that
// nobody has waited for yet does not count.
func (r ProcessRecord) alive() bool {
	if r.PID <= 1 || r.BootID != bootID() {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.PID))
	if err != nil {
		return false
	}
	_, state, start, err := parseStat(string(b))
	return err == nil && start == r.StartTime && state != "Z" && state != "X"
}

// kill ends exactly the recorded process and waits until it is gone.
func (r ProcessRecord) kill(deadline time.Duration) error {
	if !r.alive() {
		return nil
	}
	if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		return err
	}
	return poll(deadline, 20*time.Millisecond, func() error {
		if r.alive() {
			return fmt.Errorf("process %d does not end", r.PID)
		}
		return nil
	})
}

func readRecord(path string) (ProcessRecord, error) {
	var r ProcessRecord
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
