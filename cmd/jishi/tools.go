package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"log/slog"

	"jishi/app"
	"jishi/conf"
)

type migrateCmd struct {
	Modules []string `arg:"" optional:"" enum:"auth,pay,shop" help:"auth, pay, shop; all when none is named."`
}

// Run migrates and says so.
func (m *migrateCmd) Run(ctx context.Context, c *conf.Config, term terminal) error {
	modules := m.Modules
	if len(modules) == 0 {
		modules = conf.Modules
	}
	if err := app.Migrate(ctx, c, modules, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	_, err := fmt.Fprintln(term.out, "the databases have this version's schema")
	return err
}

type tokenCmd struct {
	User     string        `required:"" help:"Phone number or e-mail address of the user." placeholder:"IDENTIFIER"`
	Resource []string      `default:"auth,pay,shop" enum:"auth,pay,shop" help:"Modules that the token is for."`
	Life     time.Duration `default:"12h" help:"How long it is valid."`
}

// Run prints the token and nothing else.
func (t *tokenCmd) Run(ctx context.Context, c *conf.Config, term terminal) error {
	token, err := app.Token(ctx, c, t.User, t.Resource, t.Life)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(term.out, token)
	return err
}

type verifyCmd struct {
	Modules []string `arg:"" optional:"" enum:"pay,shop" help:"pay, shop; both when none is named."`
	Chain   bool     `help:"Also read the seals, which show what was changed behind the market's back."`

	Head map[string]string `help:"Heads of the chains as the log had them: a cut off end shows. Implies --chain." placeholder:"MODULE=SEQ:HEX"`
}

// Run checks the invariants; a broken one is an error.
func (v *verifyCmd) Run(ctx context.Context, c *conf.Config, term terminal) error {
	modules := v.Modules
	if len(modules) == 0 {
		modules = conf.Modules
	}
	return app.Verify(ctx, c, app.Scope{Modules: modules, Chain: v.Chain, Heads: v.Head}, term.out)
}

type versionCmd struct{}

// Run prints the version that the Go tool recorded.
func (versionCmd) Run(term terminal) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version + " " + info.GoVersion
	}
	_, err := fmt.Fprintln(term.out, "jishi", version)
	return err
}
