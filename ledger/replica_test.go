package ledger

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"jishi/kit/database/dbtest"
)

// What one process writes in one batch several write side by side, so there the database's
// locks count.
func threeOf(t *testing.T, l *Ledger) []*Ledger {
	dbtest.NoTurns(t, l.db, "transfers")
	return []*Ledger{l, New(l.db, time.Now), New(l.db, time.Now)}
}

// Three replicas that draw on one account take what there is, and every transfer has its
// number.
func TestReplicasDontOverdraw(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 100))
		all := threeOf(t, l)
		var done atomic.Int64
		var group errgroup.Group
		for w := range 12 {
			group.Go(func() error {
				for i := range 20 {
					switch err := all[w%len(all)].Post(t.Context(), Group{move(fmt.Sprint(w, "-", i), "a", "b", 1)}); {
					case err == nil:
						done.Add(1)
					case !errors.Is(err, ErrInsufficient):
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
		if done.Load() != 100 {
			t.Errorf("%d done, want 100", done.Load())
		}
		want(t, l, "a", 0, 0)
		want(t, l, "b", 100, 0)
	})
}

// Replicas that move money in a circle lock its accounts in one order, so the server has no
// deadlock to resolve.
func TestReplicasNeverWaitInACircle(t *testing.T) {
	db := dbtest.Open(t, dbtest.MariaDB(t), Migrate)
	deadlocks := func() (n int) {
		var name string
		if err := db.NewSelect().DB().NewRaw("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").Scan(t.Context(), &name, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	l := New(db, time.Now)
	ids := []AccountID{"a", "b", "c", "d", "e", "f", "g", "h"}
	open(t, l, Account{ID: "world", Unit: cny, Kind: Open})
	for _, id := range ids {
		open(t, l, Account{ID: id, Unit: cny, Kind: Guarded})
		must(t, l, move("to "+string(id), "world", id, 1000))
	}
	before := deadlocks()
	var group errgroup.Group
	for w, replica := range threeOf(t, l) {
		group.Go(func() error {
			for i := range 50 {
				var g Group
				for k, id := range ids {
					g = append(g, move(fmt.Sprint(w, "-", i, "-", k), id, ids[(k+1+w)%len(ids)], 1))
				}
				if err := replica.Post(t.Context(), g); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if n := deadlocks() - before; n != 0 {
		t.Errorf("%d deadlocks", n)
	}
	wantSound(t, l)
}
