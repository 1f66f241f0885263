// Command components is one static binary that contains every program of a
// real Kamaji management cluster: the Kubernetes components, etcd, the Kamaji
// manager and a few small helpers. The program to run is taken from the name
// the binary is called by, or else from its first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	_ "time/tzdata"
)

func main() {
	name := filepath.Base(os.Args[0])
	if !known(name) {
		if len(os.Args) < 2 || !known(os.Args[1]) {
			usage()
		}
		name = os.Args[1]
		os.Args = append([]string{name}, os.Args[2:]...)
	}
	stampVersion()
	if run, ok := helpers[name]; ok {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(1)
		}
		return
	}
	programs[name]()
}

func known(name string) bool {
	return programs[name] != nil || helpers[name] != nil
}

func usage() {
	var names []string
	for n := range programs {
		names = append(names, n)
	}
	for n := range helpers {
		names = append(names, n)
	}
	sort.Strings(names)
	fmt.Fprintln(os.Stderr, "usage: components", strings.Join(names, "|"), "[arguments]")
	os.Exit(2)
}
