// Kamaji: definitions, data stores, manager, webhooks.

package main

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"text/template"
	"time"

	"gopkg.in/yaml.v3"
)

//go:embed manifests
var manifests embed.FS

// Secrets with the certificates of the tenants' etcd servers. The second one
// is not used by any DataStore: whoever makes one for etcd-quickstart needs it.
const (
	kamajiNamespace   = "kamaji-system"
	etcdSecret        = "etcd-certs"
	quickstartSecret  = "quickstart-etcd-certs"
	kamajiWebhookPort = "9443"
)

// kamajiUnit is the Kamaji manager, outside the API but inside the machine.
// Its executable is named as in Kamaji's own image: the name shows up as the
// field manager of what it writes.
func kamajiUnit(s *Settings) Unit {
	return Unit{
		Name: "kamaji",
		Args: []string{
			s.bin("kamaji"), "manager", "--leader-elect=false", "--disable-telemetry",
			"--pod-namespace=" + kamajiNamespace, "--serviceaccount-name=default", "--datastore=default",
			"--tmp-directory=/tmp/kamaji", "--webhook-ca-path=" + webhookCertificates + "/ca.crt",
			"--migrate-image=kamaji.local/kamaji:v1.0.0", "--max-concurrent-tcp-reconciles=4",
		},
		Env: []string{"KUBECONFIG=" + s.kubeconfig()},
	}
}

// webhookCertificates is where the manager looks for them in a machine.
const webhookCertificates = "/tmp/k8s-webhook-server/serving-certs"

// installKamaji makes everything that the manager wants to find, then starts
// it and switches its admission webhooks on.
func installKamaji(s *Settings, m *Machine) error {
	crds, err := readCRDs(s)
	if err != nil {
		return err
	}
	p := func(name string) string { return s.path("pki", name) }
	secret := []string{"--from-file=ca.crt=" + p("etcd-ca.crt"), "--from-file=ca.key=" + p("etcd-ca.key"),
		"--from-file=tls.crt=" + p("etcd-root.crt"), "--from-file=tls.key=" + p("etcd-root.key")}
	for _, step := range []struct {
		input []byte
		args  []string
	}{
		{nil, []string{"create", "namespace", kamajiNamespace}},
		{crds, []string{"create", "-f", "-"}},
		{nil, []string{"wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"}},
		{nil, append([]string{"-n", kamajiNamespace, "create", "secret", "generic", etcdSecret}, secret...)},
		{nil, append([]string{"-n", kamajiNamespace, "create", "secret", "generic", quickstartSecret}, secret...)},
		// The Job that migrates a tenant to another data store runs as this account.
		{nil, []string{"create", "clusterrolebinding", "kamaji-migrate", "--clusterrole=cluster-admin", "--serviceaccount=" + kamajiNamespace + ":default"}},
	} {
		if _, err := kubectlInput(s, step.input, step.args...); err != nil {
			return err
		}
	}
	// The API serves a new kind a moment after it calls it established.
	stores, err := render("datastores.yaml", map[string]any{
		"Namespace": kamajiNamespace, "Secret": etcdSecret,
		"Stores": map[string]string{"default": etcdEndpoint(2479), "second": etcdEndpoint(2579)},
	})
	if err != nil {
		return err
	}
	if err := waitFor(m, "kube-apiserver", "the DataStores", 30*time.Second, func() error {
		_, err := kubectlInput(s, stores, "apply", "-f", "-")
		return err
	}); err != nil {
		return err
	}
	for from, to := range map[string]string{"webhook.crt": "tls.crt", "webhook.key": "tls.key", "webhook-ca.crt": "ca.crt"} {
		if _, err := m.run(s, "install", "-D", "-m", "600", p(from), webhookCertificates+"/"+to); err != nil {
			return err
		}
	}
	if err := m.post("kamaji", "start"); err != nil {
		return err
	}
	if err := waitKamaji(m); err != nil {
		return err
	}
	ca, err := os.ReadFile(p("webhook-ca.crt"))
	if err != nil {
		return err
	}
	hooks, err := render("webhooks.yaml", map[string]any{
		"CA": base64.StdEncoding.EncodeToString(ca), "Address": nodeAddress, "Port": kamajiWebhookPort,
		"DataStoreHooks": s.KamajiBinary == "", // newer managers do not serve them
	})
	if err != nil {
		return err
	}
	_, err = kubectlInput(s, hooks, "create", "-f", "-")
	return err
}

func waitKamaji(m *Machine) error {
	return waitFor(m, "kamaji", "Kamaji", 90*time.Second, func() error {
		if err := healthy("http://" + nodeAddress + ":8081/readyz"); err != nil {
			return err
		}
		return tcp(nodeAddress + ":" + kamajiWebhookPort)
	})
}

func render(name string, values any) ([]byte, error) {
	t, err := template.ParseFS(manifests, "manifests/"+name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, values)
	return b.Bytes(), err
}

// readCRDs reads the custom resource definitions of Kamaji as one list. There
// is no conversion webhook here. Rules of newer definitions that call functions
// which kube-apiserver 1.30 does not know are left out, and said to be.
func readCRDs(s *Settings) ([]byte, error) {
	dir := s.CRDDirectory
	if dir == "" {
		dir = s.bin("crds")
	}
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil {
		return nil, err
	}
	sort.Strings(files)
	list := map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{}}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var crd map[string]any
		if err := yaml.Unmarshal(b, &crd); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		if crd["kind"] != "CustomResourceDefinition" {
			continue
		}
		if spec, ok := crd["spec"].(map[string]any); ok {
			delete(spec, "conversion")
		}
		for _, rule := range dropUnknownRules(crd) {
			say("%s: rule left out, kube-apiserver 1.30 does not know its functions: %s", filepath.Base(f), rule)
		}
		list["items"] = append(list["items"].([]any), crd)
	}
	if len(list["items"].([]any)) == 0 {
		return nil, fmt.Errorf("no custom resource definitions in %s", dir)
	}
	return json.Marshal(list)
}

// dropUnknownRules removes validation rules that use functions of newer API
// servers, anywhere in a schema, and returns them.
func dropUnknownRules(v any) []string {
	var dropped []string
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			dropped = append(dropped, dropUnknownRules(e)...)
		}
	case map[string]any:
		for _, e := range v {
			dropped = append(dropped, dropUnknownRules(e)...)
		}
		rules, ok := v["x-kubernetes-validations"].([]any)
		if !ok {
			break
		}
		var kept []any
		for _, r := range rules {
			m, _ := r.(map[string]any)
			text, _ := m["rule"].(string)
			if newFunctions.MatchString(text) {
				dropped = append(dropped, strings.Join(strings.Fields(text), " "))
			} else {
				kept = append(kept, r)
			}
		}
		if v["x-kubernetes-validations"] = kept; len(kept) == 0 {
			delete(v, "x-kubernetes-validations")
		}
	}
	return dropped
}

// newFunctions are those that came with Kubernetes 1.31.
var newFunctions = regexp.MustCompile(`\b(isCIDR|cidr|isIP|ip)\(`)
