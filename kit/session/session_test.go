package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/session"
)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.at.Load()) }
func (c *clock) forward(d time.Duration) { c.at.Add(d.Microseconds()) }

func each(t *testing.T, fn func(t *testing.T, s *session.Store, c *clock)) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		c := &clock{}
		c.at.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
		fn(t, session.New(db, session.Config{Idle: time.Hour, Absolute: 5 * time.Hour, Now: c.now}), c)
		var secret int
		err := db.NewSelect().Table("sessions").ColumnExpr("COUNT(*)").Where("id LIKE ?", "cookie%").Scan(t.Context(), &secret)
		if err != nil || secret != 0 {
			t.Errorf("%d sessions by their cookie: %v", secret, err)
		}
	}, session.Migrate)
}

func begin(t *testing.T, s *session.Store, user, sid string) (string, session.Session) {
	t.Helper()
	cookie, err := s.Create(t.Context(), session.Session{User: user, SID: sid, Agent: strings.Repeat("x", 300), Data: []byte{0, 1, 0xff}})
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Find(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	return cookie, x
}

func gone(t *testing.T, s *session.Store, cookie string, want bool) {
	t.Helper()
	_, err := s.Find(t.Context(), cookie)
	if err != nil && !errors.Is(err, session.ErrNone) {
		t.Fatal(err)
	}
	if got := err != nil; got != want {
		t.Errorf("gone is %v, want %v", got, want)
	}
}

func TestSessionComesBackAsItWas(t *testing.T) {
	each(t, func(t *testing.T, s *session.Store, c *clock) {
		cookie, x := begin(t, s, "usr_1", "sid")
		if x.User != "usr_1" || x.SID != "sid" || !bytes.Equal(x.Data, []byte{0, 1, 0xff}) || !x.CreatedAt.Equal(c.now()) {
			t.Errorf("got %+v", x)
		}
		if x.ID == cookie {
			t.Error("the id in the database is the cookie itself")
		}
		for _, bad := range []string{"", "x", x.ID, cookie + "x", cookie[:42] + "!"} {
			gone(t, s, bad, true)
		}
	})
}

func TestSessionEndsIdleAndAtLast(t *testing.T) {
	each(t, func(t *testing.T, s *session.Store, c *clock) {
		idle, _ := begin(t, s, "usr_1", "")
		used, _ := begin(t, s, "usr_1", "")
		for range 9 { // every half hour up to 4:30
			c.forward(30 * time.Minute)
			x, err := s.Find(t.Context(), used)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Touch(t.Context(), x); err != nil {
				t.Fatal(err)
			}
		}
		gone(t, s, idle, true)
		gone(t, s, used, false)
		if n, err := s.Sweep(t.Context()); err != nil || n != 1 {
			t.Errorf("swept %d, %v, want the idle one", n, err)
		}
		c.forward(30 * time.Minute)
		gone(t, s, used, true)
		if n, err := s.Sweep(t.Context()); err != nil || n != 1 {
			t.Errorf("swept %d, %v, want the other one", n, err)
		}
	})
}

func TestTouchWritesOnceAMinute(t *testing.T) {
	each(t, func(t *testing.T, s *session.Store, c *clock) {
		cookie, x := begin(t, s, "usr_1", "")
		began := c.now()
		for range 59 {
			c.forward(time.Second)
			if err := s.Touch(t.Context(), x); err != nil {
				t.Fatal(err)
			}
		}
		if y, _ := s.Find(t.Context(), cookie); !y.SeenAt.Equal(began) {
			t.Errorf("seen at %s, want %s still", y.SeenAt, began)
		}
		c.forward(time.Second)
		if err := s.Touch(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if y, _ := s.Find(t.Context(), cookie); !y.SeenAt.Equal(c.now()) {
			t.Errorf("seen at %s, want %s", y.SeenAt, c.now())
		}
	})
}

// Inside a transaction a session is known by its name at the identity provider, as long as
// it hasn't ended.
func TestSessionsByTheirName(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		c := &clock{}
		c.at.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
		s := session.New(db, session.Config{Idle: time.Hour, Now: c.now})
		cookie, _ := begin(t, s, "usr_1", "sid1")
		in := func(fn func(context.Context, bun.Tx, string) error) error {
			return db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error { return fn(ctx, tx, "sid1") })
		}
		c.forward(50 * time.Minute)
		if err := errors.Join(in(s.LockBySID), in(s.TouchBySIDIn)); err != nil {
			t.Error(err)
		}
		c.forward(50 * time.Minute)
		if x, err := s.FindBySID(t.Context(), "usr_1", "sid1"); err != nil || !x.SeenAt.Equal(c.now().Add(-50*time.Minute)) {
			t.Errorf("got %+v, %v, want it touched", x, err)
		}
		if _, err := s.FindBySID(t.Context(), "usr_2", "sid1"); !errors.Is(err, session.ErrNone) {
			t.Errorf("somebody else's session: got %v, want %v", err, session.ErrNone)
		}
		c.forward(10 * time.Minute)
		if err := in(s.TouchBySIDIn); err != nil {
			t.Error(err)
		}
		gone(t, s, cookie, true)
		if err := in(s.LockBySID); !errors.Is(err, session.ErrNone) {
			t.Errorf("one that has ended: got %v, want %v", err, session.ErrNone)
		}
	}, session.Migrate)
}

