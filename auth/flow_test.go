package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
)

// deletions keeps how many rows each DELETE has found.
type deletions struct{ found []int64 }

func (d *deletions) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (d *deletions) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if e.Operation() == "DELETE" && e.Result != nil {
		n, _ := e.Result.RowsAffected() // neither driver fails
		d.found = append(d.found, n)
	}
}

// What is over goes, however much there is, a bounded part at a time; what isn't stays.
func TestWhatIsOverGoesInParts(t *testing.T) {
	c := newClock()
	each(t, func(t *testing.T, s *Service) {
		c.at = newClock().at
		var flows []flowRow
		var attempts []attemptRow
		var refresh []refreshRow
		var grants []grantRow
		for i := range 2*database.DeleteBatch + 1 {
			hash := hashOf(fmt.Sprint(i))
			flows = append(flows, flowRow{ID: fmt.Sprint(i), Browser: hash, ExpiresAt: database.At(c.now())})
			attempts = append(attempts, attemptRow{Key: hash, Period: s.period(), Count: 1})
			refresh = append(refresh, refreshRow{Hash: hash, ExpiresAt: database.At(c.now())})
			grants = append(grants, grantRow{ID: fmt.Sprint(i), AuthTime: database.At(c.now()), CreatedAt: database.At(c.now()), ExpiresAt: database.At(c.now())})
		}
		hook, db := &deletions{}, (*bun.DB)(nil)
		err := s.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			db = tx.NewDelete().DB()
			for _, rows := range []any{&flows, &attempts, &refresh, &grants} {
				if _, err := database.Insert(tx, rows).Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		c.pass(time.Hour)
		open := begin(t, s)

		db.AddQueryHook(hook)
		defer db.ResetQueryHooks()
		if err := s.deleteExpired(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, n := range hook.found {
			if sum += n; n > database.DeleteBatch {
				t.Errorf("one statement deletes %d rows", n)
			}
		}
		if want := int64(4 * (2*database.DeleteBatch + 1)); sum != want {
			t.Errorf("%d rows were deleted, want %d", sum, want)
		}
		if _, err := s.Flow(t.Context(), open, browser); err != nil {
			t.Errorf("what isn't over: %v", err)
		}
	}, c.set)
}

// One address can't begin logins without end; others can meanwhile.
func TestLoginsThatAreBegunAreLimited(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		f := Flow{Client: "shop", Redirect: "https://shop.example/cb", Challenge: challengeOf(verifier)}
		for i, c := range []struct {
			address string
			want    error
		}{{"192.0.2.1", nil}, {"192.0.2.1", nil}, {"192.0.2.1", authclient.ErrLimited}, {"192.0.2.2", nil}} {
			f.Address = c.address
			if _, err := s.Begin(t.Context(), f, browser); !errors.Is(err, c.want) {
				t.Errorf("%d, %s: got %v, want %v", i, c.address, err, c.want)
			}
		}
		n, err := s.db.NewSelect().Model((*flowRow)(nil)).Count(t.Context())
		if err != nil || n != 3 {
			t.Errorf("%d flows are stored, %v, want 3", n, err)
		}
	}, func(c *Config) {
		c.Limits = Limits{FlowsPerAddress: 2}
		c.Now = newClock().now
	})
}

// What a request names many times is one thing, and has room.
func TestScopesAndResourcesAreNamedOnce(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		id, err := s.Begin(t.Context(), Flow{
			Client: "shop", Redirect: "https://shop.example/cb", Challenge: challengeOf(verifier),
			Scopes: slices.Repeat([]string{"profile", "openid"}, 40), Resources: slices.Repeat([]string{"shop", "pay"}, 90),
		}, browser)
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.Flow(t.Context(), id, browser)
		if err != nil || !slices.Equal(f.Scopes, []string{"openid", "profile"}) || !slices.Equal(f.Resources, []string{"pay", "shop"}) {
			t.Errorf("got %v for %v, %v", f.Scopes, f.Resources, err)
		}
	})
}
