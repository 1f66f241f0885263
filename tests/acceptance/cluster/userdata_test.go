package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
	"testing"
)

func compress(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUserDataScript(t *testing.T) {
	const script = "#!/bin/bash\necho hello\n"
	for _, data := range [][]byte{[]byte(script), compress(t, script)} {
		u, err := parseUserData(data)
		if err != nil {
			t.Fatal(err)
		}
		if len(u.Scripts) != 1 || u.Scripts[0] != script || u.Commands != "" || u.Files != nil {
			t.Errorf("got %+v", u)
		}
	}
}

func TestUserDataCloudConfig(t *testing.T) {
	u, err := parseUserData([]byte(`#cloud-config
hostname: other
write_files:
- path: /late
  defer: true
- path: /etc/join.yaml
  owner: root:root
  permissions: '0640'
  encoding: b64
  content: ` + base64.StdEncoding.EncodeToString([]byte("kind: JoinConfiguration\n")) + `
- path: /etc/plain
  permissions: 0600
  append: true
  content: |
    one
    two
- path: /etc/packed
  encoding: gz+b64
  content: ` + base64.StdEncoding.EncodeToString(compress(t, "packed")) + `
runcmd:
- [kubeadm, join, --config, "/etc/join it's.yaml"]
- rm -f /etc/join.yaml || true
- null
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		path, content string
		mode          uint32
	}{
		{"/etc/join.yaml", "kind: JoinConfiguration\n", 0o640},
		{"/etc/plain", "one\ntwo\n", 0o600},
		{"/etc/packed", "packed", 0o644},
		{"/late", "", 0o644},
	}
	if len(u.Files) != len(want) {
		t.Fatalf("got %d files", len(u.Files))
	}
	for i, w := range want {
		f := u.Files[i]
		if f.Path != w.path || string(f.Content) != w.content || uint32(f.Permissions) != w.mode {
			t.Errorf("file %d: got %s %o %q", i, f.Path, f.Permissions, f.Content)
		}
	}
	if u.Files[0].Owner != "root:root" || !u.Files[1].Append || u.Hostname != "other" {
		t.Errorf("got %+v", u)
	}
	const commands = "#!/bin/sh\n'kubeadm' 'join' '--config' '/etc/join it'\\''s.yaml'\nrm -f /etc/join.yaml || true\n"
	if u.Commands != commands {
		t.Errorf("got commands %q", u.Commands)
	}
}

func TestUserDataMultipart(t *testing.T) {
	u, err := parseUserData([]byte(strings.ReplaceAll(`Content-Type: multipart/mixed; boundary="edge"
MIME-Version: 1.0

--edge
Content-Type: text/cloud-config; charset="utf-8"

#cloud-config
runcmd: [second]
--edge
Content-Type: text/x-shellscript
Content-Transfer-Encoding: base64

`+base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\nfirst\n"))+`
--edge--
`, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Scripts) != 1 || u.Scripts[0] != "#!/bin/sh\nfirst\n" || u.Commands != "#!/bin/sh\nsecond\n" {
		t.Errorf("got %+v", u)
	}
}

func TestUserDataThatIsNotUnderstood(t *testing.T) {
	for data, want := range map[string]string{
		"":                            "not understood",
		"kubeadm join":                "not understood",
		"#cloud-configuration\n":      "not understood",
		"#include\nhttp://host/":      "not understood",
		"#cloud-config\npackages: []": "packages",
		"#cloud-config\nwrite_files: [{path: relative}]":                      "absolute",
		"#cloud-config\nwrite_files: [{path: /a, source: {uri: x}}]":          "source",
		"#cloud-config\nwrite_files: [{path: /a, permissions: rw}]":           "permissions",
		"#cloud-config\nwrite_files: [{path: /a, content: x, encoding: rot}]": "encoding",
		"#cloud-config\nruncmd: [{a: b}]":                                     "line 2",
		"#cloud-config\n- list":                                               "cloud-config",
	} {
		if _, err := parseUserData([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error about %q", data, err, want)
		}
	}
}
