package pay

import (
	"context"
	"testing"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/job"
)

func TestACutOffMigrationGoesOn(t *testing.T) {
	before := dbtest.UpTo(t, migrations, 1)
	dbtest.Resumes(t,
		dbtest.Stage{Migrate: job.Migrate},
		dbtest.Stage{
			Migrate: func(ctx context.Context, db *database.DB) error { return db.Migrate(ctx, before, "pay") },
			Rows: []string{
				`INSERT INTO payments (id, order_id, merchant, payer, state, amount, currency, expires_at, created_at)
				VALUES ('p1', 'o1', 'shop', 'u', 'open', 1, 'CNY', 9, 1), ('p2', 'o2', 'shop', 'u', 'captured', 2, 'CNY', 9, 1), ('p3', 'o3', 'shop', 'u', 'closed', 3, 'CNY', 9, 1)`,
				`INSERT INTO payment_parties (payment_id, payee, amount) VALUES ('p1', 's', 1), ('p2', 's', 2), ('p3', 's', 3)`,
			},
		},
		dbtest.Stage{Migrate: Migrate},
	)
}
