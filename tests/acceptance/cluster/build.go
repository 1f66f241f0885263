// Building programs from their Go modules into a cache.

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"
)

const kubernetesVersion = "v1.30.2"

// componentFlags say which versions the programs report.
var componentFlags = "-s -w" +
	" -X k8s.io/component-base/version.gitVersion=" + kubernetesVersion +
	" -X k8s.io/component-base/version.gitMajor=1" +
	" -X k8s.io/component-base/version.gitMinor=30" +
	" -X k8s.io/component-base/version.gitTreeState=clean" +
	" -X k8s.io/component-base/version.buildDate=2024-06-11T00:00:00Z" +
	" -X k8s.io/client-go/pkg/version.gitVersion=" + kubernetesVersion +
	" -X github.com/clastix/kamaji/internal.GitTag=v1.0.0"

// componentNames are the names by which the multi-call binary is called.
var componentNames = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
	"kubelet", "kubeadm", "kubectl", "etcd", "kamaji", "dns", "lb", "registry"}

// buildComponents builds the programs of the cluster, unless the cache has
// them, and returns their directory.
func buildComponents(s *Settings) (string, error) {
	source, err := sourceDir("components")
	if err != nil {
		return "", err
	}
	return cached(s, "components", source, componentFlags, func(out string) error {
		say("building the programs of the cluster: Kubernetes %s, etcd, Kamaji (4 to 10 minutes the first time, then kept)", kubernetesVersion)
		if err := goBuild(source, out+"/components", componentFlags, "."); err != nil {
			return err
		}
		if err := goBuild(source, out+"/pause", "-s -w", "./pause"); err != nil {
			return err
		}
		for _, n := range componentNames {
			if err := os.Symlink("components", out+"/"+n); err != nil {
				return err
			}
		}
		return copyCRDs(source, out+"/crds")
	})
}

