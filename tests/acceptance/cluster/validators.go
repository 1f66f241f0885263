// Programs that say whether user data is what they read: Ignition's validator, and cloud-init with its JSON schema.

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const validatorsFlags = "-s -w"

// cloudInitPackages are cloud-init and the Python modules that its schema command imports. They are unpacked, not
// installed: an installed cloud-init runs at the next boot.
var cloudInitPackages = []string{"cloud-init", "python3-attr", "python3-certifi", "python3-chardet", "python3-configobj",
	"python3-idna", "python3-jinja2", "python3-json-pointer", "python3-jsonpatch", "python3-jsonschema",
	"python3-markupsafe", "python3-oauthlib", "python3-pyrsistent", "python3-requests", "python3-six",
	"python3-urllib3", "python3-yaml"}

// The schema is that of the version of Debian.
const cloudInit = `#!/bin/sh
# cloud-init schema ARGS...
export PYTHONPATH="$(dirname "$0")/root/usr/lib/python3/dist-packages"
shift
exec python3 -W ignore -B -c 'from cloudinit.config.schema import main; main()' "$@"
`

// validators is `cluster validators`.
func validators(s *Settings) error {
	source, err := sourceDir("../validators")
	if err != nil {
		return err
	}
	dir, err := cached(s, "validators", source, validatorsFlags, func(out string) error {
		say("building the validator of Ignition (half a minute the first time, then kept)")
		return goBuild(source, out+"/ignition-validate", validatorsFlags, "github.com/coreos/ignition/v2/validate")
	})
	if err != nil {
		return err
	}
	fmt.Printf("export IGNITION_VALIDATE='%s/ignition-validate'\n", dir)
	dir, err = cached(s, "cloud-init", source, strings.Join(cloudInitPackages, " ")+cloudInit, unpackCloudInit)
	if err != nil {
		say("cloud-init is not there: %v", err)
		return nil
	}
	fmt.Printf("export CLOUD_INIT='%s/cloud-init'\n", dir)
	return nil
}

func unpackCloudInit(out string) error {
	for _, program := range []string{"apt-get", "dpkg-deb", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			return errors.New("its Debian packages cannot be unpacked from here: apt-get, dpkg-deb and python3 are needed")
		}
	}
	run := func(name string, args ...string) error {
		c := exec.Command(name, args...)
		c.Dir = out
		if said, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said)
		}
		return nil
	}
	// Lists that are older than the mirror name packages that are there no more.
	if err := run("apt-get", append([]string{"download"}, cloudInitPackages...)...); err != nil {
		if err := run("apt-get", "update"); err != nil {
			return err
		}
		if err := run("apt-get", append([]string{"download"}, cloudInitPackages...)...); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(out + "/*.deb")
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := run("dpkg-deb", "-x", file, out+"/root"); err != nil {
			return err
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return os.WriteFile(out+"/cloud-init", []byte(cloudInit), 0o755)
}
