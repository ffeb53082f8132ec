package database_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
)

// Under every fault that a server can answer with, what is acknowledged is done once, what
// is refused isn't done, and of what is unknown some is done and some isn't.
func TestNoFaultIsTakenForAnother(t *testing.T) {
	address := dbtest.MariaDB(t)
	sound := dbtest.Open(t, address, things)
	way := dbtest.NewFaulty(t, address, 1, 0.05)
	db := dbtest.Open(t, way.URL)

	const workers, each = 8, 100
	answers := make([][]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				answers[w] = append(answers[w], db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.NewInsert().Model(&thing{ID: fmt.Sprint(w, "-", i)}).Exec(ctx)
					return err
				}))
			}
		})
	}
	wg.Wait()
	seen := map[bool]int{} // unknown ones, by whether they were done
	for w := range workers {
		for i, err := range answers[w] {
			id := fmt.Sprint(w, "-", i)
			there, lookErr := sound.NewSelect().Model((*thing)(nil)).Where("id = ?", id).Exists(t.Context())
			if lookErr != nil {
				t.Fatal(lookErr)
			}
			switch {
			case errors.Is(err, database.ErrUnknown):
				seen[there]++
			case err == nil && !there:
				t.Errorf("%s was acknowledged and isn't there", id)
			case err != nil && there:
				t.Errorf("%s is there, but was refused: %v", id, err)
			case err != nil && !errors.Is(err, database.ErrBusy) && !errors.Is(err, database.ErrUnavailable):
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	t.Logf("faults: %v; unknown and done: %d, and not done: %d", way.Counts(), seen[true], seen[false])
	for _, name := range dbtest.FaultNames() {
		if way.Counts()[name] == 0 {
			t.Errorf("%q never happened", name)
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Error("the two kinds of unknown were not both seen")
	}
}

// Where the database stays away that was lost in COMMIT, what became of a key can't be looked
// up: it is unknown, not refused.
func TestTheDatabaseGoesAwayWithAKey(t *testing.T) {
	address := dbtest.MariaDB(t)
	dbtest.Open(t, address, things)
	way := dbtest.NewFaulty(t, address, 0, 0)
	db := dbtest.Open(t, way.URL)
	for _, how := range []dbtest.Leave{dbtest.NotDone, dbtest.Unheard} {
		ask := func() error {
			_, err := db.InTxOnce(t.Context(), database.Use{Scope: "test", Key: string(how)}, string(how), func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewInsert().Model(&thing{ID: string(how)}).Exec(ctx)
				return err
			})
			return err
		}
		way.GoAway(1, how)
		if err := ask(); fault.Of(err).Kind != fault.Unknown {
			t.Errorf("%s: got %v, want %v", how, err, database.ErrUnknown)
		}
		way.Return()
		if err := ask(); err != nil {
			t.Errorf("%s, again: %v", how, err)
		}
	}
}
