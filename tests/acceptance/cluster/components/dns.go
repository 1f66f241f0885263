package main

import (
	"context"
	"flag"
	"net"
	"net/http"
	"os"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// runDNS answers A queries for <service>.<namespace>.svc[.cluster.local] with
// the ClusterIP, for the names of a hosts file with what it says, and with
// NXDOMAIN for everything else (nothing is forwarded).
func runDNS(args []string) error {
	fs := flag.NewFlagSet("dns", flag.ExitOnError)
	conf := fs.String("kubeconfig", "", "kubeconfig")
	listen := fs.String("listen", "127.0.0.1:53", "UDP address")
	hosts := fs.String("hosts", "", "hosts file, read again for every question")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return serveDNS(*conf, *listen, *hosts)
}

// runCoreDNS stands in for CoreDNS in the tenants' own Deployment of it: the
// same name, the same probes (ports 8080 and 8181), the few answers of runDNS.
func runCoreDNS([]string) error {
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("OK")) })
	go http.ListenAndServe(":8080", ok)
	go http.ListenAndServe(":8181", ok)
	return serveDNS("", ":53", "")
}

func serveDNS(conf, listen, hosts string) error {
	cs, err := newClient(conf)
	if err != nil {
		return err
	}
	f := informers.NewSharedInformerFactory(cs, 0)
	services := f.Core().V1().Services().Lister()
	f.Core().V1().Services().Informer()
	f.Start(context.Background().Done())
	pc, err := net.ListenPacket("udp", listen)
	if err != nil {
		return err
	}
	f.WaitForCacheSync(context.Background().Done())
	buf := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return err
		}
		var q dnsmessage.Message
		if err := q.Unpack(buf[:n]); err != nil || len(q.Questions) != 1 {
			continue
		}
		if out, err := answer(q, services, hosts); err == nil {
			pc.WriteTo(out, from)
		}
	}
}

func answer(q dnsmessage.Message, services corelisters.ServiceLister, hosts string) ([]byte, error) {
	a := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: q.ID, Response: true, Authoritative: true, RCode: dnsmessage.RCodeNameError,
			RecursionDesired: q.RecursionDesired, RecursionAvailable: true,
		},
		Questions: q.Questions,
	}
	question := q.Questions[0]
	name := strings.TrimSuffix(strings.ToLower(question.Name.String()), ".")
	address, found := lookup(name, services, hosts)
	if found {
		a.RCode = dnsmessage.RCodeSuccess
	}
	if ip := net.ParseIP(address).To4(); ip != nil && question.Type == dnsmessage.TypeA {
		a.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 2},
			Body:   &dnsmessage.AResource{A: [4]byte(ip)},
		}}
	}
	return a.Pack()
}

func lookup(name string, services corelisters.ServiceLister, hosts string) (string, bool) {
	if p := strings.Split(strings.TrimSuffix(name, ".cluster.local"), "."); len(p) == 3 && p[2] == "svc" {
		s, err := services.Services(p[1]).Get(p[0])
		if err != nil {
			return "", false
		}
		return s.Spec.ClusterIP, true
	}
	b, err := os.ReadFile(hosts)
	if err != nil {
		return "", false
	}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[1] == name {
			return f[0], true
		}
	}
	return "", false
}
