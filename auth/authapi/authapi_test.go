package authapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jishi/auth"
	"jishi/auth/authclient"
	"jishi/auth/authtest"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/rest"
)

const base = "http://market.example"

func market(t *testing.T, change ...func(*auth.Config)) *authtest.Market {
	t.Helper()
	return authtest.New(t, dbtest.Open(t, dbtest.SQLite(t), auth.Migrate), base, change...)
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
	for what, c := range map[string]*authclient.Client{"no token": c, "a token for the shop": token("shop")} {
		if _, err := c.Me(t.Context()); !errors.Is(err, auth.ErrToken) {
			t.Errorf("%s: got %v", what, err)
		}
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

func TestTheAPIIsDescribed(t *testing.T) {
	m := market(t)
	w := httptest.NewRecorder()
	m.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, base+"/auth/api/openapi.json", nil))
	var doc struct {
		OpenAPI string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Paths["/auth/api/v1/users"]["post"] == nil || doc.Paths["/auth/api/v1/me"]["get"] == nil {
		t.Errorf("got %s", w.Body)
	}
}
