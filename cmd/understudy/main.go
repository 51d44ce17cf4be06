// Command understudy gives staging a masked stand-in for production.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"understudy/internal/cli"
)

func main() { os.Exit(run()) }

// run is main without the exit, so that tests can be the program.
func run() int {
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away ends no refresh
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return cli.Run(ctx, context.Background(), os.Args[1:], cli.Process())
}
