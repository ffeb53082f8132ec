package outage_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"jishi/kit/database"
	"jishi/kit/linktest"
	"jishi/tests/harness"
)

// passes lets people go on for a while.
func passes(t *testing.T, d time.Duration) {
	t.Helper()
	began := time.Now()
	harness.Eventually(t, patience, func() error {
		if time.Since(began) < d {
			return errors.New("not yet")
		}
		return nil
	})
}

// The way between shop and pay, which are processes of their own, is cut in the middle of many
// purchases, again and again, at first a fast one and then a slow one.
func TestTheWayToPayIsCut(t *testing.T) {
	t.Parallel()
	m := harness.Start(t, harness.Config{Split: true, Flags: settings})
	link := linktest.New(t, strings.Replace(strings.TrimPrefix(m.Pay, "http://"), "localhost", "127.0.0.1", 1))
	m.Set(t, "shop", "--pay-url", "http://"+link.Address())
	c := newCrowd(t, m)
	for round := range rounds(2) {
		if round == 1 {
			link.Slow(5 * time.Millisecond)
		}
		out := c.buy(t, round, func() {
			for range 5 {
				link.Cut()
				passes(t, time.Duration(rand.IntN(150))*time.Millisecond)
				link.Mend()
				passes(t, time.Duration(rand.IntN(150))*time.Millisecond)
			}
		})
		t.Logf("round %d: %v", round, out)
		c.settles(t)
	}
}

// One of three replicas stands still in the middle of many purchases, with whatever it has
// locked, for longer than the others wait for it, and then goes on as if nothing had been.
func TestAReplicaStandsStill(t *testing.T) {
	t.Parallel()
	const lockWait = 1 // seconds
	server := harness.NewServer(t)
	all := databases(t, server)
	db, err := database.Open(t.Context(), all["shop"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.NewSelect().DB().NewRaw("SET GLOBAL innodb_lock_wait_timeout = ?", lockWait).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := harness.Start(t, harness.Config{Databases: all, Replicas: 3, Flags: settings})
	c := newCrowd(t, m)
	for i, p := range c.buyers {
		c.buyers[i] = p.At(m.Shops[i%len(m.Shops)])
	}
	for round := range rounds(2) {
		replica := m.Replica(rand.IntN(len(m.Shops)))
		waits := false
		out := c.buy(t, round, func() {
			for range 20 { // until it stands still with something locked
				replica.Signal(t, syscall.SIGSTOP)
				if waits = othersWait(t, db); waits {
					break
				}
				replica.Signal(t, syscall.SIGCONT)
			}
			passes(t, lockWait*1200*time.Millisecond)
			replica.Signal(t, syscall.SIGCONT)
		})
		t.Logf("round %d, others waited for it: %v; %v", round, waits, out)
		c.settles(t)
	}
}

// othersWait tells whether transactions wait for a row that nobody gives free.
func othersWait(t *testing.T, db *database.DB) bool {
	t.Helper()
	const looks = 4
	seen := 0
	err := harness.Retry(t.Context(), patience, func() error {
		var name string
		var n int
		if err := db.NewSelect().DB().NewRaw("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'").Scan(t.Context(), &name, &n); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		if seen++; seen < looks {
			return errors.New("perhaps")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return seen == looks
}
