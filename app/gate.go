package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"jishi/conf"
	"jishi/kit/database"
	"jishi/kit/ops"
	"jishi/kit/web"
)

// While a database is away at the start, opening is tried again every openPause, and
// said in the log at the first time and every minute.
const (
	openPause = time.Second
	sayEvery  = 60
)

// gate stands before a market that is opening. Requests wait for it, as they would before
// anybody listens, unless a database is away: that may last, so they are refused.
type gate struct {
	opened chan struct{}   // closed when market is there
	away   chan struct{}   // closed when closed is there, because a database is away
	ended  <-chan struct{} // closed when the process is to end
	market *Market         // read after opened
	closed http.Handler    // read after away; refuses

	private http.Handler // the operator's, until opened

	mu  sync.Mutex
	why error // guarded by mu; what opening waits for
}

func newGate(ended <-chan struct{}) *gate {
	g := &gate{opened: make(chan struct{}), away: make(chan struct{}), ended: ended, why: errors.New("the market is opening")}
	g.private = ops.NewMetrics().Private(g.ready)
	return g
}

// closedMarket has the pages' frame and refuses everything.
func closedMarket(c *conf.Config, log *slog.Logger) (http.Handler, error) {
	m, err := prepare(c, nil, log)
	if err != nil {
		return nil, err
	}
	m.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { web.Refuse(w, r, database.ErrUnavailable) })
	err = m.wrap()
	return m.Handler, err
}

// open opens the market, however long a database server is away. Other failures are the
// operator's to mend, and come back at once. Of a market that was ended before it opened
// nothing comes back.
func (g *gate) open(ctx context.Context, c *conf.Config, log *slog.Logger, open func(context.Context) (*Market, error)) (*Market, error) {
	for try := 0; ; try++ {
		m, away := open(ctx)
		switch {
		case away == nil:
			g.market = m
			close(g.opened)
			return m, nil
		case ctx.Err() != nil:
			return nil, nil
		case !errors.Is(away, database.ErrUnavailable), len(databaseFiles(c, conf.Modules...)) == len(conf.Modules):
			return nil, away // a file that fails is nothing to wait for
		}
		if try == 0 {
			var err error
			if g.closed, err = closedMarket(c, log); err != nil {
				return nil, err
			}
			close(g.away)
		}
		if try%sayEvery == 0 {
			log.Warn("a database is away; the market opens when it answers", slog.Any("err", away))
		}
		g.waitFor(away)
		select {
		case <-time.After(openPause):
		case <-ctx.Done():
			return nil, nil
		}
	}
}

func (g *gate) waitFor(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.why = err
}

func (g *gate) ready(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}

// ServeHTTP answers for the market.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-g.opened:
		g.market.Handler.ServeHTTP(w, r)
		return
	default:
	}
	select {
	case <-g.opened:
		g.market.Handler.ServeHTTP(w, r)
	case <-g.away:
		g.closed.ServeHTTP(w, r)
	case <-g.ended:
		http.Error(w, "the market is closing", http.StatusServiceUnavailable)
	case <-r.Context().Done():
	}
}

// servePrivate answers the operator: a market that isn't open is not ready.
func (g *gate) servePrivate(w http.ResponseWriter, r *http.Request) {
	select {
	case <-g.opened:
		g.market.Private.ServeHTTP(w, r)
	default:
		g.private.ServeHTTP(w, r)
	}
}
