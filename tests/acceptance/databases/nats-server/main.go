// Command nats-server is a NATS server with one user and JetStream, for tests:
//
//	nats-server -a ADDRESS -p PORT --user USER --pass PASSWORD -js -sd DIRECTORY
package main

import (
	"flag"
	"log"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	flags := flag.NewFlagSet("nats-server", flag.ExitOnError)
	options, err := server.ConfigureOptions(flags, os.Args[1:], server.PrintServerAndExit, flags.Usage, server.PrintTLSHelpAndDie)
	if err != nil {
		log.Fatal(err)
	}
	s, err := server.NewServer(options)
	if err != nil {
		log.Fatal(err)
	}
	s.ConfigureLogger()
	if err := server.Run(s); err != nil {
		log.Fatal(err)
	}
	s.WaitForShutdown()
}
