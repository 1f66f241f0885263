package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// runLoadBalancer gives every Service of type LoadBalancer an address of a range.
func runLoadBalancer(args []string) error {
	fs := flag.NewFlagSet("lb", flag.ExitOnError)
	conf := fs.String("kubeconfig", "", "kubeconfig")
	cidr := fs.String("range", "10.251.0.0/24", "address range")
	if err := fs.Parse(args); err != nil {
		return err
	}
	first, ipnet, err := net.ParseCIDR(*cidr)
	if err != nil {
		return err
	}
	cs, err := newClient(*conf)
	if err != nil {
		return err
	}
	f := informers.NewSharedInformerFactory(cs, 30*time.Second)
	lister := f.Core().V1().Services().Lister()
	wake := make(chan struct{}, 1)
	poke := func(any) {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	f.Core().V1().Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: poke, DeleteFunc: poke, UpdateFunc: func(_, o any) { poke(o) },
	})
	f.Start(context.Background().Done())
	f.WaitForCacheSync(context.Background().Done())
	given := map[string]string{} // namespace/name -> address, until the cache has it
	for range wake {
		all, err := lister.List(labels.Everything())
		if err != nil {
			return err
		}
		used, alive := map[string]bool{}, map[string]bool{}
		for _, s := range all {
			alive[s.Namespace+"/"+s.Name] = true
			for _, i := range s.Status.LoadBalancer.Ingress {
				used[i.IP] = true
			}
		}
		for k, ip := range given {
			if !alive[k] {
				delete(given, k)
				continue
			}
			used[ip] = true
		}
		for _, s := range all {
			k := s.Namespace + "/" + s.Name
			if s.Spec.Type != v1.ServiceTypeLoadBalancer || s.DeletionTimestamp != nil || len(s.Status.LoadBalancer.Ingress) > 0 {
				continue
			}
			ip := given[k]
			if ip == "" {
				ip = s.Spec.LoadBalancerIP
			}
			for n := 1; ip == "" && n < 255; n++ {
				c := append(net.IP{}, first.To4()...)
				c[3] += byte(n)
				if ipnet.Contains(c) && !used[c.String()] {
					ip = c.String()
				}
			}
			if ip == "" {
				log.Println("no address left for", k)
				continue
			}
			given[k], used[ip] = ip, true
			body := fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":%q}]}}}`, ip)
			if err := patchStatus(cs, s.Namespace, s.Name, body); err != nil {
				log.Println(k, err)
			}
		}
	}
	return nil
}

func patchStatus(cs *kubernetes.Clientset, ns, name, body string) error {
	_, err := cs.CoreV1().Services(ns).Patch(context.Background(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{}, "status")
	return err
}
