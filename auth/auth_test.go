package auth

import (
	"bytes"
	"context"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/job"
	"jishi/kit/session"
	"jishi/kit/web"
)

const (
	alice    = "13800138000"
	password = "correct horse battery"
	browser  = "a secret of one browser"
	verifier = "a verifier that is at least 43 characters long, as RFC 7636 wants"
)

// each runs a test on every database with a service that has the clients shop and pay.
func each(t *testing.T, fn func(t *testing.T, s *Service), change ...func(*Config)) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) { fn(t, service(t, db, change...)) }, Migrate)
}

func service(t *testing.T, db *database.DB, change ...func(*Config)) *Service {
	t.Helper()
	c := Config{
		DB: db, Sealer: web.NewSealer([][]byte{bytes.Repeat([]byte{7}, 32)}),
		Issuer: "https://market.example/auth",
		Clients: []Client{
			{ID: "shop", Secrets: []string{"new shop secret", "old shop secret"}, Redirect: "https://shop.example/cb", Resources: []string{"pay"}, Exchange: true},
			{ID: "pay", Secrets: []string{"pay secret"}, Redirect: "https://pay.example/cb"},
		},
		Cost: cheap,
	}
	for _, f := range change {
		f(&c)
	}
	c.Sessions, c.Jobs = session.New(db, session.Config{Now: c.Now}), job.New(db, c.Now)
	return New(c)
}

func register(t *testing.T, s *Service, identifier string) authclient.User {
	t.Helper()
	u, err := s.Register(t.Context(), Registration{NewUser: authclient.NewUser{Identifier: identifier, Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// check is a login in a browser of which nobody knows.
func check(ctx context.Context, s *Service, typed, password, address string) (authclient.User, error) {
	return s.Check(ctx, Credentials{Identifier: typed, Password: password, Address: address})
}

// client finds one of the service's.
func client(t *testing.T, s *Service, id string) Client {
	t.Helper()
	c, err := s.Client(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// logIn is a login of a user in a new browser.
func logIn(t *testing.T, s *Service, user string) Login {
	t.Helper()
	cookie, err := s.LogIn(t.Context(), authclient.UserID(user), "a browser", "")
	if err != nil {
		t.Fatal(err)
	}
	login, err := s.Login(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	return login
}

// begin begins a flow of the shop's.
func begin(t *testing.T, s *Service) (flow string) {
	t.Helper()
	flow, err := s.Begin(t.Context(), Flow{
		Client: "shop", Redirect: "https://shop.example/cb", State: "s", Nonce: "n", Challenge: challengeOf(verifier),
		Scopes: []string{"openid", "profile", "unheard-of"}, Resources: []string{"pay"},
	}, browser)
	if err != nil {
		t.Fatal(err)
	}
	return flow
}

// code runs a flow of the shop's up to its code, for a user who logs in.
func code(t *testing.T, s *Service, user string) string {
	t.Helper()
	code, _, err := s.Approve(t.Context(), begin(t, s), browser, logIn(t, s, user))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// tokens are what the shop gets for a user who logs in.
func tokens(t *testing.T, s *Service, user string) Tokens {
	t.Helper()
	got, err := redeem(t.Context(), s, client(t, s, "shop"), code(t, s, user))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func redeem(ctx context.Context, s *Service, c Client, code string) (Tokens, error) {
	return s.Redeem(ctx, c, code, c.Redirect, verifier)
}

// clock is one that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time       { return c.at }
func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }
func (c *clock) set(config *Config)   { config.Now = c.now }
func newClock() *clock                { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }
