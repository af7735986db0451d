// A server that speaks MongoDB's protocol, for tests where no mongod is to be had: FerretDB on DocumentDB. Its own command
// needs files that its module lacks, and its embeddable package knows no passwords, hence the inner packages.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/v2/internal/handler/middleware"
	"github.com/FerretDB/FerretDB/v2/internal/util/logging"
	"github.com/FerretDB/FerretDB/v2/internal/util/setup"
	"github.com/FerretDB/FerretDB/v2/internal/util/state"
)

func main() {
	var opts setup.SetupOpts
	flag.StringVar(&opts.PostgreSQLURL, "postgresql-url", "", "where DocumentDB is")
	flag.BoolVar(&opts.Auth, "auth", false, "ask for a password")
	flag.StringVar(&opts.ReplSetName, "replSet", "", "name of the replica set to pretend")
	flag.StringVar(&opts.TCPAddr, "listen", ":27017", "address")
	flag.StringVar(&opts.UnixAddr, "unix", "", "path of a socket")
	flag.StringVar(&opts.TLSAddr, "tls-listen", "", "address for TLS")
	flag.StringVar(&opts.TLSCertFile, "tls-cert", "", "certificate")
	flag.StringVar(&opts.TLSKeyFile, "tls-key", "", "its key")
	flag.StringVar(&opts.TLSCAFile, "tls-ca", "", "who vouches for clients")
	dir := flag.String("state", "/tmp", "directory of the state file")
	flag.Parse()

	provider, err := state.NewProviderDir(*dir)
	if err != nil {
		log.Fatal(err)
	}
	opts.Logger = logging.Logger(os.Stderr, &logging.NewHandlerOpts{Base: "console", SkipChecks: true}, "")
	opts.StateProvider = provider
	opts.Metrics = middleware.NewMetrics()
	opts.Mode = middleware.NormalMode

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := setup.Setup(ctx, &opts)
	if server == nil {
		log.Fatal("FerretDB did not start")
	}
	server.Run(ctx)
}
