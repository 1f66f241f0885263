package main

import (
	"fmt"
	"os"

	kamajicmd "github.com/clastix/kamaji/cmd"
	kamajimanager "github.com/clastix/kamaji/cmd/manager"
	kamajimigrate "github.com/clastix/kamaji/cmd/migrate"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// programs maps a name to the upstream program. Every command is built only
// when it is asked for: several of them register flags of the same name on the
// process-wide flag sets, and kube-apiserver panics if those are replaced.
var programs = map[string]func(){
	"kube-apiserver":          func() { runCobra(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() { runCobra(controllermanager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() { runCobra(scheduler.NewSchedulerCommand()) },
	"kube-proxy":              runKubeProxy,
	"kubelet":                 func() { runCobra(kubelet.NewKubeletCommand()) },
	"kubectl":                 func() { runCobra(kubectl.NewDefaultKubectlCommand()) },
	"kubeadm":                 runKubeadm,
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kamaji":                  runKamaji,
}

// helpers are the cluster's own small programs.
var helpers = map[string]func([]string) error{
	"pki":       runPKI,
	"registry":  runRegistry,
	"dns":       runDNS,
	"coredns":   runCoreDNS,
	"lb":        runLoadBalancer,
	"etcd-auth": runEtcdAuth,
}

func runCobra(c *cobra.Command) { os.Exit(cli.Run(c)) }

func runKubeadm() {
	if err := kubeadm.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runKubeProxy() {
	adaptKubeProxyConfig()
	runCobra(proxy.NewProxyCommand())
}

func runKamaji() {
	scheme := runtime.NewScheme()
	root := kamajicmd.NewCmd(scheme)
	root.AddCommand(kamajimanager.NewCmd(scheme), kamajimigrate.NewCmd(scheme))
	if err := root.Execute(); err != nil {
		os.Exit(1)
	}
}
