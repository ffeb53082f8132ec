package ledger

import (
	"context"
	"testing"

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
