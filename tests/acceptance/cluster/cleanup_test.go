package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestParseMounts(t *testing.T) {
	got := parseMounts(`22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /sys/fs/cgroup/memory rw master:3 - cgroup cgroup rw,memory
31 22 0:26 /x /a\040b rw - tmpfs tmpfs rw
garbage
`)
	want := []Mount{{"/", "ext4"}, {"/sys/fs/cgroup/memory", "cgroup"}, {"/a b", "tmpfs"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestRoutesOfOurs(t *testing.T) {
	got := routesOfOurs(`default via 192.0.2.1 dev eth0
10.96.0.0/16 via 10.250.0.2 dev kamaji0
10.250.0.0/24 dev kamaji0 proto kernel scope link src 10.250.0.1
10.244.0.0/24 via 10.250.0.2 dev elsewhere
10.250.0.0/24 dev kamaji01 proto kernel
10.99.0.0/16 via 10.250.0.21 dev eth0
`)
	want := []string{
		"10.96.0.0/16 via 10.250.0.2 dev kamaji0",
		"10.250.0.0/24 dev kamaji0 proto kernel scope link src 10.250.0.1",
		"10.244.0.0/24 via 10.250.0.2 dev elsewhere",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestInitDirectory(t *testing.T) {
	for cmdline, want := range map[string]string{
		"/x/bin/cluster\x00machine-init\x00/state/machines/w1\x00": "/state/machines/w1",
		"/x/bin/cluster\x00up\x00":                                 "",
		"":                                                         "",
	} {
		if got := initDirectory(cmdline); got != want {
			t.Errorf("%q: got %q", cmdline, got)
		}
	}
}

func TestOnlyAStateIsRemoved(t *testing.T) {
	state := func(files ...string) *Settings {
		s := &Settings{State: filepath.Join(t.TempDir(), "state")}
		for _, f := range files {
			if err := os.MkdirAll(s.path(f), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	for _, s := range []*Settings{state(), state("bin", "machines"), state("etcd", "anything", marker)} {
		if err := removeState(s); err != nil || exists(s.State) {
			t.Errorf("not removed: %v", err)
		}
	}
	if s := state("bin", "thesis"); removeState(s) == nil || !exists(s.path("thesis")) {
		t.Error("somebody's directory was removed")
	}
}
