// User data: reading it, and doing what it asks for inside a worker machine.

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// UserData is what a cloud's user data asks for, in the order in which
// cloud-init does it: files, scripts, and last the commands of runcmd.
type UserData struct {
	Hostname string
	Files    []UserFile
	Scripts  []string
	Commands string // a shell script, "" without runcmd
}

// UserFile is one entry of write_files.
type UserFile struct {
	Path        string
	Content     []byte
	Permissions os.FileMode
	Owner       string
	Append      bool
	Defer       bool
}

// parseUserData reads user data: a script, cloud-config of the few keys that
// are known here, or a multipart message of both; any of them may be
// compressed. What is not understood is an error: nothing is left out silently.
func parseUserData(data []byte) (*UserData, error) {
	u := &UserData{}
	return u, u.add(data)
}

func (u *UserData) add(data []byte) error {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		plain, err := gunzip(data)
		if err != nil {
			return err
		}
		data = plain
	}
	first, _, _ := strings.Cut(string(data), "\n")
	lower := strings.ToLower(first)
	switch {
	case strings.HasPrefix(first, "#!"):
		u.Scripts = append(u.Scripts, string(data))
		return nil
	case strings.TrimSpace(first) == "#cloud-config":
		return u.addCloudConfig(data)
	case strings.HasPrefix(lower, "content-type:") || strings.HasPrefix(lower, "mime-version:"):
		return u.addMultipart(data)
	}
	return fmt.Errorf("user data that begins with %q is not understood here", first)
}

func (u *UserData) addMultipart(data []byte) error {
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(kind, "multipart/") {
		return fmt.Errorf("user data of type %s is not understood here", kind)
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(p)
		if err != nil {
			return err
		}
		switch encoding := strings.ToLower(p.Header.Get("Content-Transfer-Encoding")); encoding {
		case "base64":
			if body, err = decodeBase64(string(body)); err != nil {
				return err
			}
		case "", "7bit", "8bit", "binary", "quoted-printable": // the reader undoes the last one
		default:
			return fmt.Errorf("a part of the user data has the unknown encoding %q", encoding)
		}
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			return err
		}
		switch kind {
		case "text/cloud-config":
			err = u.addCloudConfig(body)
		case "text/x-shellscript":
			u.Scripts = append(u.Scripts, string(body))
		case "text/plain":
			err = u.add(body)
		default:
			err = fmt.Errorf("a part of the user data has the type %s, which is not understood here", kind)
		}
		if err != nil {
			return err
		}
	}
}

func (u *UserData) addCloudConfig(data []byte) error {
	var c map[string]yaml.Node
	if err := yaml.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("cloud-config: %w", err)
	}
	for key, node := range c {
		var err error
		switch key {
		case "hostname":
			err = node.Decode(&u.Hostname)
		case "write_files":
			u.Files, err = parseWriteFiles(node)
		case "runcmd":
			u.Commands, err = parseRuncmd(node)
		default:
			err = errors.New("this key is not understood here (only hostname, write_files and runcmd are)")
		}
		if err != nil {
			return fmt.Errorf("cloud-config: %s: %w", key, err)
		}
	}
	return nil
}

