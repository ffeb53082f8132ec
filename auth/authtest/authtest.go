// Package authtest is auth for tests: the real service with its pages and endpoints on a
// database of the test's, and a browser without a window.
package authtest

import (
	"context"
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"jishi/auth"
	"jishi/auth/authapi"
	"jishi/auth/authclient"
	"jishi/auth/authguard"
	"jishi/auth/authweb"
	"jishi/auth/oidc"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/kit/locale"
	"jishi/kit/session"
	"jishi/kit/ui"
	"jishi/kit/web"
)

// Password is that of the users that Register makes.
const Password = "correct horse battery"

// Century is a window of limits that doesn't end while a test runs: windows are counted from 1970.
const Century = 100 * 365 * 24 * time.Hour

// Market is auth in a process, and room for the modules beside it.
type Market struct {
	Auth    *auth.Service
	Browser *oidc.Browser
	Mux     *http.ServeMux // add routes of other modules here
	Handler http.Handler   // Mux behind the middleware that pages need
	Base    string         // its public base URL
	Secrets web.Secrets
	Jobs    *job.Queue
	DB      *database.DB
}

// New makes a market whose public base URL is base. db has auth's tables.
func New(t testing.TB, db *database.DB, base string, change ...func(*auth.Config)) *Market {
	t.Helper()
	m := &Market{Mux: http.NewServeMux(), Base: base, Secrets: web.Secrets{web.NewSecret()}, DB: db}
	m.Jobs = job.New(db, nil)
	texts, err := locale.New(ui.Locales, authweb.Locales)
	if err != nil {
		t.Fatal(err)
	}
	c := auth.Config{
		DB: db, Sessions: session.New(db, session.Config{}), Jobs: m.Jobs,
		Sealer: web.NewSealer(m.Secrets.Key("signing keys")),
		Issuer: base + oidc.Prefix,
		Clients: []auth.Client{
			{
				ID: "shop", Secrets: []string{m.Secret("shop")}, Redirect: base + "/session/callback", PostLogout: []string{base + "/"},
				Logout: base + "/session/backchannel", Resources: []string{"pay", "auth"}, Exchange: true,
			},
			{
				ID: "pay", Secrets: []string{m.Secret("pay")}, Redirect: base + "/pay/session/callback", PostLogout: []string{base + "/pay/"},
				Logout: base + "/pay/session/backchannel", Resources: []string{"shop"},
			},
		},
		// A hash for tests takes no time.
		Cost:   auth.HashCost{Memory: 64, Time: 1, Threads: 1},
		Notify: oidc.Notifier(m.HTTP()),
	}
	for _, f := range change {
		f(&c)
	}
	m.Auth = auth.New(c)
	m.Browser = oidc.NewBrowser(m.Auth, web.CookiesFor(base))
	oidc.New(m.Auth, m.Browser).Routes(m.Mux)
	authapi.Routes(m.Mux, m.Auth)
	authweb.Routes(m.Mux, m.Auth, m.Browser)
	m.Handler = texts.Middleware(ui.Middleware(ui.Site{})(web.Protect(nil, false, oidc.Bypass...)(m.Mux)))
	return m
}

// Secret is a client's.
func (m *Market) Secret(client string) string {
	return base64.RawURLEncoding.EncodeToString(m.Secrets.Key("client:" + client)[0])
}

// HTTP calls the market in memory.
func (m *Market) HTTP() *http.Client {
	return &http.Client{Transport: late{m}, Timeout: 10 * time.Second}
}

// late finds the handler when it is called: it is made after its clients.
type late struct{ m *Market }

func (l late) RoundTrip(r *http.Request) (*http.Response, error) {
	return web.Local{Handler: l.m.Handler}.RoundTrip(r)
}

// Guard makes the guard of a module in this market and adds its routes. db has the
// module's sessions.
func (m *Market) Guard(db *database.DB, name, prefix string, resources []string, hc *http.Client) *authguard.Guard {
	g := authguard.New(authguard.Config{
		Name: name, Issuer: m.Base + oidc.Prefix, Secret: m.Secret(name), BaseURL: m.Base, Prefix: prefix, Resources: resources,
		HTTP: hc, Sessions: session.New(db, session.Config{}), Sealer: web.NewSealer(m.Secrets.Key("sessions of " + name)),
	})
	g.Routes(m.Mux)
	return g
}

// Register makes a user with Password.
func (m *Market) Register(t testing.TB, identifier string) authclient.User {
	t.Helper()
	u, err := m.Auth.Register(context.Background(), auth.Registration{NewUser: authclient.NewUser{Identifier: identifier, Password: Password}})
	if err != nil {
		t.Fatal(err)
	}
	return u
}
