// The image of kine: this very program, served by as much of a registry as containerd asks for.

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path"
	"runtime"
	"time"
)

const (
	layerType    = "application/vnd.oci.image.layer.v1.tar"
	configType   = "application/vnd.oci.image.config.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
)

// serveImage serves the image, whatever name and tag are asked for.
func serveImage(address string) error {
	blobs, manifest, err := image()
	if err != nil {
		return err
	}
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch kind, name := path.Base(path.Dir(q.URL.Path)), path.Base(q.URL.Path); {
		case q.URL.Path == "/v2/":
		case kind == "manifests":
			w.Header().Set("Docker-Content-Digest", digest(manifest))
			send(w, q, manifestType, manifest)
		case kind == "blobs" && blobs[name] != nil:
			send(w, q, "application/octet-stream", blobs[name])
		default:
			http.NotFound(w, q)
		}
	}))
}

func send(w http.ResponseWriter, q *http.Request, kind string, content []byte) {
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(content))
}

// image makes the image: its blobs by digest, and its manifest.
func image() (map[string][]byte, []byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return nil, nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	epoch := time.Unix(0, 0)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o755, ModTime: epoch},
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777, ModTime: epoch},
		{Typeflag: tar.TypeSymlink, Name: "bin/sh", Linkname: "kine", Mode: 0o777, ModTime: epoch},
		{Typeflag: tar.TypeReg, Name: "bin/kine", Mode: 0o755, Size: int64(len(program)), ModTime: epoch},
	} {
		if err := w.WriteHeader(h); err != nil {
			return nil, nil, err
		}
	}
	if _, err := w.Write(program); err != nil {
		return nil, nil, err
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/bin/kine"}, "Env": []string{"PATH=/bin"}, "WorkingDir": "/"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(layer.Bytes())}},
	})
	if err != nil {
		return nil, nil, err
	}
	described := func(kind string, content []byte) map[string]any {
		return map[string]any{"mediaType": kind, "digest": digest(content), "size": len(content)}
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": described(configType, config), "layers": []any{described(layerType, layer.Bytes())},
	})
	blobs := map[string][]byte{digest(layer.Bytes()): layer.Bytes(), digest(config): config, digest(manifest): manifest}
	return blobs, manifest, err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
