package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jishi/auth/authclient"
)

// cheap is a cost for tests, some thousand hashes a second.
var cheap = HashCost{Memory: 64, Time: 1, Threads: 1}

func TestPasswordsAreTakenExactly(t *testing.T) {
	for _, p := range []string{"12345678", " leading", "trailing ", strings.Repeat("密", 256), "a\x00bcdefgh"} {
		if err := checkPassword(p); err != nil {
			t.Errorf("%q: %v", p, err)
		}
		phc := cheap.hash(p)
		if ok, _, err := verify(p, phc); !ok || err != nil {
			t.Errorf("%q: got %v, %v", p, ok, err)
		}
		for _, other := range []string{strings.TrimSpace(p) + "x", p + " ", p[:len(p)-1]} {
			if ok, _, _ := verify(other, phc); ok {
				t.Errorf("%q was taken for %q", other, p)
			}
		}
	}
	for _, p := range []string{"", "1234567", strings.Repeat("密", 257)} {
		if err := checkPassword(p); !errors.Is(err, authclient.ErrPassword) {
			t.Errorf("%d characters: got %v, want a refusal", len([]rune(p)), err)
		}
	}
}

func TestHashesNameTheirCost(t *testing.T) {
	phc := DefaultCost.hash("correct horse")
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", phc)
	}
	h := newHasher(cheap, 1, time.Second)
	ok, stale, err := h.verify(t.Context(), "correct horse", phc)
	if !ok || !stale || err != nil {
		t.Errorf("got %v, %v, %v, want a match at another cost", ok, stale, err)
	}
	if ok, _, err := h.verify(t.Context(), "x", "$argon2id$v=19$m=1$x$y"); ok || err == nil {
		t.Error("a broken hash is no error")
	}
}

func TestNobodyHasNoPassword(t *testing.T) {
	h := newHasher(cheap, 1, time.Second)
	if ok, _, err := h.verify(t.Context(), "", ""); ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

// Of 200 logins at once no more than there are slots hash at any time, the queue takes
// its number, and the rest is told so without waiting.
func TestTheGateIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cheap, 64, time.Minute)
		slots := int64(cap(h.slots))
		var running, most, done, busy atomic.Int64
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				err := h.through(t.Context(), func() {
					n := running.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					time.Sleep(20 * time.Millisecond)
					running.Add(-1)
				})
				switch {
				case err == nil:
					done.Add(1)
				case errors.Is(err, authclient.ErrBusy):
					busy.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if most.Load() != slots {
			t.Errorf("%d at once, want %d", most.Load(), slots)
		}
		if done.Load() != 64+slots || busy.Load() != 200-64-slots {
			t.Errorf("%d done and %d busy, want %d and %d", done.Load(), busy.Load(), 64+slots, 200-64-slots)
		}
		if h.waiting.Load() != 0 || len(h.slots) != 0 {
			t.Error("the gate doesn't get empty again")
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cheap, 64, time.Second)
		release := make(chan struct{})
		var wg sync.WaitGroup
		for range cap(h.slots) {
			wg.Go(func() { _ = h.through(t.Context(), func() { <-release }) })
		}
		synctest.Wait()
		if err := h.through(t.Context(), func() {}); !errors.Is(err, authclient.ErrBusy) {
			t.Errorf("got %v, want busy", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.through(ctx, func() {}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want canceled", err)
		}
		close(release)
		wg.Wait()
	})
}
