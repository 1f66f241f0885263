// Mounts of the host: reading the table, and undoing what is below a directory.

package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Mount is one line of /proc/PID/mountinfo.
type Mount struct {
	Point string
	Type  string
}

// parseMounts reads /proc/PID/mountinfo.
func parseMounts(s string) []Mount {
	var mounts []Mount
	for _, line := range strings.Split(s, "\n") {
		f := strings.Fields(line)
		for i := 6; i < len(f)-1; i++ { // optional fields end with a dash
			if f[i] == "-" {
				mounts = append(mounts, Mount{Point: unescapeMount(f[4]), Type: f[i+1]})
				break
			}
		}
	}
	return mounts
}

// unescapeMount undoes the octal escapes of white space in mount points.
func unescapeMount(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountsBelow returns the mount points at or below a directory, deepest last.
func mountsBelow(dir string) []string {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var points []string
	for _, m := range parseMounts(string(b)) {
		if m.Point == dir || strings.HasPrefix(m.Point, dir+"/") {
			points = append(points, m.Point)
		}
	}
	return points
}

func unmountBelow(dir string) {
	points := mountsBelow(dir)
	for i := len(points) - 1; i >= 0; i-- {
		syscall.Unmount(points[i], syscall.MNT_DETACH)
	}
}
