package auth

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/web"
)

// Replicas that start together make one key, and each takes the others' tokens.
func TestReplicasShareKeys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		replicas := make([]*Service, 4)
		kids := make([]string, len(replicas))
		var wg sync.WaitGroup
		for i := range replicas {
			replicas[i] = service(t, db)
			wg.Go(func() {
				set, err := replicas[i].Keys(t.Context())
				if err != nil || len(set.Keys) != 1 {
					t.Errorf("replica %d: %d keys, %v", i, len(set.Keys), err)
					return
				}
				kids[i] = set.Keys[0].KeyID
			})
		}
		wg.Wait()
		for _, kid := range kids {
			if kid != kids[0] {
				t.Fatalf("keys %v, want one", kids)
			}
		}
	}, Migrate)
}

// While no key was ever read, who comes just after a failure is refused without asking again.
func TestKeysThatCannotBeRead(t *testing.T) {
	db := dbtest.Open(t, dbtest.SQLite(t)) // without tables
	c := newClock()
	ring := &keyRing{db: db, now: c.now}
	for i, want := range []bool{false, true, true, false} {
		if i == 3 {
			c.pass(keysAgain)
		}
		if _, err := ring.all(t.Context()); err == nil || errors.Is(err, database.ErrUnavailable) != want {
			t.Errorf("call %d: got %v, refused as just after a failure: want %t", i, err, want)
		}
	}
}

// The next key is published before it signs, and the one before it stays published.
func TestRotation(t *testing.T) {
	c := newClock()
	each(t, func(t *testing.T, s *Service) {
		ctx := t.Context()
		sign := func() string {
			t.Helper()
			token, err := s.sign(ctx, typeAccess, s.access("usr_x", "cli", []string{"shop"}, time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		first := sign()
		c.pass(keyLife + time.Hour)
		if err := s.keys.rotate(ctx); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Minute)
		staged := sign()
		if set, err := s.Keys(ctx); err != nil || len(set.Keys) != 2 {
			t.Fatalf("%d keys are published, %v, want 2", len(set.Keys), err)
		}
		if header(staged) != header(first) {
			t.Error("the next key signs as soon as it is made")
		}
		c.pass(keyStaged)
		second := sign()
		if header(second) == header(first) {
			t.Error("the next key doesn't sign")
		}
		for _, token := range []string{staged, second} {
			if _, err := s.Access(ctx, token, "shop"); err != nil {
				t.Error(err)
			}
		}
		c.pass(keyRetained + time.Hour)
		if err := s.keys.rotate(ctx); err != nil {
			t.Fatal(err)
		}
		if set, err := s.Keys(ctx); err != nil || len(set.Keys) != 1 {
			t.Errorf("%d keys are published, %v, want 1", len(set.Keys), err)
		}
	}, c.set)
}

func header(token string) string {
	h, _, _ := strings.Cut(token, ".")
	return h
}

// hanging is a database whose keys can't be read, and which says so when it is let go.
type hanging struct {
	t     *testing.T
	asked atomic.Int64
	first sync.Once
	begun chan struct{} // closed when it is asked
	let   chan struct{}
}

func (h *hanging) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	h.asked.Add(1)
	if _, ends := ctx.Deadline(); !ends || ctx.Err() != nil {
		h.t.Errorf("keys are read without a bound, or by somebody who has left: %v", ctx.Err())
	}
	h.first.Do(func() { close(h.begun) })
	<-h.let
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func (h *hanging) AfterQuery(context.Context, *bun.QueryEvent) {}

// While the database doesn't answer, those who need keys that are known wait for it once in
// keysFresh, and one of them only.
func TestKnownKeysAreNotWaitedFor(t *testing.T) {
	c := newClock()
	s := service(t, dbtest.Open(t, dbtest.SQLite(t), Migrate), c.set)
	known, err := s.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.pass(keysFresh)
	db, h := s.db.NewSelect().DB(), &hanging{t: t, begun: make(chan struct{}), let: make(chan struct{})}
	db.AddQueryHook(h)
	defer db.ResetQueryHooks()
	left, leave := context.WithCancel(t.Context())
	leave()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if set, err := s.Keys(left); err != nil || len(set.Keys) != 1 || set.Keys[0].KeyID != known.Keys[0].KeyID {
				t.Errorf("got %+v, %v", set, err)
			}
		})
	}
	<-h.begun
	close(h.let)
	wg.Wait()
	if n := h.asked.Load(); n != 1 {
		t.Errorf("the database was asked %d times, want once", n)
	}

	c.pass(keysFresh)
	s.keys.reading.Lock() // by somebody who waits for the database
	defer s.keys.reading.Unlock()
	if _, err := s.Keys(t.Context()); err != nil {
		t.Error(err)
	}
}

// A copy of the database signs nothing.
func TestKeysAreSealed(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		if _, err := s.Keys(t.Context()); err != nil {
			t.Fatal(err)
		}
		var row keyRow
		if err := s.db.NewSelect().Model(&row).Scan(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.keys.sealer.Open("another purpose", row.Private); err == nil {
			t.Error("the key opens for another purpose")
		}
		if strings.Contains(row.Public, `"d"`) {
			t.Error("the public key has its private part")
		}
	})
}

// Once keys were resealed the secret before isn't needed any more, and what they have signed
// is still good. Of replicas that reseal at once one does each key.
func TestKeysOutliveTheSecretBefore(t *testing.T) {
	old, young := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		with := func(secrets ...[]byte) *Service {
			return service(t, db, c.set, func(c *Config) { c.Sealer = web.NewSealer(secrets) })
		}
		before := with(old)
		token, err := before.sign(t.Context(), typeAccess, before.access("usr_x", "cli", []string{"shop"}, MaxTokenLife))
		if err != nil {
			t.Fatal(err)
		}
		c.pass(keyLife + time.Hour) // the second key is staged
		if err := before.keys.rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := before.Reseal(t.Context()); n != 0 || err != nil {
			t.Errorf("without a new secret: %d keys, %v", n, err)
		}

		var changed atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				n, err := with(young, old).Reseal(t.Context())
				if err != nil {
					t.Error(err)
				}
				changed.Add(int64(n))
			})
		}
		wg.Wait()
		if n := changed.Load(); n != 2 {
			t.Errorf("%d keys were resealed, want 2", n)
		}

		after := with(young)
		set, err := after.Keys(t.Context())
		if err != nil || len(set.Keys) != 2 {
			t.Fatalf("%d keys, %v, want 2", len(set.Keys), err)
		}
		c.pass(-keyLife) // when the token was good
		if _, err := after.Access(t.Context(), token, "shop"); err != nil {
			t.Error(err)
		}
		if _, err := with(old).Keys(t.Context()); err == nil {
			t.Error("the secret before still opens them")
		}
	}, Migrate)
}

// A key that no secret opens doesn't keep the others from being resealed.
func TestAKeyThatCannotBeOpenedKeepsNoOther(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		if err := s.keys.add(t.Context(), 1, s.now()); err != nil {
			t.Fatal(err)
		}
		lost := service(t, s.db, func(c *Config) { c.Sealer = web.NewSealer([][]byte{bytes.Repeat([]byte{1}, 32)}) })
		if err := lost.keys.add(t.Context(), 0, s.now()); err != nil {
			t.Fatal(err)
		}
		young := service(t, s.db, func(c *Config) {
			c.Sealer = web.NewSealer([][]byte{bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{7}, 32)})
		})
		n, err := young.Reseal(t.Context())
		if n != 1 || err == nil {
			t.Errorf("%d keys were resealed, %v; want 1, and that the other can't be opened", n, err)
		}
	})
}
