package main

import (
	"fmt"
	"os"
	"strings"
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"
)

// The version that every Kubernetes component reports. The linker gives it a
// default; a container image overrides it with a file, so that the same binary
// can stand for several releases of Kubernetes.
//
//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

// versionFile is part of the images that the registry makes.
const versionFile = "kubernetes-version"

func stampVersion() {
	b, err := os.ReadFile("/" + versionFile)
	if err != nil {
		return
	}
	gitVersion = strings.TrimSpace(string(b))
	// Accepted only because it equals gitVersion now; without it the
	// components would go on reporting the linker's default.
	if err := version.SetDynamicVersion(gitVersion); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
