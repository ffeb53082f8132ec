package outage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
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
		out.met(t)
		c.settles(t)
	}
}

// lockWait is for how many seconds a server lets replicas wait for a row.
const lockWait = 1

// threeReplicas are of a program on one server, with buyers at each, and the shop's database.
func threeReplicas(t *testing.T, binary string) (*crowd, *database.DB) {
	t.Helper()
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
	m := harness.Start(t, harness.Config{Binary: binary, Databases: all, Replicas: 3, Flags: settings})
	c := newCrowd(t, m)
	for i, p := range c.buyers {
		c.buyers[i] = p.At(m.Shops[i%len(m.Shops)])
	}
	return c, db
}

// One of three replicas stands still in the middle of many purchases, with whatever it has
// locked, for longer than the others wait for it, and then goes on as if nothing had been.
func TestAReplicaStandsStill(t *testing.T) {
	t.Parallel()
	c, db := threeReplicas(t, "")
	m := c.market
	for round := range rounds(2) {
		replica := m.Replica(rand.IntN(len(m.Shops)))
		out := c.buy(t, round, func() {
			stops := 1
			for standsStill(t, db, replica, len(m.Shops), 0); !othersWait(t, db); stops++ {
				replica.Signal(t, syscall.SIGCONT)
				if stops == 50 {
					t.Error("nobody ever waited for the replica that stood still")
					return
				}
				standsStill(t, db, replica, len(m.Shops), 0)
			}
			passes(t, lockWait*1200*time.Millisecond)
			replica.Signal(t, syscall.SIGCONT)
			t.Logf("others waited for it after %d stops", stops)
		})
		t.Logf("round %d: %v", round, out)
		c.settles(t)
	}
}

// One of three replicas stands still for so long that others have done its jobs and the server
// has taken its transactions back, and goes on with what isn't its own any more. The program is
// one whose jobs are left alone for seconds, not for a minute.
func TestAReplicaOutstaysItsLeases(t *testing.T) {
	t.Parallel()
	if !dbtest.Long() {
		t.Skipf("a replica stands still for long in the long form only (%s)", dbtest.LongVariable)
	}
	const silence = 12 * time.Second // the server takes a transaction back that has been silent for ten
	c, db := threeReplicas(t, harness.CrashBinary(t))
	m := c.market
	for round := range rounds(1) {
		replica := m.Replica(rand.IntN(len(m.Shops)))
		out := c.buy(t, round, func() {
			for stops := 1; ; stops++ {
				standsStill(t, db, replica, len(m.Shops), 2)
				stopped := time.Now()
				taken := takenOver(t, db)
				if taken > 0 {
					passes(t, silence-time.Since(stopped))
				}
				replica.Signal(t, syscall.SIGCONT)
				if taken > 0 {
					t.Logf("others took %d jobs over after %d stops", taken, stops)
					return
				}
				if stops == 50 {
					t.Error("the replica that stood still never had a job")
					return
				}
			}
		})
		t.Logf("round %d: %v", round, out)
		c.settles(t)
	}
}

// standsStill stops a replica while all of them wait for the stock, which the test has locked,
// and so many jobs are under way. When the test lets go, the server gives it to each in turn: the
// one that is stopped keeps it.
func standsStill(t *testing.T, db *database.DB, replica *harness.Process, replicas, jobs int) {
	t.Helper()
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewRaw("SELECT id FROM accounts FOR UPDATE").Exec(ctx); err != nil {
			return err
		}
		err := harness.Retry(ctx, patience, func() error {
			if _, err := tx.ExecContext(ctx, "SELECT 1"); err != nil { // or the server takes it for one that stands still
				return err
			}
			if n, err := lockWaits(ctx, db); err != nil || n < replicas {
				return fmt.Errorf("%d wait, %v", n, err)
			}
			if all, err := leases(ctx, db); err != nil || len(all) < jobs {
				return fmt.Errorf("%d jobs are under way, %v", len(all), err)
			}
			return nil
		})
		if err == nil {
			replica.Signal(t, syscall.SIGSTOP)
		}
		return err
	})
	if err != nil {
		t.Errorf("wait until all replicas wait: %v", err)
	}
}

// takenOver waits until nobody has the jobs any more that are under way, and tells how many of
// them others took when their time was over. A process that goes on ends them earlier.
func takenOver(t *testing.T, db *database.DB) int {
	t.Helper()
	var left map[string]time.Time
	overdue := map[string]bool{}
	err := harness.Retry(t.Context(), patience, func() error {
		now, err := leases(t.Context(), db)
		if err != nil {
			return err
		}
		if left == nil {
			left = now
		}
		for lease, until := range left {
			if _, there := now[lease]; !there {
				delete(left, lease)
			} else if time.Until(until) < 500*time.Millisecond {
				overdue[lease] = true
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("jobs are still under way: %v", left)
		}
		return nil
	})
	if err != nil {
		t.Errorf("wait until others take jobs over: %v", err)
	}
	return len(overdue)
}

// leases are those of the shop's jobs that are under way, and until when.
func leases(ctx context.Context, db *database.DB) (map[string]time.Time, error) {
	var rows []struct {
		Lease string
		DueAt database.Time
	}
	if err := db.NewSelect().DB().NewRaw("SELECT CONCAT_WS(' ', kind, `key`, lease) AS lease, due_at FROM jobs WHERE lease IS NOT NULL").Scan(ctx, &rows); err != nil {
		return nil, err
	}
	all := map[string]time.Time{}
	for _, r := range rows {
		all[r.Lease] = r.DueAt.Time
	}
	return all, nil
}

// othersWait tells whether transactions wait for a row that nobody gives free.
func othersWait(t *testing.T, db *database.DB) bool {
	t.Helper()
	const looks = 4
	seen := 0
	err := harness.Retry(t.Context(), patience, func() error {
		n, err := lockWaits(t.Context(), db)
		if err != nil {
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

// lockWaits is how many transactions wait for a row.
func lockWaits(ctx context.Context, db *database.DB) (n int, err error) {
	var name string
	err = db.NewSelect().DB().NewRaw("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'").Scan(ctx, &name, &n)
	return n, err
}
