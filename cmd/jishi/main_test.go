package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"jishi/conf"
)

// The command is tested by scripts that read like a terminal session.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jishi": func() {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := run(ctx, os.Args[1:], terminal{os.Stdout, os.Stderr}); err != nil {
			printFaults(os.Stderr, err)
			os.Exit(1)
		}
	}})
}

// docs/cli.md has every command.
func TestCommandsAreDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&cli{}, conf.Options(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		if !regexp.MustCompile(`(?m)^## jishi ` + command.Name + `( |$)`).Match(docs) {
			t.Errorf("docs/cli.md lacks jishi %s", command.Name)
		}
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("TAKEN", l.Addr().String())
			e.Defer(func() { _ = l.Close() })
			return nil
		},
	})
}
