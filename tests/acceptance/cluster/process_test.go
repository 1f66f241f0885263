package main

import (
	"fmt"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 424242 0 0"
	pid, state, start, err := parseStat("77 (a (strange) name)" + tail)
	if err != nil || pid != 77 || state != "S" || start != 424242 {
		t.Errorf("got %d %q %d, %v", pid, state, start, err)
	}
	for _, bad := range []string{"", "77", "77 (x) S 1", "x (y)" + tail} {
		if _, _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestRecordNamesOneProcessOnly(t *testing.T) {
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	r, err := recordOf(fmt.Sprint(c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !r.alive() {
		t.Fatal("a running process is taken for dead")
	}
	// The same pid with another start time, or from another boot, is not ours.
	older, otherBoot, first := r, r, r
	older.StartTime--
	otherBoot.BootID = "another"
	first.PID = 1
	for _, other := range []ProcessRecord{older, otherBoot, first} {
		if other.alive() {
			t.Errorf("%+v is taken for %+v", other, r)
		}
		if err := other.kill(time.Second); err != nil {
			t.Error(err)
		}
	}
	if !r.alive() {
		t.Fatal("a process was killed by the record of another")
	}
	if err := r.kill(5 * time.Second); err != nil { // a zombie from here on
		t.Error(err)
	}
	if r.alive() {
		t.Error("a killed process is taken for alive")
	}
}
