// The Kubernetes control plane of the management cluster.

package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const apiServer = "https://" + nodeAddress + ":6443"

// controlPlaneUnits are the Kubernetes control plane and what a cloud would
// add to it: names of Services, addresses of load balancers, an image registry.
func controlPlaneUnits(s *Settings) []Unit {
	p := func(name string) string { return s.path("pki", name) }
	return []Unit{
		{Name: "kube-apiserver", Args: []string{
			s.bin("kube-apiserver"), "--bind-address=0.0.0.0", "--advertise-address=" + nodeAddress, "--secure-port=6443",
			"--allow-privileged", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
			"--client-ca-file=" + p("ca.crt"), "--tls-cert-file=" + p("apiserver.crt"), "--tls-private-key-file=" + p("apiserver.key"),
			"--kubelet-client-certificate=" + p("apiserver-kubelet-client.crt"), "--kubelet-client-key=" + p("apiserver-kubelet-client.key"),
			"--kubelet-preferred-address-types=InternalIP",
			fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", etcds[0].port),
			"--etcd-cafile=" + p("etcd-ca.crt"), "--etcd-certfile=" + p("etcd-root.crt"), "--etcd-keyfile=" + p("etcd-root.key"),
			"--service-cluster-ip-range=" + serviceRange,
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + p("sa.pub"), "--service-account-signing-key-file=" + p("sa.key"),
			"--requestheader-client-ca-file=" + p("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
			"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file=" + p("front-proxy-client.crt"), "--proxy-client-key-file=" + p("front-proxy-client.key"),
		}},
		{Name: "kube-controller-manager", Args: []string{
			s.bin("kube-controller-manager"), "--kubeconfig=" + p("controller-manager.conf"),
			"--authentication-kubeconfig=" + p("controller-manager.conf"), "--authorization-kubeconfig=" + p("controller-manager.conf"),
			"--leader-elect=false", "--use-service-account-credentials", "--cluster-name=kamaji-local",
			"--root-ca-file=" + p("ca.crt"), "--service-account-private-key-file=" + p("sa.key"),
			"--cluster-signing-cert-file=" + p("ca.crt"), "--cluster-signing-key-file=" + p("ca.key"),
			"--service-cluster-ip-range=" + serviceRange,
		}},
		{Name: "kube-scheduler", Args: []string{
			s.bin("kube-scheduler"), "--kubeconfig=" + p("scheduler.conf"),
			"--authentication-kubeconfig=" + p("scheduler.conf"), "--authorization-kubeconfig=" + p("scheduler.conf"),
			"--leader-elect=false",
		}},
		{Name: "dns", Args: []string{s.bin("dns"), "--kubeconfig=" + p("admin.conf"), "--listen=" + nodeAddress + ":53", "--hosts=" + s.path("hosts")}},
		{Name: "lb", Args: []string{s.bin("lb"), "--kubeconfig=" + p("admin.conf"), "--range=" + loadBalancerRange}},
		{Name: "registry", Args: []string{s.bin("registry"), "--listen=" + registryAddress, "--components=" + s.bin("components"), "--pause=" + s.bin("pause")}},
	}
}

func waitAPIServer(s *Settings, m *Machine, deadline time.Duration) error {
	return waitFor(m, "kube-apiserver", "kube-apiserver", deadline, func() error { return ready(s) })
}

// ready asks the management API server whether it is ready.
func ready(s *Settings) error {
	_, err := kubectl(s, "get", "--raw", "/readyz", "--request-timeout=5s")
	return err
}

// healthy asks a component's own health address, whose certificate nobody
// signed.
func healthy(url string) error {
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(r.Body, 500))
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, r.Status, strings.TrimSpace(string(b)))
	}
	return nil
}