func parseWriteFiles(node yaml.Node) ([]UserFile, error) {
	var entries []map[string]yaml.Node
	if err := node.Decode(&entries); err != nil {
		return nil, err
	}
	var files []UserFile
	for _, e := range entries {
		f := UserFile{Permissions: 0o644}
		var content, encoding, permissions string
		for key, node := range e {
			var err error
			switch key {
			case "path":
				err = node.Decode(&f.Path)
			case "content":
				err = node.Decode(&content)
			case "encoding":
				err = node.Decode(&encoding)
			case "permissions":
				permissions = node.Value // as it is written, quoted or not
			case "owner":
				err = node.Decode(&f.Owner)
			case "append":
				err = node.Decode(&f.Append)
			case "defer":
				err = node.Decode(&f.Defer)
			default:
				err = errors.New("this key is not understood here")
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
		if !filepath.IsAbs(f.Path) {
			return nil, fmt.Errorf("path %q is not absolute", f.Path)
		}
		if permissions != "" {
			mode, err := strconv.ParseUint(strings.TrimPrefix(permissions, "0o"), 8, 12)
			if err != nil {
				return nil, fmt.Errorf("%s: permissions %q: %w", f.Path, permissions, err)
			}
			f.Permissions = os.FileMode(mode)
		}
		var err error
		if f.Content, err = decodeContent(content, encoding); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b UserFile) int {
		return map[bool]int{true: 1}[a.Defer] - map[bool]int{true: 1}[b.Defer]
	})
	return files, nil
}

func decodeContent(content, encoding string) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "", "text/plain":
		return []byte(content), nil
	case "b64", "base64":
		return decodeBase64(content)
	case "gz", "gzip":
		return gunzip([]byte(content))
	case "gz+b64", "gz+base64", "gzip+b64", "gzip+base64":
		b, err := decodeBase64(content)
		if err != nil {
			return nil, err
		}
		return gunzip(b)
	}
	return nil, fmt.Errorf("unknown encoding %q", encoding)
}

func decodeBase64(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
}

func gunzip(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// parseRuncmd makes one shell script of all commands, as cloud-init does: a
// string is a line of shell, a list is one command with its arguments.
func parseRuncmd(node yaml.Node) (string, error) {
	var items []yaml.Node
	if err := node.Decode(&items); err != nil {
		return "", err
	}
	script := "#!/bin/sh\n"
	for _, item := range items {
		switch {
		case item.Kind == yaml.SequenceNode:
			var words []string
			if err := item.Decode(&words); err != nil {
				return "", err
			}
			for i := range words {
				words[i] = shellQuote(words[i])
			}
			script += strings.Join(words, " ") + "\n"
		case item.Kind == yaml.ScalarNode && item.Tag == "!!null":
		case item.Kind == yaml.ScalarNode:
			script += item.Value + "\n"
		default:
			return "", fmt.Errorf("line %d is neither a string nor a list", item.Line)
		}
	}
	return script, nil
}

// guestUserData does inside the machine what its user data asks for.
func guestUserData(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: apply-user-data FILE")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	u, err := parseUserData(data)
	if err != nil {
		return err
	}
	return u.apply()
}

func (u *UserData) apply() error {
	if u.Hostname != "" {
		if out, err := exec.Command("hostname", u.Hostname).CombinedOutput(); err != nil {
			return fmt.Errorf("hostname: %w: %s", err, out)
		}
	}
	for _, f := range u.Files {
		if err := f.write(); err != nil {
			return fmt.Errorf("write_files: %s: %w", f.Path, err)
		}
	}
	scripts := u.Scripts
	if u.Commands != "" {
		scripts = append(slices.Clone(scripts), u.Commands)
	}
	const dir = "/var/lib/cloud/instance/scripts"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, text := range scripts {
		path := fmt.Sprintf("%s/part-%03d", dir, i+1)
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			return err
		}
		c := exec.Command(path)
		c.Dir = "/"
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (f UserFile) write() error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if f.Append {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	file, err := os.OpenFile(f.Path, flags, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(f.Content); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if f.Owner != "" {
		uid, gid, err := ownerIDs(f.Owner)
		if err != nil {
			return err
		}
		if err := os.Chown(f.Path, uid, gid); err != nil {
			return err
		}
	}
	return os.Chmod(f.Path, f.Permissions)
}

// ownerIDs reads "user", "user:group" or numbers in their place.
func ownerIDs(owner string) (uid, gid int, err error) {
	name, group, both := strings.Cut(owner, ":")
	gid = -1
	if uid, err = strconv.Atoi(name); err != nil {
		u, err := user.Lookup(name)
		if err != nil {
			return 0, 0, err
		}
		uid, _ = strconv.Atoi(u.Uid)
	}
	if !both {
		return uid, gid, nil
	}
	if gid, err = strconv.Atoi(group); err != nil {
		g, err := user.LookupGroup(group)
		if err != nil {
			return 0, 0, err
		}
		gid, _ = strconv.Atoi(g.Gid)
	}
	return uid, gid, nil
}
