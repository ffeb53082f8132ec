// Package app puts a process together: it opens databases, builds the modules, wires
// their clients, listens and drains. It is the only package that knows all modules,
// and the only place that chooses between network and memory.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"golang.org/x/sync/errgroup"

	"jishi/auth"
	"jishi/auth/authguard"
	"jishi/auth/authweb"
	"jishi/auth/oidc"
	"jishi/conf"
	"jishi/kit/database"
	"jishi/kit/locale"
	"jishi/kit/ops"
	"jishi/kit/session"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/pay/payweb"
	"jishi/shop"
	"jishi/shop/shopweb"
	"jishi/static"
)

// callTimeout bounds a call from one module to another.
const callTimeout = 10 * time.Second

// Market is a process: the modules that it runs, behind one handler.
type Market struct {
	Handler http.Handler // pages and APIs
	Private http.Handler // the operator's own

	auth    *auth.Service // where auth runs in this process
	shop    *shop.Service // where shop does
	mux     *http.ServeMux
	secrets web.Secrets
	conf    *conf.Config
	now     func() time.Time // of pay and shop
	log     *slog.Logger
	metrics *ops.Metrics
	here    []string // modules of this process
	stores  []store
	closers []func() error
	work    []func(context.Context) error
}

// store is a module's database.
type store struct {
	module string
	db     *database.DB
}

// Open builds the modules over migrated databases. What it returns is closed by Close.
func Open(ctx context.Context, c *conf.Config, modules []string, log *slog.Logger) (*Market, error) {
	m, err := prepare(c, modules, log)
	if err != nil {
		return nil, err
	}
	if err := m.build(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// prepare is a market without modules.
func prepare(c *conf.Config, modules []string, log *slog.Logger) (*Market, error) {
	m := newMarket(c, modules, log)
	var err error
	m.secrets, err = loadSecrets(c.Secrets(), databaseFiles(c, conf.Modules...)...)
	return m, err
}

func newMarket(c *conf.Config, modules []string, log *slog.Logger) *Market {
	return &Market{
		mux:     http.NewServeMux(),
		conf:    c,
		now:     time.Now,
		log:     log,
		metrics: ops.NewMetrics(),
		here:    modules,
	}
}

func (m *Market) build(ctx context.Context) error {
	for _, module := range []struct {
		name  string
		mount func(context.Context) error
	}{
		{"auth", m.mountAuth},
		{"pay", m.mountPay},
		{"shop", m.mountShop},
	} {
		if !slices.Contains(m.here, module.name) {
			continue
		}
		if err := module.mount(ctx); err != nil {
			return fmt.Errorf("%s: %w", module.name, err)
		}
	}
	m.Private = m.metrics.Private(m.ready)
	return m.wrap()
}

// open opens and migrates a module's database, with the sets of tables that it needs.
func (m *Market) open(ctx context.Context, module string, sets ...func(context.Context, *database.DB) error) (*database.DB, error) {
	db, err := database.Open(ctx, m.conf.Module(module).Database)
	if err != nil {
		return nil, err
	}
	m.stores = append(m.stores, store{module, db})
	m.closers = append(m.closers, db.Close)
	for _, migrate := range sets {
		if err := migrate(ctx, db); err != nil {
			return nil, err
		}
	}
	if durable, err := db.Durable(ctx); err != nil {
		return nil, err
	} else if !durable {
		m.log.Warn("the database may forget what it has acknowledged: set innodb_flush_log_at_trx_commit = 1, and with a binary log sync_binlog = 1", slog.String("module", module))
	}
	m.work = append(m.work, func(ctx context.Context) error { return m.tidy(ctx, module, db) })
	return db, nil
}

// guard is what stands before the routes of a module that is a client of auth.
func (m *Market) guard(name, prefix string, db *database.DB, resources ...string) *authguard.Guard {
	return authguard.New(authguard.Config{
		Name:      name,
		Issuer:    m.issuer(),
		Secret:    clientSecrets(m.secrets, name)[0],
		BaseURL:   m.conf.Module(name).URL,
		Prefix:    prefix,
		Resources: resources,
		HTTP:      m.client(),
		Sessions:  session.New(db, session.Config{}),
		Sealer:    web.NewSealer(m.secrets.Key("sessions of " + name)),
	})
}

// issuer is auth's name in tokens.
func (m *Market) issuer() string { return m.conf.Module("auth").URL + oidc.Prefix }

// wrap puts what every route needs around the modules' routes.
func (m *Market) wrap() error {
	texts, err := locale.New(ui.Locales, authweb.Locales, payweb.Locales, shopweb.Locales)
	if err != nil {
		return err
	}
	cookies := web.CookiesFor(m.conf.BaseURL)
	m.mux.Handle("GET "+static.Prefix, static.Handler())
	m.mux.Handle("POST "+ui.PreferencesPath, ui.Preferences(cookies.Secure))

	var friends []string
	for _, name := range conf.Modules {
		friends = append(friends, m.conf.Module(name).URL)
	}
	var h http.Handler = m.mux
	h = web.Flashes(web.NewSealer(m.secrets.Key("cookies")), cookies)(h)
	h = web.Protect(friends, cookies.Secure, programs...)(h)
	h = ui.Middleware(m.site())(h)
	h = texts.Middleware(h)
	h = ops.Requests(m.log, m.metrics)(h)
	h = web.ClientAddress(m.conf.Proxies())(h)
	m.Handler = gzhttp.GzipHandler(h)
	return nil
}

// programs are the calls that carry no cookie, so that no other site can abuse one.
var programs = append([]string{
	"POST /session/backchannel",
	"POST /pay/session/backchannel",
	"POST /webhooks/pay",
}, oidc.Bypass...)

// site is where the pages are; links within one origin stay short.
func (m *Market) site() ui.Site {
	at := func(name string) string {
		if url := m.conf.Module(name).URL; url != m.conf.BaseURL {
			return url
		}
		return ""
	}
	return ui.Site{Shop: at("shop"), Pay: at("pay"), Auth: at("auth")}
}

// Run does the modules' background work until ctx ends.
func (m *Market) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, work := range m.work {
		group.Go(func() error { return work(ctx) })
	}
	return group.Wait()
}

// ready tells whether every database answers and can be written.
func (m *Market) ready(ctx context.Context) error {
	for _, s := range m.stores {
		if err := s.db.Ready(ctx); err != nil {
			return fmt.Errorf("%s database: %w", s.module, err)
		}
	}
	return nil
}

// Close closes the databases and stores.
func (m *Market) Close() error {
	var errs []error
	for _, closer := range slices.Backward(m.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}