// copyCRDs takes the custom resource definitions from the module of Kamaji.
func copyCRDs(source, to string) error {
	c := goCommand(source, "list", "-m", "-f", "{{.Dir}}", "github.com/clastix/kamaji")
	out, err := c.Output()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(strings.TrimSpace(string(out)) + "/charts/kamaji/crds/*.yaml")
	if err == nil && len(files) == 0 {
		err = errors.New("the module of Kamaji has no custom resource definitions")
	}
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := copyFile(f, filepath.Join(to, filepath.Base(f)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tofu is `cluster tofu [--force]`.
func tofu(s *Settings, args []string) error {
	force := len(args) == 1 && args[0] == "--force"
	if len(args) > 0 && !force {
		return errors.New("usage: cluster tofu [--force]")
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil && !force {
			fmt.Println(path)
			return nil
		}
	}
	source, err := sourceDir("../opentofu")
	if err != nil {
		return err
	}
	const flags = "-s -w -X github.com/opentofu/opentofu/version.dev=no"
	dir, err := cached(s, "opentofu", source, flags, func(out string) error {
		say("building OpenTofu (some minutes the first time, then kept)")
		return goBuild(source, out+"/tofu", flags, "github.com/opentofu/opentofu/cmd/tofu")
	})
	if err == nil {
		fmt.Println(dir + "/tofu")
	}
	return err
}

// kubectlProvider is `cluster kubectl-provider`.
func kubectlProvider(s *Settings) error {
	source, err := sourceDir("../kubectl-provider")
	if err != nil {
		return err
	}
	const name, flags = "terraform-provider-kubectl", "-s -w"
	dir, err := cached(s, "kubectl-provider", source, flags, func(out string) error {
		say("building the provider gavinbunney/kubectl (some minutes the first time, then kept)")
		return goBuild(source, out+"/"+name, flags, "github.com/gavinbunney/"+name)
	})
	if err == nil {
		fmt.Println(dir + "/" + name)
	}
	return err
}

// sourceDir finds a directory of sources relative to the one of this program:
// where it was compiled, in KAMAJI_CLUSTER_SOURCE, or above the working directory.
func sourceDir(name string) (string, error) {
	candidates := []string{os.Getenv("KAMAJI_CLUSTER_SOURCE")}
	if _, file, _, ok := runtime.Caller(0); ok {
		candidates = append(candidates, filepath.Dir(file))
	}
	if wd, err := os.Getwd(); err == nil {
		for dir := wd; ; dir = filepath.Dir(dir) {
			candidates = append(candidates, filepath.Join(dir, "tests/acceptance/cluster"), dir)
			if dir == "/" {
				break
			}
		}
	}
	for _, c := range candidates {
		if c != "" && exists(filepath.Join(c, "components/go.mod")) && exists(filepath.Join(c, name, "go.mod")) {
			return filepath.Join(c, name), nil
		}
	}
	return "", fmt.Errorf("the sources of %s are not found: set KAMAJI_CLUSTER_SOURCE to tests/acceptance/cluster", name)
}

// cached returns a directory of the cache that was made from exactly these
// sources, and makes it when it is not there. Only a complete one gets its name.
func cached(s *Settings, name, source, flags string, build func(out string) error) (string, error) {
	key, err := sourceHash(source, flags)
	if err != nil {
		return "", err
	}
	top := filepath.Join(s.Cache, name)
	dir := filepath.Join(top, key)
	if exists(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(top, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(top, "another build")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(dir) {
		return dir, nil
	}
	out, err := os.MkdirTemp(top, "building-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(out)
	if err := build(out); err != nil {
		return "", fmt.Errorf("build of %s: %w", name, err)
	}
	if err := os.Chmod(out, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(out, dir); err != nil {
		return "", err
	}
	pruneCache(top, 2)
	return dir, nil
}

// pruneCache keeps the newest entries.
func pruneCache(top string, keep int) {
	entries, _ := os.ReadDir(top)
	age := func(i int) time.Time {
		if info, err := entries[i].Info(); err == nil {
			return info.ModTime()
		}
		return time.Time{}
	}
	sort.Slice(entries, func(i, j int) bool { return age(i).After(age(j)) })
	for i, e := range entries {
		if i >= keep && e.IsDir() {
			os.RemoveAll(filepath.Join(top, e.Name()))
		}
	}
}

// sourceHash is the key of a build: what it is made from and how.
func sourceHash(source, flags string) (string, error) {
	h := sha256.New()
	version, err := goCommand(source, "version").Output()
	if err != nil {
		return "", fmt.Errorf("go is needed to build: %w", err)
	}
	fmt.Fprintf(h, "%s%s\n", version, flags)
	err = filepath.WalkDir(source, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := d.Name()
		if !strings.HasSuffix(name, ".go") && name != "go.mod" && name != "go.sum" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %x\n", strings.TrimPrefix(path, source), sha256.Sum256(b))
		return nil
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}

// goCommand prepares a go command whose settings do not depend on the user's:
// other ones (-race, no -trimpath, another C compiler) would mean another cold
// build of everything.
func goCommand(dir string, args ...string) *exec.Cmd {
	c := exec.Command("go", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	return c
}

func goBuild(dir, out, ldflags, pkg string) error {
	c := goCommand(dir, "build", "-trimpath", "-ldflags", ldflags, "-o", out, pkg)
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	begin := time.Now()
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("go build: %w\n%s", err, output.String())
			}
			usage, _ := c.ProcessState.SysUsage().(*syscall.Rusage)
			say("built %s in %.0f s; largest process %d MiB", filepath.Base(out), time.Since(begin).Seconds(), usage.Maxrss>>10)
			return nil
		case <-time.After(30 * time.Second):
			say("still building %s (%.0f s)", filepath.Base(out), time.Since(begin).Seconds())
		}
	}
}

// lock takes an exclusive lock on a directory and says so when it has to wait.
func lock(dir, holder string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		say("waiting for %s", holder)
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
	}
	return func() { f.Close() }, nil
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
