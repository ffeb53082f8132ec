package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jishi/auth/authclient"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A code works once; its second use kills what the first one got.
func TestCodeWorksOnce(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ctx, shop := t.Context(), client(t, s, "shop")
		c := code(t, s, register(t, s, alice).ID)
		got, err := redeem(ctx, s, shop, c)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := s.Access(ctx, got.Access, "pay")
		if err != nil || claims.Client != "shop" || claims.Name != "138****8000" || claims.Scope != "openid profile" || claims.SessionID == "" {
			t.Errorf("got %+v, %v", claims, err)
		}
		if _, err := redeem(ctx, s, shop, c); !errors.Is(err, ErrGrant) {
			t.Errorf("second use: got %v", err)
		}
		if _, err := s.Access(ctx, got.Access, "pay"); !errors.Is(err, ErrToken) {
			t.Errorf("access token after the replay: got %v", err)
		}
		if _, err := s.Refresh(ctx, shop, got.Refresh, nil, nil); !errors.Is(err, ErrGrant) {
			t.Errorf("refresh token after the replay: got %v", err)
		}
	})
}

// Of ten exchanges of one code at once exactly one gets tokens.
func TestTenExchangesOfOneCode(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		user := register(t, s, alice).ID
		for range 5 {
			c, shop := code(t, s, user), client(t, s, "shop")
			var won atomic.Int64
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					_, err := redeem(t.Context(), s, shop, c)
					switch {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, ErrGrant):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d got tokens, want 1", won.Load())
			}
		}
	})
}

func TestCodesThatAreNotGood(t *testing.T) {
	clk := newClock()
	each(t, func(t *testing.T, s *Service) {
		ctx, shop, pay := t.Context(), client(t, s, "shop"), client(t, s, "pay")
		user := register(t, s, alice).ID
		refused := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, ErrGrant) {
				t.Errorf("%s: got %v, want a refusal", what, err)
			}
		}
		c := code(t, s, user)
		_, err := s.Redeem(ctx, pay, c, pay.Redirect, verifier)
		refused("another client", err)
		_, err = s.Redeem(ctx, shop, c, "https://shop.example/cb/", verifier)
		refused("another address", err)
		_, err = s.Redeem(ctx, shop, c, shop.Redirect, "")
		refused("no verifier", err)
		_, err = s.Redeem(ctx, shop, c, shop.Redirect, verifier+"x")
		refused("wrong verifier", err)
		_, err = redeem(ctx, s, shop, "nonsense")
		refused("nonsense", err)
		if _, err := redeem(ctx, s, shop, c); err != nil {
			t.Errorf("after these the code doesn't work: %v", err)
		}
		old := code(t, s, user)
		clk.pass(codeLife + time.Second)
		_, err = redeem(ctx, s, shop, old)
		refused("an old code", err)
	}, clk.set)
}

// A flow belongs to the browser that began it, and has one code.
func TestFlowIsBoundToItsBrowser(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ctx, user := t.Context(), register(t, s, alice).ID
		flow, login := begin(t, s), logIn(t, s, user)
		if _, _, err := s.Approve(ctx, flow, "another browser", login); !errors.Is(err, ErrFlow) {
			t.Errorf("another browser: got %v", err)
		}
		if _, err := s.Flow(ctx, flow, "another browser"); !errors.Is(err, ErrFlow) {
			t.Errorf("another browser: got %v", err)
		}
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, _, err := s.Approve(ctx, flow, browser, login)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrFlow) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d codes, want 1", won.Load())
		}
	})
}

func TestRequestsThatAreNotGood(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		good := Flow{Client: "shop", Redirect: "https://shop.example/cb", Challenge: challengeOf(verifier)}
		for what, change := range map[string]func(*Flow){
			"unknown client":   func(f *Flow) { f.Client = "x" },
			"trailing slash":   func(f *Flow) { f.Redirect += "/" },
			"added query":      func(f *Flow) { f.Redirect += "?x=1" },
			"no challenge":     func(f *Flow) { f.Challenge = "" },
			"unknown resource": func(f *Flow) { f.Resources = []string{"pay", "elsewhere"} },
			"long state":       func(f *Flow) { f.State = string(make([]byte, maxState+1)) },
		} {
			f := good
			change(&f)
			if _, err := s.Begin(t.Context(), f, browser); err == nil {
				t.Errorf("%s: taken", what)
			}
		}
	})
}

