package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"jishi/app/demo"
	"jishi/conf"
	"jishi/kit/ops"
	"jishi/kit/rest"
)

// ErrInhabited says that people have registered in the market, so that no demo market
// is put into it.
var ErrInhabited = errors.New("people have registered in this market, so the demo market is not loaded into it")

// A file in the data directory says that the market is a demo market. It has the other
// name until everything is there, so that only a loading that was interrupted goes on.
const (
	demoFile    = "demo"
	demoLoading = "demo.loading"
)

// demoTokenLife is longer than loading ever takes.
const demoTokenLife = time.Hour

// Demo loads the demo market into one that nobody uses: into its databases, with all
// modules in this process for as long as that takes. A loading that was interrupted
// goes on; one that is done stays as it is. Where others have registered it is
// ErrInhabited.
func Demo(ctx context.Context, c *conf.Config) error {
	if c.Currency != demo.Currency || !c.Sandbox {
		return fmt.Errorf("the demo market needs currency %s and the sandbox's play money", demo.Currency)
	}
	m, err := prepare(c, conf.Modules, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	var clock demoClock
	m.now = clock.now
	if err := m.build(ctx); err != nil {
		return errors.Join(err, m.Close())
	}
	return errors.Join(m.demo(ctx, m.as, clock.set), m.Close())
}

func (m *Market) demo(ctx context.Context, as func(string) *http.Client, ago func(time.Duration)) error {
	done, loading := filepath.Join(m.conf.Data, demoFile), filepath.Join(m.conf.Data, demoLoading)
	empty, err := m.auth.Empty(ctx)
	if err != nil {
		return err
	}
	if !empty {
		begun, err := exists(loading)
		if err != nil {
			return err
		}
		whole, err := exists(done)
		switch {
		case err != nil || (whole && !begun):
			return err
		case !begun:
			return ErrInhabited
		}
	}
	if err := os.WriteFile(loading, nil, 0o600); err != nil {
		return err
	}
	err = demo.Load(ctx, demo.Target{
		AuthURL: m.conf.Module("auth").URL,
		PayURL:  m.conf.Module("pay").URL,
		ShopURL: m.conf.Module("shop").URL,
		As:      as,
		Ago:     ago,
		CatchUp: func(ctx context.Context) error { return m.shop.CatchUp(ctx, m.log) },
	})
	if err != nil {
		return fmt.Errorf("load the demo market: %w", err)
	}
	return os.Rename(loading, done)
}

func exists(file string) (bool, error) {
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// demoClock is a clock that can be put back.
type demoClock struct{ back atomic.Int64 }

func (c *demoClock) now() time.Time          { return time.Now().Add(-time.Duration(c.back.Load())) }
func (c *demoClock) set(since time.Duration) { c.back.Store(int64(since)) }

// as is a client with tokens of a user, or with none for nobody.
func (m *Market) as(identifier string) *http.Client {
	if identifier == "" {
		return m.client()
	}
	return rest.Bearer(m.client(), func(ctx context.Context) (string, error) {
		return m.auth.IssueToken(ctx, identifier, []string{"pay", "shop"}, demoTokenLife)
	})
}

// startDemo is Demo for a market that is about to be served, and says how to log in. One
// that is inhabited is served as it is.
func startDemo(ctx context.Context, c *conf.Config, modules []string, log *slog.Logger, stderr *os.File) error {
	if len(modules) < len(conf.Modules) {
		return errors.New("demo: a process with some of the modules can't load the demo market; jishi demo does, before the services start")
	}
	begin := time.Now()
	err := Demo(ctx, c)
	if errors.Is(err, ErrInhabited) {
		log.Warn("demo market not loaded", slog.Any("err", err))
		return nil
	}
	if err != nil {
		return err
	}
	log.Info("demo market ready", slog.Duration("took", time.Since(begin)))
	if ops.Terminal(stderr) {
		return PrintDemo(c, stderr)
	}
	for _, a := range demo.Accounts() {
		log.Info("demo account", slog.String("identifier", a.Identifier), slog.String("demo_password", demo.Password))
	}
	return nil
}

// PrintDemo says how to log in to a demo market, as a block to read.
func PrintDemo(c *conf.Config, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintf(w, "\nA demo market: log in as any of these, password %s\n\n", demo.Password)
	for _, a := range demo.Accounts() {
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\n", a.Identifier, a.About, a.Name)
	}
	_, _ = fmt.Fprintf(w, "\n  %s\n\n", c.Module("shop").URL)
	return w.Flush()
}
