package auth

import (
	"bytes"
	"context"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
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

// client finds one of the service's.
func client(t *testing.T, s *Service, id string) Client {
	t.Helper()
	c, err := s.Client(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// code runs a flow of the shop's up to its code.
func code(t *testing.T, s *Service, user string) string {
	t.Helper()
	flow, err := s.Begin(t.Context(), Flow{
		Client: "shop", Redirect: "https://shop.example/cb", State: "s", Nonce: "n", Challenge: challengeOf(verifier),
		Scopes: []string{"openid", "profile", "unheard-of"}, Resources: []string{"pay"},
	}, browser)
	if err != nil {
		t.Fatal(err)
	}
	code, _, err := s.Approve(t.Context(), flow, browser, Login{User: authclient.UserID(user), SessionID: "sid_1", At: s.now()})
	if err != nil {
		t.Fatal(err)
	}
	return code
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
