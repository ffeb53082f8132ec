package authapi_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"jishi/auth"
	"jishi/auth/authapi"
	"jishi/auth/authclient"
	"jishi/auth/authtest"
	"jishi/kit/database"
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
	if after, ok := fault.Of(err).Extra[fault.RetryAfter].(float64); !ok || after < 1 || after > 3601 {
		t.Errorf("wait %v seconds", fault.Of(err).Extra)
	}
}

// Who registers is told how many more may, and who may not, when.
func TestRateLimitHeaders(t *testing.T) {
	m := market(t, func(c *auth.Config) { c.Limits = auth.Limits{Window: authtest.Century, NewUsersPerAddress: 2} })
	for i, want := range []struct {
		status    int
		remaining string
	}{{201, "1"}, {201, "0"}, {429, "0"}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/auth/api/v1/users",
			strings.NewReader(`{"identifier":"`+strconv.Itoa(i)+`@example.com","password":"correct horse"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		res, err := m.HTTP().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		h := res.Header
		if res.StatusCode != want.status || h.Get("RateLimit-Limit") != "2" || h.Get("RateLimit-Remaining") != want.remaining || h.Get("RateLimit-Reset") == "" {
			t.Errorf("%d: %d %v", i, res.StatusCode, h)
		}
		if (h.Get("Retry-After") != "") != (want.status == 429) {
			t.Errorf("%d: Retry-After %q", i, h.Get("Retry-After"))
		}
	}
}

// What the account page can do: another name, where one is logged in, and an end to it.
func TestOwnAccount(t *testing.T) {
	m := market(t)
	ctx := t.Context()
	ann, bob := m.Register(t, "ann@example.com"), m.Register(t, "bob@example.com")
	for range 3 {
		if _, err := m.Auth.LogIn(ctx, authclient.UserID(ann.ID), "Mozilla/5.0 Firefox/140.0", ""); err != nil {
			t.Fatal(err)
		}
	}
	as := func(identifier string) *authclient.Client {
		raw, err := m.Auth.IssueToken(ctx, identifier, []string{"auth"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return authclient.New(base, rest.Bearer(m.HTTP(), func(context.Context) (string, error) { return raw, nil }))
	}
	c := as("ann@example.com")

	name, invisible := "Ann 安", "a\u200bb\u0007"
	if u, err := c.Change(ctx, authclient.UserChange{Name: &name}); err != nil || u.Name != name {
		t.Errorf("rename: %+v, %v", u, err)
	}
	if _, err := c.Change(ctx, authclient.UserChange{Name: &invisible}); !errors.Is(err, authclient.ErrName) || fault.Of(err).Field != "name" {
		t.Errorf("an invisible name: %v", err)
	}
	if u, err := c.Change(ctx, authclient.UserChange{}); err != nil || u.Name != name {
		t.Errorf("no change: %+v, %v", u, err)
	}

	list, err := c.Sessions(ctx)
	if err != nil || len(list.Items) != 3 || list.Items[0].Current || list.Items[0].CreatedAt.IsZero() || list.Items[0].Device == "" {
		t.Fatalf("sessions: %+v, %v", list, err)
	}
	one := list.Items[0].ID
	if err := as("bob@example.com").EndSession(ctx, one); !errors.Is(err, authclient.ErrNoSession) {
		t.Errorf("%s ends a session of somebody else: %v", bob.Name, err)
	}
	if err := c.EndSession(ctx, one); err != nil {
		t.Error(err)
	}
	if list, err = c.Sessions(ctx); err != nil || len(list.Items) != 2 {
		t.Errorf("after one: %+v, %v", list, err)
	}
	if err := c.EndSession(ctx, one); !errors.Is(err, authclient.ErrNoSession) {
		t.Errorf("the same again: %v", err)
	}
	if err := c.EndSessions(ctx); err != nil {
		t.Error(err)
	}
	if list, err = c.Sessions(ctx); err != nil || len(list.Items) != 0 {
		t.Errorf("after all: %+v, %v", list, err)
	}
}

// Where the database goes away in or after any COMMIT of a call, and stays away, the answer
// is never that nothing has changed if something has.
func TestTheDatabaseGoesAwayAfterACommit(t *testing.T) {
	address := dbtest.MariaDB(t)
	db := dbtest.Open(t, address, auth.Migrate)
	way := dbtest.NewFaulty(t, address, 0, 0)
	m := authtest.New(t, dbtest.Open(t, way.URL), base)
	m.Register(t, "ann@example.com")
	token, err := m.Auth.IssueToken(t.Context(), "ann@example.com", []string{"auth"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := authclient.New(base, rest.Bearer(m.HTTP(), func(context.Context) (string, error) { return token, nil }))
	// What an address has used of its limit is nothing that a caller has changed.
	contents := func() map[string]int64 {
		all := dbtest.Contents(t, db)
		maps.DeleteFunc(all, func(table string, _ int64) bool { return strings.HasSuffix(table, ".attempts") })
		return all
	}
	cases := 0
	for what, call := range map[string]struct {
		do   func(name string) error
		done error // of a call after which the database is away
	}{
		"register": {func(name string) error {
			_, err := c.Register(t.Context(), authclient.NewUser{Identifier: name + "@example.com", Password: "correct horse"}, "")
			return err
		}, nil},
		"rename": {func(name string) error {
			_, err := c.Change(t.Context(), authclient.UserChange{Name: &name})
			return err
		}, database.ErrUnknown},
	} {
		for _, how := range []dbtest.Leave{dbtest.NotDone, dbtest.Unheard, dbtest.Answered} {
			for n, reached := 1, true; reached; n++ {
				cases++
				before := contents()
				way.GoAway(n, how)
				err := call.do("name" + strconv.Itoa(cases))
				reached = way.Return()
				changed := !maps.Equal(before, contents())
				switch {
				case !reached && err != nil:
					t.Errorf("%s: %v", what, err)
				case reached && changed && how == dbtest.Answered && !errors.Is(err, call.done):
					t.Errorf("%s, commit %d: the database was away after it: %v, want %v", what, n, err, call.done)
				case err != nil && fault.Of(err).Kind != fault.Unknown && (fault.Of(err).Kind != fault.Busy || changed):
					t.Errorf("%s, commit %d %s, changed %t: %v", what, n, how, changed, err)
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

func TestTheDocument(t *testing.T) {
	mux := http.NewServeMux()
	authapi.Routes(mux, nil)
	webtest.Committed(t, mux, "/auth/api/openapi.json", "../../docs/openapi/auth.json")
}
