// Command kine is the program of the kine sidecar, which Kamaji runs beside the API server of tenants whose data are in
// PostgreSQL, MySQL or NATS. It also makes its own image: `kine registry ADDRESS` serves it under any name.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/k3s-io/kine/pkg/app"
)

func main() {
	var err error
	switch {
	case filepath.Base(os.Args[0]) == "sh":
		err = copyCertificates("/kine", "/certs")
	case len(os.Args) == 3 && os.Args[1] == "registry":
		err = serveImage(os.Args[2])
	default:
		err = app.New().RunContext(context.Background(), os.Args)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// copyCertificates does what Kamaji asks the shell of the image for before kine starts:
// `cp /kine/*.* /certs && chmod -R 600 /certs/*.*`.
func copyCertificates(from, to string) error {
	files, err := filepath.Glob(from + "/*.*")
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), ".") {
			continue // a shell passes them over
		}
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), content, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
