package authapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"jishi/auth"
	"jishi/auth/authapi"
	"jishi/auth/authclient"
	"jishi/auth/authtest"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/rest"
	"jishi/kit/web/webtest"
)

const base = "http://market.example"

func market(t *testing.T, change ...func(*auth.Config)) *authtest.Market {
	t.Helper()
	m := authtest.New(t, dbtest.Open(t, dbtest.SQLite(t), auth.Migrate), base, change...)
	m.Handler = webtest.Documented(t, m.Mux, "/auth/api/openapi.json", m.Handler)
	return m
}

// The client against the real service: each refusal survives the wire.
func TestRegisterAndMe(t *testing.T) {
	m := market(t)
	c := authclient.New(base, m.HTTP())
	in := authclient.NewUser{Identifier: "138 0013 8000", Password: "correct horse"}
	u, err := c.Register(t.Context(), in, "key-1")
	if err != nil || u.Identifier != "+8613800138000" || u.Name != "138****8000" {
		t.Fatalf("got %+v, %v", u, err)
	}
	if again, err := c.Register(t.Context(), in, "key-1"); err != nil || again != u {
		t.Errorf("the same key: got %+v, %v", again, err)
	}
	for what, r := range map[string]struct {
		in   authclient.NewUser
		want error
	}{
		"taken":    {in, authclient.ErrTaken},
		"number":   {authclient.NewUser{Identifier: "x", Password: "correct horse"}, authclient.ErrIdentifier},
		"password": {authclient.NewUser{Identifier: "a@example.com", Password: "short"}, authclient.ErrPassword},
		"name":     {authclient.NewUser{Identifier: "a@example.com", Password: "correct horse", Name: strings.Repeat("x", 65)}, authclient.ErrName},
	} {
		_, err := c.Register(t.Context(), r.in, "")
		if !errors.Is(err, r.want) || fault.Of(err).Field == "" {
			t.Errorf("%s: got %v, want %v", what, err, r.want)
		}
	}

	token := func(audience string) *authclient.Client {
		raw, err := m.Auth.IssueToken(t.Context(), "13800138000", []string{audience}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return authclient.New(base, rest.Bearer(m.HTTP(), func(context.Context) (string, error) { return raw, nil }))
	}
	if me, err := token("auth").Me(t.Context()); err != nil || me != u {
		t.Errorf("got %+v, %v", me, err)
	}
	if _, err := c.Me(t.Context()); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("no token: got %v", err)
	}
	if _, err := token("shop").Me(t.Context()); !errors.Is(err, auth.ErrToken) {
		t.Errorf("a token for the shop: got %v", err)
	}
}

// An address that registers too much is told to wait.
func TestNewUsersAreLimited(t *testing.T) {
	m := market(t, func(c *auth.Config) { c.Limits = auth.Limits{Window: time.Hour, NewUsersPerAddress: 2} })
	c := authclient.New(base, m.HTTP())
	var err error
	for _, who := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		_, err = c.Register(t.Context(), authclient.NewUser{Identifier: who, Password: "correct horse"}, "")
	}
	if !errors.Is(err, authclient.ErrLimited) {
		t.Errorf("got %v, want limited", err)
	}
}

func TestTheDocument(t *testing.T) {
	mux := http.NewServeMux()
	authapi.Routes(mux, nil)
	webtest.Committed(t, mux, "/auth/api/openapi.json", "../../docs/openapi/auth.json")
}
