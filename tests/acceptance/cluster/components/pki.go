package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

type pair struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
	pem  []byte
	kpem []byte
}

// issue makes a key and a certificate signed by ca, or self-signed when ca is nil.
// Keys are RSA in PKCS#1 form: Kamaji v1.0.0 reads no other kind from a DataStore.
func issue(ca *pair, cn, org string, hosts []string) (*pair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: cn},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if org != "" {
		t.Subject.Organization = []string{org}
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	parent, signer := t, key
	if ca == nil {
		t.IsCA, t.BasicConstraintsValid = true, true
		t.KeyUsage |= x509.KeyUsageCertSign
		t.ExtKeyUsage = nil
	} else {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &pair{
		cert: cert, key: key,
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		kpem: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}, nil
}

func (p *pair) write(dir, name string) error {
	if err := os.WriteFile(filepath.Join(dir, name+".crt"), p.pem, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".key"), p.kpem, 0o600)
}

func kubeconfig(server string, ca, user *pair) []byte {
	b := base64.StdEncoding.EncodeToString
	return []byte(fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: kamaji-local
  cluster: {server: "%s", certificate-authority-data: %s}
users:
- name: user
  user: {client-certificate-data: %s, client-key-data: %s}
contexts:
- name: kamaji-local
  context: {cluster: kamaji-local, user: user}
current-context: kamaji-local
`, server, b(ca.pem), b(user.pem), b(user.kpem)))
}

// runPKI writes every certificate, key and kubeconfig of the management plane.
func runPKI(args []string) error {
	fs := flag.NewFlagSet("pki", flag.ExitOnError)
	dir := fs.String("dir", "pki", "output directory")
	addr := fs.String("address", "127.0.0.1", "address of the management API server and of etcd")
	port := fs.Int("port", 6443, "port of the management API server")
	service := fs.String("service-ip", "10.96.0.1", "ClusterIP of the kubernetes Service")
	node := fs.String("node", "management", "node name")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	local := []string{"localhost", "127.0.0.1", *addr}
	cas := map[string]*pair{}
	for _, n := range []string{"ca", "front-proxy-ca", "etcd-ca", "webhook-ca"} {
		p, err := issue(nil, "kamaji-local-"+n, "", nil)
		if err != nil {
			return err
		}
		if err := p.write(*dir, n); err != nil {
			return err
		}
		cas[n] = p
	}
	for _, c := range []struct {
		file, ca, cn, org string
		hosts             []string
	}{
		{"apiserver", "ca", "kube-apiserver", "", append([]string{*service, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}, local...)},
		{"apiserver-kubelet-client", "ca", "kamaji-local-apiserver", "system:masters", nil},
		{"front-proxy-client", "front-proxy-ca", "front-proxy-client", "", nil},
		{"kubelet", "ca", *node, "", append([]string{*node}, local...)},
		{"etcd-server", "etcd-ca", "etcd", "", local},
		{"etcd-root", "etcd-ca", "root", "", nil},
		{"webhook", "webhook-ca", "kamaji", "", append([]string{"kamaji-webhook-service.kamaji-system.svc"}, local...)},
	} {
		p, err := issue(cas[c.ca], c.cn, c.org, c.hosts)
		if err != nil {
			return err
		}
		if err := p.write(*dir, c.file); err != nil {
			return err
		}
	}
	server := fmt.Sprintf("https://%s", net.JoinHostPort(*addr, fmt.Sprint(*port)))
	for _, c := range []struct{ file, cn, org string }{
		{"admin", "kamaji-local-admin", "system:masters"},
		{"controller-manager", "system:kube-controller-manager", ""},
		{"scheduler", "system:kube-scheduler", ""},
		{"kube-proxy", "system:kube-proxy", ""},
		{"node", "system:node:" + *node, "system:nodes"},
	} {
		p, err := issue(cas["ca"], c.cn, c.org, nil)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*dir, c.file+".conf"), kubeconfig(server, cas["ca"], p), 0o600); err != nil {
			return err
		}
	}
	sa, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	pub, err := x509.MarshalPKIXPublicKey(sa.Public())
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(*dir, "sa.key"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(sa)}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(*dir, "sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}), 0o644)
}
