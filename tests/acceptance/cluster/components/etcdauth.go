package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// runEtcdAuth creates user and role root in an etcd and enables authentication,
// which is what a Kamaji DataStore of driver etcd needs.
func runEtcdAuth(args []string) error {
	fs := flag.NewFlagSet("etcd-auth", flag.ExitOnError)
	ep := fs.String("endpoint", "https://127.0.0.1:2379", "etcd endpoint")
	ca := fs.String("ca", "", "CA certificate")
	crt := fs.String("cert", "", "client certificate with CN=root")
	key := fs.String("key", "", "client key")
	if err := fs.Parse(args); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(*crt, *key)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(*ca)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{*ep}, DialTimeout: 20 * time.Second, TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	exists := func(err error) bool { return err != nil && strings.Contains(err.Error(), "already") }
	st, err := c.AuthStatus(ctx)
	if err != nil {
		return err
	}
	if st.Enabled {
		return nil
	}
	if _, err := c.RoleAdd(ctx, "root"); err != nil && !exists(err) {
		return err
	}
	if _, err := c.UserAddWithOptions(ctx, "root", "", &clientv3.UserAddOptions{NoPassword: true}); err != nil && !exists(err) {
		return err
	}
	if _, err := c.UserGrantRole(ctx, "root", "root"); err != nil {
		return err
	}
	if _, err := c.AuthEnable(ctx); err != nil {
		return err
	}
	fmt.Println("etcd: authentication enabled")
	return nil
}