// Refresh tokens rotate; the reuse of an old one kills the newest.
func TestRefreshReuse(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ctx, shop, pay := t.Context(), client(t, s, "shop"), client(t, s, "pay")
		first, err := redeem(ctx, s, shop, code(t, s, register(t, s, alice).ID))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Refresh(ctx, pay, first.Refresh, nil, nil); !errors.Is(err, ErrGrant) {
			t.Errorf("another client: got %v", err)
		}
		if _, err := s.Refresh(ctx, shop, first.Refresh, []string{"openid", "email"}, nil); !errors.Is(err, ErrScope) {
			t.Errorf("more scope: got %v", err)
		}
		if _, err := s.Refresh(ctx, shop, first.Refresh, nil, []string{"auth"}); !errors.Is(err, ErrTarget) {
			t.Errorf("another resource: got %v", err)
		}
		second, err := s.Refresh(ctx, shop, first.Refresh, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if second.Refresh == first.Refresh || second.ID == "" {
			t.Errorf("got %+v", second)
		}
		third, err := s.Refresh(ctx, shop, second.Refresh, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Refresh(ctx, shop, first.Refresh, nil, nil); !errors.Is(err, ErrGrant) {
			t.Errorf("reuse: got %v", err)
		}
		if _, err := s.Refresh(ctx, shop, third.Refresh, nil, nil); !errors.Is(err, ErrGrant) {
			t.Errorf("newest after the reuse: got %v", err)
		}
	})
}

