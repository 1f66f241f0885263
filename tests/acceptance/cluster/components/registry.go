package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

// A container image registry that makes its images on the fly from the two
// static binaries: whatever repository and (supported) tag is asked for, the
// answer is an image FROM scratch with the multi-call binary and one small
// layer that holds the version. Kamaji runs kube-apiserver with pull policy
// Always, so images loaded into containerd beforehand would not be enough.

type blob struct {
	data []byte // small blobs
	path string // or a file of its own: header + file + padding
	head []byte
	tail []byte
	size int64
}

type registry struct {
	mu        sync.Mutex
	blobs     map[string]*blob  // digest -> blob
	manifests map[string]string // repository:tag -> digest
	binary    string            // digests of the two binary layers
	pause     string
	tools     string // of the layer for kube-proxy, "" when this machine lacks the tools
}

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(h[:])
}

var inImages = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubeadm", "kubectl", "etcd", "kamaji", "coredns"}

// binaryLayer makes a tar layer with one executable and its symlinks without
// copying the executable into memory.
func binaryLayer(path, name string, links []string) (*blob, string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	var head bytes.Buffer
	w := tar.NewWriter(&head)
	epoch := time.Unix(0, 0)
	for _, d := range []string{"bin/", "etc/", "tmp/", "usr/", "usr/local/", "usr/local/bin/", "var/", "var/run/"} {
		mode := int64(0o755)
		if d == "tmp/" {
			mode = 0o1777
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: mode, ModTime: epoch}); err != nil {
			return nil, "", err
		}
	}
	for _, l := range links {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: l, Linkname: "/" + name, Mode: 0o777, ModTime: epoch}); err != nil {
			return nil, "", err
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: st.Size(), ModTime: epoch}); err != nil {
		return nil, "", err
	}
	pad := (512 - st.Size()%512) % 512
	b := &blob{path: path, head: head.Bytes(), tail: make([]byte, pad+1024)}
	b.size = int64(len(b.head)) + st.Size() + int64(len(b.tail))
	h := sha256.New()
	if err := b.copyTo(h); err != nil {
		return nil, "", err
	}
	return b, "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

func (b *blob) copyTo(w io.Writer) error {
	if b.path == "" {
		_, err := w.Write(b.data)
		return err
	}
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, io.MultiReader(bytes.NewReader(b.head), f, bytes.NewReader(b.tail)))
	return err
}

func (r *registry) put(data []byte) string {
	d := digest(data)
	r.blobs[d] = &blob{data: data, size: int64(len(data))}
	return d
}

var kubeTag = regexp.MustCompile(`^v1\.(2[5-9]|30)\.[0-4]?[0-9]$`)

// manifest returns the digest of the image manifest of repository:tag.
func (r *registry) manifest(repo, tag string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasPrefix(tag, "sha256:") {
		_, ok := r.blobs[tag]
		return tag, ok
	}
	if d, ok := r.manifests[repo+":"+tag]; ok {
		return d, true
	}
	name := repo[strings.LastIndex(repo, "/")+1:]
	base, entry := r.binary, []string{"/components", name}
	switch {
	case name == "pause":
		base, entry = r.pause, []string{"/pause"}
	case strings.HasPrefix(name, "kube-") && !kubeTag.MatchString(tag):
		return "", false
	}
	var vers bytes.Buffer
	w := tar.NewWriter(&vers)
	text := []byte(tag + "\n")
	if strings.HasPrefix(name, "kube-") {
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: versionFile, Mode: 0o644, Size: int64(len(text)), ModTime: time.Unix(0, 0)})
		w.Write(text)
	}
	w.Close()
	layers := []string{base, r.put(vers.Bytes())}
	if name == "kube-proxy" && r.tools != "" {
		layers = append(layers, r.tools)
	}
	config, _ := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": entry, "Env": []string{"PATH=/usr/local/bin:/usr/sbin:/bin"}, "WorkingDir": "/"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": layers},
	})
	const m = "application/vnd.oci.image."
	var described []any
	for _, d := range layers {
		described = append(described, map[string]any{"mediaType": m + "layer.v1.tar", "digest": d, "size": r.blobs[d].size})
	}
	cd := r.put(config)
	man, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": m + "manifest.v1+json",
		"config": map[string]any{"mediaType": m + "config.v1+json", "digest": cd, "size": len(config)},
		"layers": described,
	})
	d := r.put(man)
	r.manifests[repo+":"+tag] = d
	return d, true
}

var route = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs)/([^/]+)$`)

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/v2/" {
		return
	}
	p := route.FindStringSubmatch(q.URL.Path)
	if p == nil {
		http.NotFound(w, q)
		return
	}
	d := p[3]
	kind := "application/octet-stream"
	if p[2] == "manifests" {
		var ok bool
		if d, ok = r.manifest(p[1], p[3]); !ok {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
			return
		}
		kind = "application/vnd.oci.image.manifest.v1+json"
	}
	r.mu.Lock()
	b := r.blobs[d]
	r.mu.Unlock()
	if b == nil {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Docker-Content-Digest", d)
	w.Header().Set("Content-Length", fmt.Sprint(b.size))
	if q.Method == http.MethodHead {
		return
	}
	if err := b.copyTo(w); err != nil {
		log.Println(q.URL.Path, err)
	}
}

func runRegistry(args []string) error {
	fs := flag.NewFlagSet("registry", flag.ExitOnError)
	listen := fs.String("listen", "127.0.0.1:5000", "address to listen on")
	self := fs.String("components", "/proc/self/exe", "the multi-call binary")
	pause := fs.String("pause", "pause", "the pause binary")
	if err := fs.Parse(args); err != nil {
		return err
	}
	r := &registry{blobs: map[string]*blob{}, manifests: map[string]string{}}
	links := []string{"kamaji"} // the migration Job runs /kamaji
	for _, p := range inImages {
		links = append(links, "usr/local/bin/"+p)
	}
	b, d, err := binaryLayer(*self, "components", links)
	if err != nil {
		return err
	}
	r.blobs[d], r.binary = b, d
	if b, d, err = binaryLayer(*pause, "pause", nil); err != nil {
		return err
	}
	r.blobs[d], r.pause = b, d
	if tools, err := hostToolsLayer(); err != nil {
		log.Println("images of kube-proxy have no iptables:", err)
	} else {
		r.tools = r.put(tools)
	}
	return http.ListenAndServe(*listen, r)
}
