package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

func TestACutOffMigrationGoesOn(t *testing.T) {
	before := dbtest.UpTo(t, migrations, 2)
	dbtest.Resumes(t,
		dbtest.Stage{
			Migrate: func(ctx context.Context, db *database.DB) error { return db.Migrate(ctx, before, "ledger") },
			Rows: []string{`INSERT INTO transfers (id, kind, debit, credit, unit, amount, code, ref, at)
				VALUES ('t1', 'move', 'a', 'b', 'CNY', 1, 'c', 'r', 1), ('t2', 'move', 'a', 'b', 'CNY', 2, 'c', 'r', 2)`},
		},
		dbtest.Stage{Migrate: Migrate},
	)
}

// What an older replica writes while batches are being made is in the first one and counted,
// whether something was there before, and whether it was sealed by a release that didn't count it.
func TestOlderReplicasWriteIntoTheFirstBatch(t *testing.T) {
	write := func(db *database.DB, id string) {
		t.Helper()
		_, err := db.NewSelect().DB().ExecContext(t.Context(), `INSERT INTO transfers (id, kind, debit, credit, unit, amount, code, ref, at)
			VALUES (?, 'move', 'world', 'escrow', 'CNY', 1, 'c', 'r', 1)`, id)
		if err != nil {
			t.Fatal(err)
		}
	}
	upTo := func(db *database.DB, number int) error {
		return db.Migrate(t.Context(), dbtest.UpTo(t, migrations, number), "ledger")
	}
	for name, c := range map[string]struct {
		before []string
		sealed bool
	}{
		"after others":               {[]string{"1", "2"}, false},
		"as the first":               {nil, false},
		"after others, sealed since": {[]string{"1", "2"}, true},
		"as the first, sealed since": {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			address := dbtest.MariaDB(t)
			way := dbtest.NewFaulty(t, address, 0, 0)
			db, cut := dbtest.Open(t, address), dbtest.Open(t, way.URL)
			if err := upTo(db, 2); err != nil {
				t.Fatal(err)
			}
			l := New(db, time.Now)
			open(t, l, Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "escrow", Unit: cny, Kind: Open})
			for _, id := range c.before {
				write(db, id)
			}
			way.Cut(dbtest.NotDone, func(_, statement string) bool { return strings.HasPrefix(statement, "ALTER TABLE transfers ADD KEY") })
			if err := Migrate(t.Context(), cut); !errors.Is(err, database.ErrUnavailable) {
				t.Fatalf("got %v, want that it is cut off", err)
			}
			write(db, "late")
			if c.sealed {
				if err := upTo(db, 3); err != nil {
					t.Fatal(err)
				}
				must(t, l, move("new", "escrow", "world", 1))
				seal(t, l)
			}
			if err := Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			wantSound(t, l)
			must(t, l, move("newer", "world", "escrow", 1))
			seal(t, l)
			wantSound(t, l)
		})
	}
}
