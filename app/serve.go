package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"jishi/conf"
	"jishi/kit/ops"
)

// Time-outs of the listener: slow senders lose their connection, slow readers too; of a file
// (web.File) those who stand still.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 60 * time.Second
	writeTimeout  = 90 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10 // bytes
)

// A market's live heap is small and its requests make much garbage, so with the runtime's
// defaults a fifth of the processor went into collecting. It may grow to gcPercent more
// than what lives, while it stays within gcMemory.
const (
	gcPercent = 400
	gcMemory  = 240 << 20 // bytes
)

// tuneGC leaves alone what the operator has set with GOGC or GOMEMLIMIT.
func tuneGC() {
	if was := debug.SetGCPercent(gcPercent); was != 100 {
		debug.SetGCPercent(was)
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(gcMemory)
	}
}

// Serve runs modules until ctx ends, then lets requests finish for the time of
// c.Drain. It logs to stderr, and says there where the market is. A database server that
// is away is waited for; other faults of the start end it.
func Serve(ctx context.Context, c *conf.Config, modules []string, stderr *os.File) error {
	tuneGC()
	log, logFile, err := newLog(c, stderr)
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }()
	slog.SetDefault(ops.Libraries(log)) // ours are handed theirs
	if err := serve(ctx, c, modules, log, stderr); err != nil {
		log.Error("market ended by an error", slog.Any("err", err))
		return err
	}
	return nil
}

func serve(ctx context.Context, c *conf.Config, modules []string, log *slog.Logger, stderr *os.File) error {
	// Listening comes first: an address that is taken must not cost a migration.
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen %s: %w", c.Listen, err)
	}
	private, err := listenPrivate(c)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	g := newGate(ctx.Done())
	group.Go(func() error { return serveUntil(ctx, listener, g, c.Drain, log) })
	if private != nil {
		group.Go(func() error { return serveUntil(ctx, private, http.HandlerFunc(g.servePrivate), c.Drain, log) })
	}
	var m *Market
	group.Go(func() (err error) {
		m, err = g.open(ctx, c, log, func(ctx context.Context) (*Market, error) {
			if c.Demo {
				if err := startDemo(ctx, c, modules, log, stderr); err != nil {
					return nil, err
				}
			}
			return Open(ctx, c, modules, log)
		})
		if err != nil || m == nil {
			return err
		}
		// Starting needed tens of megabytes, for migrations and a first password hash, that
		// nothing needs again.
		debug.FreeOSMemory()
		log.Info("market open", slog.String("url", c.BaseURL), slog.String("listen", listener.Addr().String()), slog.String("modules", strings.Join(modules, " ")))
		return m.Run(ctx)
	})
	err = group.Wait()
	if m == nil {
		return err // it never opened
	}
	err = errors.Join(err, m.Close())
	log.Info("market closed")
	return err
}

// listenPrivate takes the operator's own address; nil where there is none.
func listenPrivate(c *conf.Config) (net.Listener, error) {
	if c.OpsListen == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", c.OpsListen)
	if err != nil {
		return nil, fmt.Errorf("ops-listen %s: %w", c.OpsListen, err)
	}
	return l, nil
}

func newLog(c *conf.Config, stderr *os.File) (*slog.Logger, io.Closer, error) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // an enum of conf
	return ops.NewLog(stderr, c.LogDir, level)
}

// serveUntil answers requests until ctx ends and those under way are done, or drain
// is over, which ends their connections.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler, drain time.Duration, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		err := server.Shutdown(late)
		if errors.Is(err, context.DeadlineExceeded) { // somebody is slow: that is no failure of the market
			log.Warn("requests were still under way when the time to drain was over")
			err = server.Close()
		}
		stopped <- err
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
