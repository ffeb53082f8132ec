// Jishi is a multi-seller marketplace in one program. This package is its command
// line: it reads arguments, calls app and prints.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"jishi/conf"
)

// cli is the whole command line. The settings may stand before or after a command.
type cli struct {
	Config   kong.ConfigFlag `help:"YAML file with settings, named as the flags are." placeholder:"FILE"`
	Settings conf.Config     `embed:""`

	Serve   serveCmd   `cmd:"" help:"Run the market, or some of its modules."`
	Migrate migrateCmd `cmd:"" help:"Bring the databases to this version's schema."`
	Demo    demoCmd    `cmd:"" help:"Load the demo market into one that has no users yet."`
	Token   tokenCmd   `cmd:"" help:"Print a bearer token of a user, for scripts."`
	Verify  verifyCmd  `cmd:"" help:"Check that money, stock and orders add up."`
	Jobs    jobsCmd    `cmd:"" help:"List background work, and retry what was given up."`
	Load    loadCmd    `cmd:"" help:"Drive a running market as many buyers do, and say how it did."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// terminal is where a command reads and prints.
type terminal struct {
	out io.Writer
	err *os.File
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal doesn't wait for anything
	if err := run(ctx, os.Args[1:], terminal{os.Stdout, os.Stderr}); err != nil {
		printFaults(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// printFaults says what is wrong, a line for each where it is several things.
func printFaults(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		_, _ = fmt.Fprintln(w, "jishi:", strings.TrimSuffix(line, "\n"))
	}
}

func run(ctx context.Context, args []string, term terminal) error {
	var c cli
	parser, err := kong.New(&c, append(conf.Options(os.Environ()),
		kong.Name("jishi"),
		kong.Description("A marketplace whose money and stock provably add up."),
		kong.Writers(term.out, term.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)...)
	if err != nil {
		return err
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		return err
	}
	if err := c.Settings.Validate(); err != nil {
		return err
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // what libraries say; serve puts it into its log
	return chosen.Run(&c.Settings, term)
}
