// The API server of the newest Kubernetes, alone: it knows the CEL functions that the rules of new definitions use.

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const newestKubernetesVersion = "v1.36.3"

const newestFlags = "-s -w" +
	" -X k8s.io/component-base/version.gitVersion=" + newestKubernetesVersion +
	" -X k8s.io/component-base/version.gitMajor=1" +
	" -X k8s.io/component-base/version.gitMinor=36"

// apiServerCommand is `cluster api-server build` and `cluster api-server run DIR`.
func apiServerCommand(s *Settings, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "build":
		_, err := buildAPIServer(s)
		return err
	case len(args) == 2 && args[0] == "run":
		return runAPIServer(s, args[1])
	}
	return errors.New("usage: cluster api-server build | cluster api-server run DIR")
}

// buildAPIServer builds kube-apiserver and etcd, unless the cache has them, and returns the path of the one binary that
// is both.
func buildAPIServer(s *Settings) (string, error) {
	source, err := sourceDir("../apiserver")
	if err != nil {
		return "", err
	}
	dir, err := cached(s, "apiserver", source, newestFlags, func(out string) error {
		say("building the API server of Kubernetes %s (4 to 5 minutes the first time, then kept)", newestKubernetesVersion)
		return goBuild(source, out+"/apiserver", newestFlags, ".")
	})
	return dir + "/apiserver", err
}

// runAPIServer runs etcd and the API server on loopback until standard input ends or a signal comes, and then ends them.
// The only line on standard output is the path of the kubeconfig, when it can be used. Everything is in the directory,
// which must be empty or not exist, and stays for the caller to remove.
func runAPIServer(s *Settings, dir string) error {
	program, err := buildAPIServer(s)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ended := make(chan error, 4) // one of each sender
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended <- nil
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		ended <- nil
	}()

	server, err := newAPIServer(program, dir)
	if err != nil {
		return err
	}
	defer server.end()
	if err := server.start("etcd", server.etcdArgs(), ended); err != nil {
		return err
	}
	if err := server.start("kube-apiserver", server.apiServerArgs(), ended); err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() { ready <- poll(90*time.Second, 100*time.Millisecond, server.ready) }()
	select {
	case err := <-ended:
		return err
	case err := <-ready:
		if err != nil {
			return fmt.Errorf("kube-apiserver: %w\n%s", err, tail(server.path("kube-apiserver.log"), 25))
		}
	}
	if err := server.writeKubeconfig(); err != nil {
		return err
	}
	fmt.Println(server.path("kubeconfig"))
	return <-ended
}

// lonelyAPIServer is an API server with its etcd, all on loopback.
type lonelyAPIServer struct {
	program, dir                  string
	clientPort, peerPort, apiPort int
	token                         string
	running                       []startedProcess
}

type startedProcess struct {
	*exec.Cmd
	ended chan struct{}
}

// newAPIServer prepares the directory: a token of the administrator, and a key for service accounts, without which
// kube-apiserver does not start.
func newAPIServer(program, dir string) (*lonelyAPIServer, error) {
	server := &lonelyAPIServer{program: program, dir: dir}
	for _, port := range []*int{&server.clientPort, &server.peerPort, &server.apiPort} {
		free, err := freePort()
		if err != nil {
			return nil, err
		}
		*port = free
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	server.token = hex.EncodeToString(random)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(server.path("sa.key"), block, 0o600); err != nil {
		return nil, err
	}
	return server, os.WriteFile(server.path("tokens"), []byte(server.token+",admin,admin,system:masters\n"), 0o600)
}

// freePort is one that nothing listens on now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func (a *lonelyAPIServer) path(name string) string { return filepath.Join(a.dir, name) }

func (a *lonelyAPIServer) url() string { return fmt.Sprintf("https://127.0.0.1:%d", a.apiPort) }

func (a *lonelyAPIServer) etcdArgs() []string {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", a.clientPort), fmt.Sprintf("http://127.0.0.1:%d", a.peerPort)
	return []string{
		"--name=alone", "--data-dir=" + a.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=alone=" + peer,
	}
}

func (a *lonelyAPIServer) apiServerArgs() []string {
	return []string{
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", a.apiPort), "--cert-dir=" + a.path("certificates"),
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", a.clientPort), "--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=RBAC", "--token-auth-file=" + a.path("tokens"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + a.path("sa.key"), "--service-account-signing-key-file=" + a.path("sa.key"),
	}
}

// start starts one of the two. It ends with this process, however that ends, and this process with it.
func (a *lonelyAPIServer) start(name string, args []string, ended chan<- error) error {
	log, err := os.Create(a.path(name + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(a.program, append([]string{name}, args...)...)
	c.Stdout, c.Stderr = log, log
	// Its own group: Ctrl-C is for this process, which ends the two in order.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	// The signal comes when the thread ends that started the process: main's stays.
	runtime.LockOSThread()
	if err := c.Start(); err != nil {
		return err
	}
	started := startedProcess{c, make(chan struct{})}
	a.running = append(a.running, started)
	go func() {
		state := c.Wait()
		close(started.ended)
		ended <- fmt.Errorf("%s has ended: %v\n%s", name, state, tail(a.path(name+".log"), 25))
	}()
	return nil
}

// end kills what runs: its data is nobody's any more. Afterwards nothing writes into the directory.
func (a *lonelyAPIServer) end() {
	for i := len(a.running) - 1; i >= 0; i-- {
		_ = a.running[i].Process.Kill()
		<-a.running[i].ended
	}
}

func (a *lonelyAPIServer) ready() error { return healthy(a.url() + "/readyz") }

func (a *lonelyAPIServer) writeKubeconfig() error {
	ca, err := os.ReadFile(a.path("certificates/apiserver.crt"))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "apiVersion: v1\nkind: Config\ncurrent-context: alone\n")
	fmt.Fprintf(&text, "clusters:\n- name: alone\n  cluster: {server: %q, certificate-authority-data: %s}\n",
		a.url(), base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(string(ca)))))
	fmt.Fprintf(&text, "users:\n- name: admin\n  user: {token: %q}\n", a.token)
	fmt.Fprintf(&text, "contexts:\n- name: alone\n  context: {cluster: alone, user: admin}\n")
	return os.WriteFile(a.path("kubeconfig"), text.Bytes(), 0o600)
}
