package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// hostTools are the programs of this machine that an image of kube-proxy needs
// beside kube-proxy itself.
var hostTools = []string{
	"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore", "conntrack",
}

// hostToolsLayer makes a layer of programs of this machine, each at its usual
// place, with the libraries that they load.
func hostToolsLayer() ([]byte, error) {
	files := map[string]string{}  // path in the image -> file here
	linked := map[string]string{} // path in the image -> target
	for _, name := range hostTools {
		path, err := filepath.EvalSymlinks("/usr/sbin/" + name)
		if err != nil {
			return nil, err
		}
		// iptables is one program under several names.
		files[path] = path
		if path != "/usr/sbin/"+name {
			linked["/usr/sbin/"+name] = path
		}
	}
	modules, err := filepath.Glob("/usr/lib/*/xtables/*.so")
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		files[m] = m
	}
	for again := true; again; {
		again = false
		for _, f := range sortedKeys(files) {
			needed, err := neededLibraries(files[f])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f, err)
			}
			for _, n := range needed {
				if _, ok := files[n]; !ok {
					files[n], again = n, true
				}
			}
		}
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	epoch := time.Unix(0, 0)
	for _, to := range sortedKeys(files) {
		data, err := os.ReadFile(files[to])
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: to[1:], Mode: 0o755, Size: int64(len(data)), ModTime: epoch}); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	for _, from := range sortedKeys(linked) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: from[1:], Linkname: linked[from], Mode: 0o777, ModTime: epoch}); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// neededLibraries finds the loader and the libraries that an ELF file names.
func neededLibraries(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []string
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz)
			if _, err := p.ReadAt(b, 0); err != nil {
				return nil, err
			}
			found = append(found, string(bytes.TrimRight(b, "\x00")))
		}
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		at, err := findLibrary(n, f.Machine)
		if err != nil {
			return nil, err
		}
		found = append(found, at)
	}
	return found, nil
}

func findLibrary(name string, machine elf.Machine) (string, error) {
	for _, pattern := range []string{"/usr/lib/*-linux-gnu*/", "/usr/lib64/", "/lib/*-linux-gnu*/", "/lib64/", "/usr/lib/"} {
		candidates, _ := filepath.Glob(pattern + name)
		for _, at := range candidates {
			if f, err := elf.Open(at); err == nil {
				f.Close()
				if f.Machine == machine {
					return at, nil
				}
			}
		}
	}
	return "", errors.New("library not found: " + name)
}
