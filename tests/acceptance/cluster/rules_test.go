package main

import (
	"os"
	"reflect"
	"testing"
)

func TestFreeNodePorts(t *testing.T) {
	if got := freeNodePorts("30001 31234 30000", 3); !reflect.DeepEqual(got, []string{"30002", "30003", "30004"}) {
		t.Errorf("got %v", got)
	}
}

func TestParseSystemctl(t *testing.T) {
	verb, units, now := parseSystemctl([]string{"--quiet", "enable", "--now", "kubelet.service", "containerd"})
	if verb != "enable" || !now || !reflect.DeepEqual(units, []string{"kubelet", "containerd"}) {
		t.Errorf("got %q %q %t", verb, units, now)
	}
}

func TestEnvironmentArgs(t *testing.T) {
	const file = "# comment\nOTHER=--no\nKUBELET_EXTRA_ARGS=\"--node-labels=a=b,c=d --v=2\"\n"
	if got := environmentArgs(file, "KUBELET_EXTRA_ARGS"); !reflect.DeepEqual(got, []string{"--node-labels=a=b,c=d", "--v=2"}) {
		t.Errorf("got %q", got)
	}
	if got := environmentArgs("KUBELET_EXTRA_ARGS=\n", "KUBELET_EXTRA_ARGS"); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestDropUnknownRules(t *testing.T) {
	rule := func(text string) any { return map[string]any{"rule": text} }
	schema := map[string]any{"properties": map[string]any{
		"a": map[string]any{"x-kubernetes-validations": []any{rule("isCIDR(self)"), rule("self != skip(1)")}},
		"b": map[string]any{"x-kubernetes-validations": []any{rule("self.all(x, isIP(x))")}},
	}}
	dropped := dropUnknownRules(schema)
	if len(dropped) != 2 {
		t.Errorf("dropped %q", dropped)
	}
	want := map[string]any{"properties": map[string]any{
		"a": map[string]any{"x-kubernetes-validations": []any{rule("self != skip(1)")}},
		"b": map[string]any{},
	}}
	if !reflect.DeepEqual(schema, want) {
		t.Errorf("left %v", schema)
	}
}

func TestMissingPackages(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/there", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	packages := []debianPackage{{"one", "there"}, {"two", "not-there"}, {"three", dir}, {"four", dir + "/not-there"}}
	if got := missingOf(packages, "/nowhere:"+dir); !reflect.DeepEqual(got, []string{"two", "four"}) {
		t.Errorf("got %q", got)
	}
}

func TestMachineNames(t *testing.T) {
	for name, want := range map[string]bool{"w1": true, "pool-a-0": true, "": false, "-a": false, "A": false, "../x": false} {
		if machineName.MatchString(name) != want {
			t.Errorf("%q: want %t", name, want)
		}
	}
}
