package shop

import (
	"context"
	"testing"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/job"
)

func TestACutOffMigrationGoesOn(t *testing.T) {
	upTo := func(number int) dbtest.Setup {
		files := dbtest.UpTo(t, migrations, number)
		return func(ctx context.Context, db *database.DB) error { return db.Migrate(ctx, files, "shop") }
	}
	dbtest.Resumes(t,
		dbtest.Stage{Migrate: job.Migrate},
		dbtest.Stage{
			Migrate: upTo(2), // before shipments
			Rows: []string{
				`INSERT INTO orders (id, buyer, buyer_name, state, total, currency, deadline_at, created_at)
				VALUES ('ord_1', 'b', 'B', 'paid', 5, 'CNY', 9, 1), ('ord_2', 'b', 'B', 'pending', 1, 'CNY', 9, 1)`,
				`INSERT INTO order_lines (order_id, position, product_id, seller, seller_name, title, image, price, quantity)
				VALUES ('ord_1', 0, 'p', 's', 'S', 'T', '', 1, 3), ('ord_1', 1, 'q', 't', 'T', 'T', '', 2, 1), ('ord_2', 0, 'p', 's', 'S', 'T', '', 1, 1)`,
				`INSERT INTO order_events (order_id, state, at) VALUES ('ord_1', 'pending', 1), ('ord_1', 'paid', 2), ('ord_2', 'pending', 1)`,
			},
		},
		dbtest.Stage{
			Migrate: upTo(6), // before refunds have deadlines
			Rows: []string{
				`INSERT INTO refunds (id, shipment_id, order_id, state, amount, currency, reason, answer, decision, open_since, created_at)
				SELECT CONCAT('rfd_', seller), id, order_id, 'asked', 1, 'CNY', '', '', '', 3, 3 FROM shipments`,
				"INSERT INTO jobs (kind, `key`, payload, state, due_at, attempts, last_error, created_at) VALUES ('shop.answer', 'rfd_s', '', 'waiting', 8, 0, '', 3)",
			},
		},
		dbtest.Stage{Migrate: Migrate},
	)
}