func TestEndingSessions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		s := session.New(db, session.Config{})
		a1, x1 := begin(t, s, "usr_a", "sid1")
		a2, _ := begin(t, s, "usr_a", "sid2")
		a3, _ := begin(t, s, "usr_a", "")
		b, _ := begin(t, s, "usr_b", "sid3")

		if list, err := s.ByUser(t.Context(), "usr_a"); err != nil || len(list) != 3 {
			t.Errorf("got %d sessions, %v, want 3", len(list), err)
		}
		if err := s.Delete(t.Context(), "usr_b", x1.ID); !errors.Is(err, session.ErrNone) {
			t.Errorf("somebody else's session: got %v, want %v", err, session.ErrNone)
		}
		gone(t, s, a1, false)
		if err := errors.Join(s.Delete(t.Context(), "usr_a", x1.ID), s.DeleteBySID(t.Context(), "")); err != nil {
			t.Error(err)
		}
		gone(t, s, a1, true)
		gone(t, s, a3, false)
		if err := s.DeleteBySID(t.Context(), "sid2"); err != nil {
			t.Error(err)
		}
		gone(t, s, a2, true)
		gone(t, s, a3, false)
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error { return s.DeleteByUserIn(ctx, tx, "usr_a") })
		if err != nil {
			t.Error(err)
		}
		gone(t, s, a3, true)
		gone(t, s, b, false)
	}, session.Migrate)
}

// Of many who find a token expired, one renews it and all get the new one.
func TestRefreshHappensOnce(t *testing.T) {
	each(t, func(t *testing.T, s *session.Store, _ *clock) {
		_, x := begin(t, s, "usr_1", "")
		var calls atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				y, err := s.Refresh(t.Context(), x, func(context.Context, session.Session) ([]byte, error) {
					return fmt.Appendf(nil, "renewed %d", calls.Add(1)), nil
				})
				if err != nil || string(y.Data) != "renewed 1" {
					t.Errorf("got %q, %v", y.Data, err)
				}
			})
		}
		wg.Wait()
		if calls.Load() != 1 {
			t.Errorf("renewed %d times, want once", calls.Load())
		}
	})
}

func TestRefreshThatFailsIsTriedByTheNext(t *testing.T) {
	each(t, func(t *testing.T, s *session.Store, c *clock) {
		_, x := begin(t, s, "usr_1", "")
		broken := errors.New("broken")
		if _, err := s.Refresh(t.Context(), x, func(context.Context, session.Session) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
		renew := func(context.Context, session.Session) ([]byte, error) { return []byte("new"), nil }
		y, err := s.Refresh(t.Context(), x, renew)
		if err != nil || string(y.Data) != "new" {
			t.Errorf("got %q, %v", y.Data, err)
		}
		if err := s.Delete(t.Context(), "usr_1", x.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Refresh(t.Context(), y, renew); !errors.Is(err, session.ErrNone) {
			t.Errorf("an ended session: got %v, want %v", err, session.ErrNone)
		}
	})
}

// A process that dies while it renews holds up the others for some seconds, not for ever.
func TestAbandonedRefreshIsTakenOver(t *testing.T) {
	each(t, func(t *testing.T, s *session.Store, c *clock) {
		_, x := begin(t, s, "usr_1", "")
		_, err := s.Refresh(t.Context(), x, func(ctx context.Context, _ session.Session) ([]byte, error) {
			c.forward(time.Minute) // meanwhile
			y, err := s.Refresh(t.Context(), x, func(context.Context, session.Session) ([]byte, error) { return []byte("second"), nil })
			if err != nil || string(y.Data) != "second" {
				t.Errorf("got %q, %v", y.Data, err)
			}
			return []byte("first, too late"), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if list, _ := s.ByUser(t.Context(), "usr_1"); len(list) != 1 || string(list[0].Data) != "second" {
			t.Errorf("got %+v, want the data of the second", list)
		}
	})
}

func TestSchemasAreTheSame(t *testing.T) { dbtest.Parity(t, session.Migrate) }
