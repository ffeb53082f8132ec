package auth

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/job"
)

// over tells whether a client's tokens are worth nothing any more.
func over(t *testing.T, s *Service, got Tokens) bool {
	t.Helper()
	_, err := s.Refresh(t.Context(), client(t, s, "shop"), got.Refresh, nil, nil)
	if err != nil && !errors.Is(err, ErrGrant) {
		t.Fatal(err)
	}
	return err != nil
}

// Whoever goes on at a client, which asks for tokens and never for auth's pages, is logged
// in there, sees that, and can end it.
func TestLogOutWhereOnlyAClientIsUsed(t *testing.T) {
	clk := newClock()
	each(t, func(t *testing.T, s *Service) {
		ctx, shop := t.Context(), client(t, s, "shop")
		user := authclient.UserID(register(t, s, alice).ID)
		for what, end := range map[string]func(Login) error{
			"one": func(l Login) error { return s.LogOutOne(ctx, user, l.SessionID) },
			"all": func(Login) error { return s.LogOutEverywhere(ctx, user) },
		} {
			got := tokens(t, s, string(user))
			for range 3 {
				clk.pass(5 * 24 * time.Hour)
				var err error
				if got, err = s.Refresh(ctx, shop, got.Refresh, nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			list, err := s.Logins(ctx, user)
			if err != nil || len(list) != 1 || !list[0].Seen.Equal(clk.now()) || list[0].Device != "a browser" {
				t.Fatalf("%s: got %+v, %v, want the one that is used", what, list, err)
			}
			if err := end(list[0]); err != nil {
				t.Fatal(err)
			}
			if !over(t, s, got) {
				t.Errorf("%s: the client goes on", what)
			}
		}
	}, clk.set)
}

// A grant ends with all the others of its user although the session that it came from is gone.
func TestLogOutEverywhereEndsGrantsWithoutASession(t *testing.T) {
	var mu sync.Mutex
	var told []string
	each(t, func(t *testing.T, s *Service) {
		told = nil
		ctx, user := t.Context(), register(t, s, alice)
		got, others := tokens(t, s, user.ID), tokens(t, s, register(t, s, "bob@example.com").ID)
		list, err := s.Logins(ctx, authclient.UserID(user.ID))
		if err != nil || len(list) != 1 {
			t.Fatalf("got %+v, %v, want one", list, err)
		}
		if err := s.sessions.DeleteBySID(ctx, list[0].SessionID); err != nil {
			t.Fatal(err)
		}
		if err := s.LogOutEverywhere(ctx, authclient.UserID(user.ID)); err != nil {
			t.Fatal(err)
		}
		if !over(t, s, got) {
			t.Error("the client goes on")
		}
		if over(t, s, others) {
			t.Error("somebody else is logged out")
		}
		if len(told) != 1 {
			t.Errorf("%d clients are told, want 1", len(told))
		}
		if list, err := s.jobs.List(ctx, job.Waiting); err != nil || len(list) != 0 {
			t.Errorf("got jobs %+v, %v, want none", list, err)
		}
	}, func(c *Config) {
		c.Clients[0].Logout = "https://shop.example/logout"
		c.Notify = func(_ context.Context, url, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, url)
			return nil
		}
	})
}

// All is all, also of somebody who is logged in more often than a list shows.
func TestLogOutEverywhereHasNoLimit(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		user := register(t, s, alice).ID
		all := make([]Tokens, revokedAtOnce+2)
		for i := range all {
			all[i] = tokens(t, s, user)
		}
		if err := s.LogOutEverywhere(t.Context(), authclient.UserID(user)); err != nil {
			t.Fatal(err)
		}
		for i, got := range all {
			if !over(t, s, got) {
				t.Errorf("login %d goes on", i)
			}
		}
		if list, err := s.Logins(t.Context(), authclient.UserID(user)); err != nil || len(list) != 0 {
			t.Errorf("%d sessions are left, %v", len(list), err)
		}
	})
}

// Who is logged out in one part and not in the other isn't told that nothing has changed; the
// same again does the rest.
func TestTheDatabaseGoesAwayInALogout(t *testing.T) {
	address := dbtest.MariaDB(t)
	s := service(t, dbtest.Open(t, address, Migrate))
	way := dbtest.NewFaulty(t, address, 0, 0)
	through := service(t, dbtest.Open(t, way.URL))
	user := register(t, s, alice).ID
	for n, want := range []error{database.ErrUnavailable, database.ErrUnknown} { // by what was done before
		all := make([]Tokens, revokedAtOnce+1)
		for i := range all {
			all[i] = tokens(t, s, user)
		}
		way.GoAway(n, dbtest.Answered)
		if err := through.LogOutEverywhere(t.Context(), authclient.UserID(user)); !errors.Is(err, want) {
			t.Errorf("after %d parts: got %v, want %v", n, err, want)
		}
		way.Return()
		if err := through.LogOutEverywhere(t.Context(), authclient.UserID(user)); err != nil {
			t.Fatal(err)
		}
		for i, got := range all {
			if !over(t, s, got) {
				t.Errorf("after %d parts: login %d goes on", n, i)
			}
		}
	}
}

// A login that was read before a logout gives no code after it.
func TestNoCodeAfterALogout(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ctx, user := t.Context(), register(t, s, alice).ID
		flow, login := begin(t, s), logIn(t, s, user)
		if err := s.LogOut(ctx, login); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Approve(ctx, flow, browser, login); !errors.Is(err, ErrFresh) {
			t.Errorf("got %v, want %v", err, ErrFresh)
		}
	})
}

// Whatever comes first, nothing of a session is left when it and its logout are through.
func TestLogOutRacesALogin(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ctx, shop := t.Context(), client(t, s, "shop")
		user := register(t, s, alice).ID
		for i := range 20 {
			flow, login := begin(t, s), logIn(t, s, user)
			var got Tokens
			var wg sync.WaitGroup
			wg.Go(func() {
				code, _, err := s.Approve(ctx, flow, browser, login)
				if err == nil {
					got, err = redeem(ctx, s, shop, code)
				}
				if err != nil && !errors.Is(err, ErrFresh) && !errors.Is(err, ErrGrant) {
					t.Error(err)
				}
			})
			wg.Go(func() {
				end := func() error { return s.LogOut(ctx, login) }
				if i%2 == 0 {
					end = func() error { return s.LogOutEverywhere(ctx, login.User) }
				}
				if err := end(); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			if got.Refresh != "" && !over(t, s, got) {
				t.Fatalf("round %d: the client goes on", i)
			}
		}
	})
}