// A client that didn't get the answer asks again, for a minute, and as often as it must. Who
// got an answer that was replaced then has a token whose use revokes the grant.
func TestRefreshAgain(t *testing.T) {
	clk := newClock()
	each(t, func(t *testing.T, s *Service) {
		ctx, shop, user := t.Context(), client(t, s, "shop"), register(t, s, alice).ID
		refresh := func(with Tokens) Tokens {
			t.Helper()
			got, err := s.Refresh(ctx, shop, with.Refresh, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		first := tokens(t, s, user)
		lost := refresh(first)
		clk.pass(refreshAgain)
		refresh(first)
		last := refresh(refresh(first))
		if !over(t, s, lost) {
			t.Error("an answer that was replaced works")
		}
		if !over(t, s, last) {
			t.Error("the grant goes on after that")
		}

		first = tokens(t, s, user)
		lost = refresh(first)
		clk.pass(refreshAgain + time.Second)
		if !over(t, s, first) {
			t.Error("a token works long after it was spent")
		}
		if !over(t, s, lost) {
			t.Error("the grant goes on after that")
		}
	}, clk.set)
}

// A code and a refresh token are not spent on tokens that can't be made.
func TestNothingIsSpentForNothing(t *testing.T) {
	clk := newClock()
	each(t, func(t *testing.T, s *Service) {
		ctx, shop := t.Context(), client(t, s, "shop")
		broken := service(t, s.db, clk.set, func(c *Config) { c.Clients = nil })
		c := code(t, s, register(t, s, alice).ID)
		if _, err := redeem(ctx, broken, shop, c); !errors.Is(err, ErrClient) {
			t.Errorf("code: got %v, want %v", err, ErrClient)
		}
		got, err := redeem(ctx, s, shop, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := broken.Refresh(ctx, shop, got.Refresh, nil, nil); !errors.Is(err, ErrClient) {
			t.Errorf("refresh token: got %v, want %v", err, ErrClient)
		}
		clk.pass(2 * refreshAgain)
		if over(t, s, got) {
			t.Error("the refresh token is spent")
		}
	}, clk.set)
}

// unused is how many refresh tokens of a token's grant weren't used.
func unused(t *testing.T, s *Service, token string) int64 {
	t.Helper()
	of := s.db.NewSelect().Model((*refreshRow)(nil)).Column("grant_id").Where("hash = ?", hashOf(token))
	n, err := s.db.NewSelect().Model((*refreshRow)(nil)).Where("grant_id = (?)", of).Where("used_at IS NULL").Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Of ten who refresh with one token at once each gets an answer, of which one goes on.
func TestRefreshRace(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		first := tokens(t, s, register(t, s, alice).ID)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := s.Refresh(t.Context(), client(t, s, "shop"), first.Refresh, nil, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if left := unused(t, s, first.Refresh); left != 1 {
			t.Errorf("%d refresh tokens are left, want 1", left)
		}
	})
}

func TestGrantsEnd(t *testing.T) {
	clk := newClock()
	each(t, func(t *testing.T, s *Service) {
		ctx, shop := t.Context(), client(t, s, "shop")
		user := register(t, s, alice).ID
		idle, err := redeem(ctx, s, shop, code(t, s, user))
		if err != nil {
			t.Fatal(err)
		}
		busy, err := redeem(ctx, s, shop, code(t, s, user))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			clk.pass(refreshLife - time.Hour)
			if busy, err = s.Refresh(ctx, shop, busy.Refresh, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Refresh(ctx, shop, idle.Refresh, nil, nil); !errors.Is(err, ErrGrant) {
			t.Errorf("idle: got %v", err)
		}
		clk.pass(grantLife - 2*refreshLife + 3*time.Hour)
		if _, err := s.Refresh(ctx, shop, busy.Refresh, nil, nil); !errors.Is(err, ErrGrant) {
			t.Errorf("after its whole life: got %v", err)
		}
	}, clk.set)
}

func TestRevoke(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ctx, shop, pay := t.Context(), client(t, s, "shop"), client(t, s, "pay")
		user := register(t, s, alice).ID
		for _, by := range []func(Tokens) string{func(t Tokens) string { return t.Refresh }, func(t Tokens) string { return t.Access }} {
			got, err := redeem(ctx, s, shop, code(t, s, user))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Revoke(ctx, pay, by(got)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Access(ctx, got.Access, "pay"); err != nil {
				t.Errorf("another client has revoked it: %v", err)
			}
			if err := s.Revoke(ctx, shop, by(got)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Access(ctx, got.Access, "pay"); !errors.Is(err, ErrToken) {
				t.Errorf("got %v, want it revoked", err)
			}
		}
		if err := s.Revoke(ctx, shop, "nonsense"); err != nil {
			t.Error(err)
		}
	})
}

func TestExchangeAndServiceTokens(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ctx, shop, pay := t.Context(), client(t, s, "shop"), client(t, s, "pay")
		u := register(t, s, alice)
		mine, err := s.IssueToken(ctx, alice, []string{"auth", "pay", "shop"}, 12*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Exchange(ctx, shop, mine, []string{"pay"})
		if err != nil {
			t.Fatal(err)
		}
		claims, err := s.Access(ctx, got.Access, "pay")
		if err != nil || claims.Subject != u.ID || claims.Client != "shop" || len(claims.Audience) != 1 || got.Life > accessLife {
			t.Errorf("got %+v for %s, %v", claims, got.Life, err)
		}
		if _, err := s.Exchange(ctx, pay, mine, []string{"shop"}); !errors.Is(err, ErrClient) {
			t.Errorf("a client that may not: got %v", err)
		}
		if _, err := s.Exchange(ctx, shop, mine, []string{"bank"}); !errors.Is(err, ErrTarget) {
			t.Errorf("an unknown audience: got %v", err)
		}
		if _, err := s.Exchange(ctx, shop, got.Access, []string{"pay"}); !errors.Is(err, ErrGrant) {
			t.Errorf("a token that isn't meant for the client: got %v", err)
		}
		own, err := s.ServiceToken(ctx, shop, nil, []string{"pay"})
		if err != nil {
			t.Fatal(err)
		}
		if c, err := s.Access(ctx, own.Access, "pay"); err != nil || c.User() != "" || c.Subject != "shop" {
			t.Errorf("got %+v, %v", c, err)
		}
		forShop, err := s.ServiceToken(ctx, shop, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Exchange(ctx, shop, forShop.Access, []string{"pay"}); !errors.Is(err, ErrGrant) {
			t.Errorf("a service's token: got %v", err)
		}
		if _, err := s.IssueToken(ctx, "13900139000", []string{"shop"}, time.Hour); !errors.Is(err, authclient.ErrNoUser) {
			t.Errorf("got %v", err)
		}
	})
}

func TestClientSecrets(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		for _, secret := range []string{"new shop secret", "old shop secret"} {
			if _, err := s.AuthenticateClient("shop", secret); err != nil {
				t.Errorf("%s: %v", secret, err)
			}
		}
		for _, c := range [][2]string{{"shop", ""}, {"shop", "pay secret"}, {"x", "new shop secret"}, {"", ""}} {
			if _, err := s.AuthenticateClient(c[0], c[1]); !errors.Is(err, ErrClient) {
				t.Errorf("%v: got %v", c, err)
			}
		}
	})
}
